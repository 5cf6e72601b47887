import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { SliceCommitment } from "../core/merkle/slice.ts";
import { type CommitThread, SlicePool, type ThreadEvents } from "./slice-pool.ts";

export type CommitPoolOptions = {
  /** Threads; one per core by default. */
  workers?: number;
  /** Entry point of a thread, for those who bundle the code. */
  entry?: URL;
};

/** Commits to bundles on all cores, on threads of this process. */
export class CommitPool extends SlicePool {
  constructor({ workers = availableParallelism(), entry }: CommitPoolOptions = {}) {
    const file = entry ?? new URL("./commit-worker.ts", import.meta.url);
    super(workers, (events) => startThread(file, events));
  }
}

function startThread(entry: URL, { answered, ended }: ThreadEvents): CommitThread {
  const worker = new Worker(entry);
  let cause: unknown;
  worker.on("message", (commitment: SliceCommitment) => answered(commitment));
  worker.on("error", (error) => {
    cause = error;
  });
  worker.on("exit", (code) => ended(cause ?? new Error(`exit code ${code}`)));
  return {
    ask: (request) => worker.postMessage(request, [request.bytes.buffer]),
    hold: (isBusy) => (isBusy ? worker.ref() : worker.unref()),
    stop: async () => {
      await worker.terminate();
    },
  };
}
