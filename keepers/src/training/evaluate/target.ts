import { BadInputError } from "../../core/errors.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { labelAt } from "../data/labels.ts";
import type { LabelField } from "../data/types.ts";

/** Bytes of an encoding of opcode INPUT, by its code. */
const encodingBytes = [1, 1, 2, 4] as const;

/** Where the program reads the label of an object; undefined when it learns values, not classes. */
export function labelField(program: Program): LabelField | undefined {
  const { offset, encoding, classes } = targetAttributes(program);
  return classes === 0 ? undefined : { offset, bytes: encodingBytes[encoding]!, classes };
}

/** The class of the object that begins at `start`. */
export function classAt(field: LabelField, objects: Uint8Array, start: number): number {
  return labelAt(objects, start, field);
}

/** Target values of the object that begins at `start`, as real numbers. */
export function valuesAt(program: Program, count: number, objects: Uint8Array, start: number): Float64Array {
  const { offset, encoding, multiply, add, exponent } = targetAttributes(program);
  const view = new DataView(objects.buffer, objects.byteOffset, objects.length);
  const width = encodingBytes[encoding]!;
  return Float64Array.from({ length: count }, (_, i) => {
    const at = start + offset + i * width;
    return (readRaw(view, at, encoding) * multiply + add) * 2 ** exponent;
  });
}

/** A raw number of an object: u8, i8, i16 or i32, little-endian. */
export function readRaw(view: DataView, at: number, encoding: number): number {
  if (encoding === 0) return view.getUint8(at);
  if (encoding === 1) return view.getInt8(at);
  return encoding === 2 ? view.getInt16(at, true) : view.getInt32(at, true);
}

function targetAttributes(program: Program) {
  const node = program.tapes[0][program.target];
  if (node?.opcode !== "INPUT") throw new BadInputError("The program's target is no INPUT node.");
  return node.attributes;
}
