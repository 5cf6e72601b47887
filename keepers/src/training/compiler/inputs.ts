import type { Dtype } from "../../core/exact/tape/types.ts";
import { CompileError } from "./errors.ts";
import type { Four, Shape } from "./graph.ts";
import { dataLayout, mantissaDtype } from "./layouts.ts";
import { type Encoding, encodings, type InputSpec, type LabelSpec, type ValueSpec } from "./options.ts";
import type { TapeBuilder } from "./tape-builder.ts";

const rawRanges: Readonly<Record<Encoding, readonly [number, number]>> = {
  u8: [0, 255],
  i8: [-128, 127],
  i16: [-32768, 32767],
  i32: [-(2 ** 31 - 1), 2 ** 31 - 1],
};
const largest: Partial<Record<Dtype, number>> = { I8: 127, I16: 32767, I32: 2 ** 31 - 1 };

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
  const bounds = rawRanges[encoding].map((raw) => Math.abs(raw * multiply + add));
  const reach = Math.max(...bounds);
  const candidates: Dtype[] = [mantissaDtype(tape.bits), "I16", "I32"];
  const dtype = candidates.find((candidate) => reach <= largest[candidate]!);
  if (dtype === undefined)
    throw new CompileError(`the ${what} reach ${reach}, more than 32 bits`, {
      next: "Use smaller integers for multiply and add, and a larger exponent.",
    });
  return tape.add({
    opcode: "INPUT",
    inputs: [],
    output: dataLayout(dtype, shape),
    attributes: { offset, encoding: encodings[encoding], multiply, add, exponent, classes: 0 },
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
