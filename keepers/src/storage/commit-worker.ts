import { parentPort } from "node:worker_threads";
import { buffersOf, commitSlice } from "../core/merkle/slice.ts";
import type { CommitRequest } from "./slice-pool.ts";

// An exception ends the thread; the pool reports it with its cause and starts another.
parentPort?.on("message", ({ bytes, only }: CommitRequest) => {
  const commitment = commitSlice(bytes, only);
  const buffers = buffersOf(commitment);
  parentPort?.postMessage(commitment, buffers);
});
