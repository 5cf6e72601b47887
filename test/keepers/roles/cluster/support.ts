import { pino } from "pino";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import {
  type OfferedJob,
  WorkerDesk,
  type WorkerDeskOptions,
} from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { bookSchema, WorkerBook } from "../../../../keepers/src/roles/worker/book.ts";
import { Worker, type WorkerOptions } from "../../../../keepers/src/roles/worker/worker.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";

export const log = pino({ level: "silent" });

/** A provider's desk on this machine. */
export async function startDesk(job: OfferedJob | undefined, changes: Partial<WorkerDeskOptions> = {}) {
  const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
  const desk = await WorkerDesk.open({ host, log, ...changes });
  if (job !== undefined) desk.offer(job);
  return {
    desk,
    host,
    address: host.getMultiaddrs()[0]!.toString(),
    async close() {
      await desk.close();
      await host.stop();
    },
  };
}

/** A worker on a node of its own. */
export async function startWorker(provider: string, changes: Partial<WorkerOptions> = {}) {
  const host = await createHost({ localNetwork: true });
  const state = openState({ path: ":memory:", schemas: [bookSchema] });
  const stop = new AbortController();
  const book = new WorkerBook(state);
  const account = privateKeyToAccount(generatePrivateKey());
  const worker = new Worker({
    host,
    provider,
    account,
    executor: nativeExecutor,
    threads: 1,
    memoryBytes: 2 ** 30,
    book,
    accept: async () => undefined,
    log,
    backOff: 20,
    ...changes,
  });
  const done = worker.run(stop.signal).then(
    () => undefined,
    (error: Error) => error,
  );
  return {
    worker,
    book,
    host,
    account: changes.account ?? account,
    /** What ended it; undefined when it was stopped. */
    done,
    async close() {
      stop.abort();
      await done;
      await stopped(host);
      state.close();
    },
  };
}

async function stopped(host: Host): Promise<void> {
  await host.stop();
}
