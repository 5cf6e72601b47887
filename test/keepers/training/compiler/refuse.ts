import assert from "node:assert/strict";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import { CompileError } from "../../../../keepers/src/training/compiler/errors.ts";
import type { CompileOptions } from "../../../../keepers/src/training/compiler/options.ts";
import type { GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import type { OnnxModel } from "../../../../keepers/src/training/onnx/types.ts";
import { batch, gemm, model } from "./models.ts";

export type Build = Parameters<typeof model>[1];
export type ErrorClass = new (...args: never[]) => CompileError;

export const values = { offset: 0, encoding: "u8", multiply: 1, add: 0, exponent: 0 } as const;
export const images: Omit<CompileOptions, "model"> = {
  bits: 16,
  microBatch: batch,
  input: { ...values, layout: "NCHW", shape: [2, 6, 6] },
  target: { offset: 72, encoding: "u8", classes: 3 },
  loss: "softmax-cross-entropy",
  optimizer: { momentum: 0 },
};
export const vectors: Omit<CompileOptions, "model"> = {
  ...images,
  input: { ...values, layout: "flat", shape: [5] },
};

/** A model that would compile. */
export const good = model([5], (graph, x, p) => [graph.op("Gemm", [x, p(3, 5), p(3)], gemm), [3]]);

/** The refusal names the node, what is wrong with it and a remedy. */
export function refuses(
  test: OnnxModel,
  options: Omit<CompileOptions, "model">,
  message: RegExp,
  next: RegExp,
  kind: ErrorClass = CompileError,
): void {
  assert.throws(
    () => compile({ ...options, model: test }),
    (error: unknown) => {
      assert.ok(error instanceof kind, `${error}`);
      assert.match(error.message, message);
      assert.match(error.next ?? "", next);
      return true;
    },
  );
}

export function refusesImage(
  build: Build,
  message: RegExp,
  next: RegExp,
  kind: ErrorClass = CompileError,
): void {
  refuses(model([2, 6, 6], build), images, message, next, kind);
}

export function refusesVector(
  build: Build,
  message: RegExp,
  next: RegExp,
  kind: ErrorClass = CompileError,
): void {
  refuses(model([5], build), vectors, message, next, kind);
}

/** Ends an image model in three logits. */
export function head(
  graph: GraphBuilder,
  x: string,
  parameter: (...shape: number[]) => string,
  features: number,
): [string, number[]] {
  return [graph.op("Gemm", [graph.op("Flatten", [x]), parameter(3, features)], gemm), [3]];
}
