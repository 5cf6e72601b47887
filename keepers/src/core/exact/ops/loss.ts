import { align, alignedExponent, divide, dividedExponent, floorDivide, log2Exact } from "../format.ts";
import { T1, T2 } from "../tables.ts";
import { flags } from "../tape/types.ts";
import { exact, type Operation, requantized } from "./types.ts";

/** Differences of logits are cut here, at 16 fraction bits: e^−20 is the least that EXP distinguishes. */
const largestDifference = 20 * 2 ** 16;
/** log2 e at 16 fraction bits. */
const log2E = 94_548;
const expExponent = -30;

/** e^−x at 30 fraction bits, for x = difference / 2^16 ≥ 0: `docs/exact-ops.md`, section 5. */
export function exponential(difference: number): bigint {
  const power = Math.floor((Math.min(difference, largestDifference) * log2E) / 2 ** 16);
  const fraction = power % 2 ** 16;
  const product = BigInt(T1[fraction >> 8]!) * BigInt(T2[fraction & 255]!);
  return product >> BigInt(Math.floor(power / 2 ** 16) + 22);
}

/** e^(z − max of the row). */
export const exp: Operation<"EXP"> = {
  element(_context, node, inputs, index) {
    const [z, max] = [inputs[0]!, inputs[1]!];
    const row = Math.floor(index / node.output.shape[1]!);
    return { accumulator: exponential(max.at(row) - z.at(index)), exponent: expExponent };
  },
  finish: () => exact,
};

/** Gradient of the mean softmax cross-entropy in the logits: probability minus one-hot label, over N. */
export const softmaxGrad: Operation<"SOFTMAX_GRAD"> = {
  element(context, node, inputs, index) {
    const [e, sum, label] = [inputs[0]!, inputs[1]!, inputs[2]!];
    const { probabilityBits } = node.attributes;
    const columns = node.output.shape[1]!;
    const row = Math.floor(index / columns);
    const one = 1n << BigInt(probabilityBits);
    const probability = floorDivide(BigInt(e.at(index)) * one, BigInt(sum.at(row)));
    return {
      accumulator: probability - (index % columns === label.at(row) ? one : 0n),
      exponent: -probabilityBits - log2Exact(context.microBatch)!,
    };
  },
  finish: (node) => (node.attributes.flags & flags.quantize ? requantized : exact),
};

/** Gradient of the mean squared error in the prediction: 2·(z − y)/(N·D). */
export const mseGrad: Operation<"MSE_GRAD"> = {
  element(context, node, inputs, index) {
    const [z, y] = [inputs[0]!, inputs[1]!];
    const aligned = alignedExponent([z.exponent, y.exponent]);
    const difference =
      align(BigInt(z.at(index)), z.exponent, aligned) - align(BigInt(y.at(index)), y.exponent, aligned);
    const values = node.output.shape[1]!;
    return {
      accumulator: divide(difference, values),
      exponent: dividedExponent(aligned + 1 - log2Exact(context.microBatch)!, values),
    };
  },
  finish: () => requantized,
};
