import { readFileSync } from "node:fs";
import type { Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { EvaluatedCase } from "./cases.ts";

/** A tensor in JSON: the layout's fields beside exponent and mantissas (all of them safe integers). */
type TensorJson = {
  dtype: Tensor["layout"]["dtype"];
  shape: readonly number[];
  rowAxes: number;
  exponent: number;
  mantissas: number[];
};

function tensorToJson({ layout, exponent, mantissas }: Tensor): TensorJson {
  return { ...layout, exponent, mantissas: Array.from(mantissas) };
}

function tensorFromJson({ dtype, shape, rowAxes, exponent, mantissas }: TensorJson): Tensor {
  const array = {
    I8: Int8Array,
    I16: Int16Array,
    I32: Int32Array,
    I64: Float64Array,
    U8: Uint8Array,
    U32: Uint32Array,
  }[dtype];
  return { layout: { dtype, shape, rowAxes }, exponent, mantissas: array.from(mantissas) };
}

type CaseJson = Omit<EvaluatedCase, "inputs" | "objects" | "slot" | "gradients" | "expected"> & {
  inputs: TensorJson[];
  /** Hexadecimal digits, no prefix. */
  objects?: string[];
  slot?: TensorJson;
  gradients?: TensorJson[];
  expected: TensorJson;
};

/** One line: `node` as in a program (attributes by name), absent parts left out. */
export function caseToJson(operationCase: EvaluatedCase): string {
  const { inputs, objects, slot, gradients, expected, ...rest } = operationCase;
  const json: CaseJson = {
    ...rest,
    inputs: inputs.map(tensorToJson),
    objects: objects?.map((object) => Buffer.from(object).toString("hex")),
    slot: slot && tensorToJson(slot),
    gradients: gradients?.map(tensorToJson),
    expected: tensorToJson(expected),
  };
  return JSON.stringify(json);
}

export function caseFromJson(line: string): EvaluatedCase {
  const { inputs, objects, slot, gradients, expected, ...rest } = JSON.parse(line) as CaseJson;
  return {
    ...rest,
    inputs: inputs.map(tensorFromJson),
    objects: objects?.map((object) => Uint8Array.from(Buffer.from(object, "hex"))),
    slot: slot && tensorFromJson(slot),
    gradients: gradients?.map(tensorFromJson),
    expected: tensorFromJson(expected),
  };
}

/** The committed cases, a dozen of each opcode; `write-cases.ts` made them. */
export function committedCases(): EvaluatedCase[] {
  const file = new URL("../../../fixtures/exact/cases.jsonl", import.meta.url);
  return readFileSync(file, "utf8").trim().split("\n").map(caseFromJson);
}
