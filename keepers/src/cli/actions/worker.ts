import { join } from "node:path";
import { WorkerKeeper } from "../../roles/worker/keeper.ts";
import { createHost } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import type { CommandContext } from "../context.ts";
import { keeperOptions, machineLimits } from "../jobs.ts";
import { partsEngineOf } from "../training/engines.ts";

export type WorkerCommandOptions = {
  data?: string;
  engine: "native" | "wasm";
  threads?: number;
  leastPay: bigint;
};

/** `assay worker run` */
export async function runWorker(
  context: CommandContext,
  provider: string,
  options: WorkerCommandOptions,
): Promise<void> {
  const { data, engine, threads, leastPay } = options;
  const folder = data === undefined ? join(context.home, "worker") : context.path(data);
  const keeper = await keeperOptions(context, folder);
  const host = await createHost({ privateKey: await loadOrCreateIdentity(folder) });
  context.onClose(() => host.stop());
  const limits = machineLimits();
  const worker = await WorkerKeeper.open({
    ...keeper,
    host,
    provider,
    executor: await partsEngineOf(engine),
    limits: { ...limits, threads: threads ?? limits.threads },
    leastPay,
  });
  context.onClose(async () => worker.close());
  const account = keeper.account.address;
  context.output.event({ event: "ready", role: "worker", account }, `${account} works for ${provider}`);
  await worker.run(context.signal);
  context.output.event({ event: "stopped" }, "The worker has stopped.");
}
