import { BadInputError } from "../../errors.ts";
import { fixedExponents, log2Exact, rnd, sat } from "../format.ts";
import { sumTerms } from "./arithmetic.ts";
import { exact, type Operation, type OperationContext, type TensorReader } from "./types.ts";

function gradientsOf(context: OperationContext, slot: number): readonly TensorReader[] {
  const gradients = context.gradients?.(slot);
  if (gradients === undefined) {
    throw new BadInputError(`the gradients of slot ${slot} in the micro-batches are missing`);
  }
  return gradients;
}

/** Mean of a gradient over the M micro-batches of the step. */
export const accumulate: Operation<"ACCUMULATE"> = {
  sums: {
    terms: (context, node) => gradientsOf(context, node.attributes.slot).length,
    partial(context, node, _inputs, index, _candidate, from, to) {
      const gradients = gradientsOf(context, node.attributes.slot);
      return sumTerms(from, to, (j) => gradients[j]!.at(index));
    },
  },
  element(context, node, inputs, index) {
    const count = gradientsOf(context, node.attributes.slot).length;
    const shift = count < 1 ? undefined : log2Exact(count);
    if (shift === undefined) {
      throw new BadInputError(`${count} micro-batches: their number must be a power of two`);
    }
    const sum = this.sums!.partial(context, node, inputs, index, 0, 0, count);
    return { accumulator: rnd(sum, shift), exponent: fixedExponents.gradient };
  },
  finish: () => exact,
};

/** v' = sat(g + rnd(v·MU, rM) + rnd(w·WD, rW + 2)); w is two bits finer than v, hence the 2. */
export const sgdMomentum: Operation<"SGD_MOMENTUM"> = {
  element(_context, node, inputs, index) {
    const [g, v, w] = inputs.map((x) => BigInt(x.at(index))) as [bigint, bigint, bigint];
    const { momentum, momentumShift, weightDecay, weightDecayShift } = node.attributes;
    const kept = rnd(v * BigInt(momentum), momentumShift);
    const decay = rnd(w * BigInt(weightDecay), weightDecayShift + 2);
    return { accumulator: sat(g + kept + decay), exponent: fixedExponents.gradient };
  },
  finish: () => exact,
};

/** w' = sat(w − rnd(4·v'·LR, rL)). */
export const sgdWeight: Operation<"SGD_WEIGHT"> = {
  element(context, node, inputs, index) {
    if (context.learningRate === undefined) throw new BadInputError("the step has no learning rate");
    const [w, v] = inputs.map((x) => BigInt(x.at(index))) as [bigint, bigint];
    const step = rnd(4n * v * BigInt(context.learningRate), node.attributes.learningRateShift);
    return { accumulator: sat(w - step), exponent: fixedExponents.weight };
  },
  finish: () => exact,
};
