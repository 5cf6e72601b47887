import { buffersOf, commitSlice } from "../../../keepers/src/core/merkle/slice.ts";
import type { CommitRequest } from "../../../keepers/src/storage/slice-pool.ts";

type Scope = {
  addEventListener(type: "message", listener: (event: MessageEvent<CommitRequest>) => void): void;
  postMessage(message: unknown, transfer: Transferable[]): void;
};

const scope = globalThis as unknown as Scope;

// An exception ends the request with the worker's error event; the pool reports it and starts another thread.
scope.addEventListener("message", ({ data: { bytes, only } }) => {
  const commitment = commitSlice(bytes, only);
  scope.postMessage(commitment, buffersOf(commitment));
});
