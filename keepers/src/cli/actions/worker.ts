import { WorkerKeeper } from "../../roles/worker/keeper.ts";
import { createHost } from "../../storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../storage/transport/identity.ts";
import type { CommandContext } from "../context.ts";
import { type ComputingOptions, limitsOf, startKeeper } from "../run-keeper.ts";
import { partsEngineOf } from "../training/engines.ts";

export type WorkerCommandOptions = ComputingOptions & {
  engine: "native" | "wasm";
  leastPay: bigint;
  mostUnpaid: number;
};

/** `assay worker run` */
export async function runWorker(
  context: CommandContext,
  provider: string,
  options: WorkerCommandOptions,
): Promise<void> {
  const { options: keeper, serve } = await startKeeper(context, "worker", options);
  const host = await createHost({
    privateKey: await loadOrCreateIdentity(keeper.dataDirectory),
    // Whoever runs the worker names the provider that is dialled.
    localNetwork: true,
  });
  context.onClose(() => host.stop());
  const worker = await WorkerKeeper.open({
    ...keeper,
    host,
    provider,
    executor: await partsEngineOf(options.engine),
    limits: limitsOf(options),
    leastPay: options.leastPay,
    mostUnpaid: options.mostUnpaid,
  });
  context.onClose(async () => worker.close());
  const telemetry = await serve(worker.healthChecks);
  const account = keeper.account.address;
  context.output.event(
    { event: "ready", role: "worker", account, ...(telemetry !== undefined && { telemetry }) },
    `${account} works for ${provider}`,
  );
  await worker.run(context.signal);
  context.output.event({ event: "stopped" }, "The worker has stopped.");
}
