import type { Engine } from "./ort.ts";
import { ortExecutor } from "./ort-executor.ts";
import type { PartsExecutor } from "./parts.ts";
import type { Executor } from "./types.ts";

/** ONNX Runtime as a native library, on the CPU. */
export const nativeEngine: Engine = {
  name: "native",
  provider: "cpu",
  load: () => import("onnxruntime-node"),
};

/** The default engine. */
export const nativeExecutor: Executor & PartsExecutor = ortExecutor(nativeEngine);
