import { dtypeRange, inputRange } from "../../core/exact/tape/ranges.ts";
import type { Dtype } from "../../core/exact/tape/types.ts";
import { CompileError } from "./errors.ts";
import type { Four, Shape } from "./graph.ts";
import { dataLayout, mantissaDtype } from "./layouts.ts";
import { encodings, type InputSpec, type LabelSpec, type ValueSpec } from "./options.ts";
import type { TapeBuilder } from "./tape-builder.ts";

/** The samples as the model's input [N, H, W, C] or [N, features]. */
export function emitSamples(tape: TapeBuilder, spec: InputSpec, shape: Shape): number {
  const planes = spec.layout === "NCHW" && shape.length === 4;
  const [batch, height, width, channels] = shape as Four;
  if (!planes || channels === 1 || height * width === 1) return emitValues(tape, spec, shape, "samples");
  const stored = emitValues(tape, spec, [batch, channels, height, width], "samples");
  return tape.relayout(stored, [batch, channels, height, width], [0, 2, 3, 1], shape);
}

/** Numbers of the objects in the narrowest type that the products take as they are. */
export function emitValues(tape: TapeBuilder, spec: ValueSpec, shape: Shape, what: string): number {
  const { offset, encoding, multiply, add, exponent } = spec;
  for (const [name, value] of Object.entries({ offset, multiply, add, exponent }))
    if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31 || (name === "offset" && value < 0))
      throw new CompileError(`the ${name} of the ${what} is ${value}`, {
        next: "Give an integer of 32 bits.",
      });
  if (encoding === "i32" && (multiply !== 1 || add !== 0))
    throw new CompileError(`the ${what} are i32 with a factor of ${multiply} and ${add} added`, {
      next: "Numbers of 32 bits are taken as they are: multiply 1, add 0.",
    });
  const attributes = { offset, encoding: encodings[encoding], multiply, add, exponent, classes: 0 };
  const { min, max } = inputRange(attributes);
  const candidates: Dtype[] = [mantissaDtype(tape.bits), "I16", "I32"];
  const dtype = candidates.find((candidate) => {
    const range = dtypeRange(candidate);
    return range.min <= min && max <= range.max;
  });
  if (dtype === undefined)
    throw new CompileError(`the ${what} reach from ${min} to ${max}, more than 32 bits`, {
      next: "Use smaller integers for multiply and add, and a larger exponent.",
    });
  return tape.add({
    opcode: "INPUT",
    inputs: [],
    output: dataLayout(dtype, shape),
    attributes,
  });
}

/** The labels [N]. */
export function emitLabels(tape: TapeBuilder, spec: LabelSpec, microBatch: number): number {
  const { offset, encoding, classes } = spec;
  const fits = encoding === "i16" || encoding === "i32" || classes <= 256;
  if (!Number.isInteger(offset) || offset < 0 || !fits)
    throw new CompileError(`labels at byte ${offset} as ${encoding} cannot name ${classes} classes`, {
      next: "Store labels of more than 256 classes as i16 or i32, at an offset inside the object.",
    });
  return tape.add({
    opcode: "INPUT",
    inputs: [],
    output: dataLayout(encoding === "u8" || encoding === "i8" ? "U8" : "U32", [microBatch]),
    attributes: { offset, encoding: encodings[encoding], multiply: 1, add: 0, exponent: 0, classes },
  });
}
