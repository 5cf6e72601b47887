import type { Engine } from "./ort.ts";
import { ortExecutor } from "./ort-executor.ts";
import type { PartsExecutor } from "./parts.ts";
import type { Executor } from "./types.ts";

/**
 * ONNX Runtime compiled to WASM; runs in Node and in a browser. The package finds its own `.wasm` file beside itself.
 * The number of threads is that of the process: the first session decides it.
 */
export const wasmEngine: Engine = {
  name: "wasm",
  provider: "wasm",
  async load(threads) {
    const runtime = await import("onnxruntime-web");
    runtime.env.wasm.numThreads ??= threads;
    return runtime;
  },
};

export const wasmExecutor: Executor & PartsExecutor = ortExecutor(wasmEngine);
