import { pino } from "pino";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { bookSchema, WorkerBook } from "../../keepers/src/roles/worker/book.ts";
import { Worker } from "../../keepers/src/roles/worker/worker.ts";
import { openState } from "../../keepers/src/storage/state/state.ts";
import { createHost } from "../../keepers/src/storage/transport/host.ts";
import { nativeExecutor } from "../../keepers/src/training/executors/native.ts";

/** A worker process of `bench/workers.ts`: works for the address it is given until it is ended. */
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const host = await createHost({ localNetwork: true });
const worker = new Worker({
  host,
  provider: process.argv[2]!,
  account: privateKeyToAccount(generatePrivateKey()),
  executor: nativeExecutor,
  threads: 1,
  memoryBytes: 2 ** 30,
  book: new WorkerBook(openState({ path: ":memory:", schemas: [bookSchema] })),
  accept: async () => undefined,
  log: pino({ level: "silent" }),
});
await worker.run(stop.signal);
await host.stop();
