import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { wasmExecutor } from "../../../../keepers/src/training/executors/wasm.ts";
import { fixture, hash } from "./support.ts";

// WASM's number of threads is that of the process, so this test has a file of its own.
test("LeNet-5 on WASM with 2 threads puts out the tensors of the native engine", async () => {
  const { program, objectBytes, state, steps } = fixture("lenet5", 16, 8);
  const { objects } = steps(1, 1)[0]!;
  const hashes: string[] = [];
  for (const executor of [nativeExecutor, wasmExecutor]) {
    const threads = executor === wasmExecutor ? 2 : 1;
    const session = await executor.openTrace(program, { objectBytes, microBatches: 1, threads });
    const tensors = await session.trace(state, objects);
    hashes.push(hash(tensors.map(({ mantissas }) => mantissas)));
    await session.close();
  }
  const { env } = await import("onnxruntime-web");
  assert.equal(env.wasm.numThreads, 2);
  assert.equal(hashes[0], hashes[1]);
});
