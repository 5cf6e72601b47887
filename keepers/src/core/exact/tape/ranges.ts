import { type Dtype, flags, type TapeNode } from "./types.ts";

/** Least and greatest value of a mantissa, both included. */
export type MantissaRange = { readonly min: number; readonly max: number };

const symmetric = (max: number): MantissaRange => ({ min: -max, max });

const byDtype: Record<Dtype, MantissaRange> = {
  I8: symmetric(2 ** 7 - 1),
  I16: symmetric(2 ** 15 - 1),
  I32: symmetric(2 ** 31 - 1),
  I64: symmetric(2 ** 52 - 1),
  U8: { min: 0, max: 2 ** 8 - 1 },
  U32: { min: 0, max: 2 ** 32 - 1 },
};

/** Range of a type where the opcode does not say otherwise (`docs/exact-ops.md`, section 4). */
export function dtypeRange(dtype: Dtype): MantissaRange {
  return byDtype[dtype];
}

const encodings: readonly MantissaRange[] = [
  { min: 0, max: 255 },
  { min: -128, max: 127 },
  { min: -32768, max: 32767 },
  symmetric(2 ** 31 - 1),
];

/** Range of an INPUT's mantissas: what its encoding, factor and offset can give, or its classes. */
export function inputRange(attributes: TapeNode<"INPUT">["attributes"]): MantissaRange {
  const { encoding, multiply, add, classes } = attributes;
  if (classes > 0) return { min: 0, max: classes - 1 };
  const raw = encodings[encoding];
  if (raw === undefined) throw new RangeError(`there is no encoding ${encoding}`);
  const ends = [raw.min * multiply + add, raw.max * multiply + add];
  return { min: Math.min(...ends), max: Math.max(...ends) };
}

/**
 * Range of the mantissas of node `index` of a tape: what makes a posted leaf canonical. A copy (RELAYOUT) has the range
 * of what it copies.
 */
export function mantissaRange(tape: readonly TapeNode[], index: number): MantissaRange {
  let node = tape[index]!;
  while (node.opcode === "RELAYOUT") node = tape[node.inputs[0]!]!;
  switch (node.opcode) {
    case "INPUT":
      return inputRange(node.attributes);
    case "SOFTMAX_GRAD": {
      const quantized = (node.attributes.flags & flags.quantize) !== 0;
      return quantized ? dtypeRange(node.output.dtype) : { min: -(2 ** 15), max: 2 ** 15 - 1 };
    }
    default:
      return dtypeRange(node.output.dtype);
  }
}
