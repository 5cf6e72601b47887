import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import type { Engine } from "../../../keepers/src/training/executors/ort.ts";
import { ortExecutor } from "../../../keepers/src/training/executors/ort-executor.ts";

/**
 * ONNX Runtime in WebAssembly, from the page's own origin, loaded when something is first computed. One thread: several
 * need headers that a page pinned to IPFS does not have.
 */
const engine: Engine = {
  name: "wasm",
  provider: "wasm",
  async load() {
    const runtime = await import("onnxruntime-web/wasm");
    runtime.env.wasm.numThreads = 1;
    runtime.env.wasm.wasmPaths = { wasm };
    return runtime;
  },
};

/** Computes in exact integers, bit for bit as every other executor. */
export const executor = ortExecutor(engine);

/** Bytes that a computation may take in a page: WebAssembly addresses 4 GiB. */
export const memoryLimit = 2 ** 31;
