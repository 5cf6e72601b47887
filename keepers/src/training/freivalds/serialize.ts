import { BadInputError } from "../../core/errors.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { elementCount } from "../onnx/types.ts";
import { type HandedSums, handedSums } from "./contractions.ts";
import type { Accumulators, SumArray } from "./types.ts";

/**
 * Accumulators as bytes: the arrays one after another, little-endian two's complement, of 4 bytes where the node's bound
 * is below 2^31 and of 8 otherwise. Shapes follow from the program, so nothing else is written.
 */

const narrowLimit = 2 ** 31;
const word = 2 ** 32;
/** Magnitude that no sum reaches. */
const sumLimit = 2 ** 52;

/** Whether sums fit int32. */
export function isNarrow({ bound }: HandedSums): boolean {
  return bound < narrowLimit;
}

/** Bytes that one micro-batch hands over. */
export function accumulatorBytes(program: Program): number {
  return handedSums(program).reduce((total, sums) => total + bytesOf(sums), 0);
}

export function encodeAccumulators(program: Program, accumulators: Accumulators): Uint8Array {
  const all = handedSums(program);
  const bytes = new Uint8Array(accumulators.length * accumulatorBytes(program));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const arrays of accumulators) {
    for (const [i, sums] of all.entries()) {
      const values = arrays[i];
      if (values?.length !== elementCount(sums.shape)) {
        throw new BadInputError(`the sums of node ${sums.index} do not have its shape [${sums.shape}]`);
      }
      if (isNarrow(sums)) {
        for (let j = 0; j < values.length; j++, at += 4) view.setInt32(at, values[j]!, true);
      } else {
        for (let j = 0; j < values.length; j++, at += 8) {
          view.setUint32(at, values[j]! % word, true);
          view.setInt32(at + 4, Math.floor(values[j]! / word), true);
        }
      }
    }
  }
  return bytes;
}

/**
 * The way back. Whether the sums lie in their nodes' bounds is the verifier's to check.
 * @throws BadInputError when the length is not that of `microBatches`, or a number is none that float64 holds.
 */
export function decodeAccumulators(
  program: Program,
  microBatches: number,
  bytes: Uint8Array,
): readonly SumArray[][] {
  const all = handedSums(program);
  const expected = microBatches * accumulatorBytes(program);
  if (bytes.length !== expected) {
    throw new BadInputError(
      `the sums of ${microBatches} micro-batches have ${expected} bytes, not ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return Array.from({ length: microBatches }, () =>
    all.map((sums) => {
      const count = elementCount(sums.shape);
      const values = isNarrow(sums) ? new Int32Array(count) : new Float64Array(count);
      if (isNarrow(sums)) {
        for (let j = 0; j < count; j++, at += 4) values[j] = view.getInt32(at, true);
      } else {
        for (let j = 0; j < count; j++, at += 8) {
          const value = view.getInt32(at + 4, true) * word + view.getUint32(at, true);
          if (Math.abs(value) >= sumLimit) {
            throw new BadInputError(`a sum of node ${sums.index} is ${value}, outside ±2^52`);
          }
          values[j] = value;
        }
      }
      return values;
    }),
  );
}

function bytesOf(sums: HandedSums): number {
  return elementCount(sums.shape) * (isNarrow(sums) ? 4 : 8);
}
