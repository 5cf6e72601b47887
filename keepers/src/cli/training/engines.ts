import type { Engine } from "../../training/executors/ort.ts";
import type { PartsExecutor } from "../../training/executors/parts.ts";
import type { Executor } from "../../training/executors/types.ts";

/** Engines by the names that users give them. */
export type EngineName = "native" | "wasm" | "reference";

/** Loads an engine when it is needed: each brings a runtime of its own. */
export async function engineOf(name: EngineName): Promise<Executor> {
  if (name === "native") return (await import("../../training/executors/native.ts")).nativeExecutor;
  if (name === "wasm") return (await import("../../training/executors/wasm.ts")).wasmExecutor;
  return (await import("../../training/executors/reference.ts")).referenceExecutor;
}

/** Loads an engine that can compute parts of a step. */
export async function partsEngineOf(name: Exclude<EngineName, "reference">): Promise<PartsExecutor> {
  if (name === "native") return (await import("../../training/executors/native.ts")).nativeExecutor;
  return (await import("../../training/executors/wasm.ts")).wasmExecutor;
}

/** The runtime of an engine; undefined for the reference, which has none. */
export async function runtimeOf(name: EngineName): Promise<Engine | undefined> {
  if (name === "native") return (await import("../../training/executors/native.ts")).nativeEngine;
  if (name === "wasm") return (await import("../../training/executors/wasm.ts")).wasmEngine;
  return undefined;
}
