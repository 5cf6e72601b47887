import { parentPort } from "node:worker_threads";
import { commitSlice } from "../core/merkle/slice.ts";

/** What a hashing thread is asked: one slice of a bundle, whose buffer it takes over. It answers with a SliceCommitment. */
export type CommitRequest = { bytes: Uint8Array<ArrayBuffer>; only: boolean };

// An exception ends the thread; the pool reports it with its cause and starts another.
parentPort?.on("message", ({ bytes, only }: CommitRequest) => {
  const commitment = commitSlice(bytes, only);
  const buffers = Object.values(commitment).map((part) => part.buffer as ArrayBuffer);
  parentPort?.postMessage(commitment, buffers);
});
