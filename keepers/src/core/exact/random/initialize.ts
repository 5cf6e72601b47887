import { BadInputError } from "../../errors.ts";
import { integerSqrt } from "../format.ts";
import type { Program, Slot } from "../tape/types.ts";
import { multiplyHigh, philoxInto, randomDomains, randomKey, type Seed } from "./philox.ts";

/** ⌊√(2^56 / fanIn)⌋: ±1/√fanIn at the exponent of weights. `fanIn` is a positive integer. */
export function uniformBound(fanIn: number): number {
  // The root of the floored quotient is the floored root.
  return Number(integerSqrt(2n ** 56n / BigInt(fanIn)));
}

/**
 * First mantissas of slot `index` of a program's state, in row-major order (`docs/exact-ops.md`, section 3).
 * @throws BadInputError when given mantissas are not one for each element, or the fan-in is no positive integer.
 */
export function initializeSlot(slot: Slot, index: number, seed: Seed): Int32Array {
  const { initializer, layout } = slot;
  const elements = layout.shape.reduce((product, dimension) => product * dimension, 1);
  switch (initializer.kind) {
    case "zero":
      return new Int32Array(elements);
    case "given":
      if (initializer.mantissas.length !== elements) {
        throw new BadInputError(
          `Slot "${slot.name}" has ${elements} elements, not ${initializer.mantissas.length}.`,
        );
      }
      return initializer.mantissas.slice();
    case "uniform": {
      if (!Number.isSafeInteger(initializer.fanIn) || initializer.fanIn < 1) {
        throw new BadInputError(`Slot "${slot.name}" has the fan-in ${initializer.fanIn}.`);
      }
      return uniform(elements, uniformBound(initializer.fanIn), index, seed);
    }
  }
}

/** All slots in order. */
export function initialState(program: Program, seed: Seed): Int32Array[] {
  return program.state.map((slot, index) => initializeSlot(slot, index, seed));
}

function uniform(elements: number, bound: number, index: number, seed: Seed): Int32Array {
  const [key0, key1] = randomKey(seed, randomDomains.initialize);
  const range = 2 * bound + 1;
  const block = new Uint32Array(4);
  const mantissas = new Int32Array(elements);
  for (let i = 0; i < elements; i++) {
    philoxInto(block, key0, key1, i >>> 0, Math.floor(i / 2 ** 32), index, 0);
    // ⌊u·range / 2^64⌋ = ⌊(r0·range + ⌊r1·range / 2^32⌋) / 2^32⌋: the high word, and the carry of the low ones.
    const low = (Math.imul(block[0]!, range) >>> 0) + multiplyHigh(block[1]!, range);
    mantissas[i] = multiplyHigh(block[0]!, range) + (low >= 2 ** 32 ? 1 : 0) - bound;
  }
  return mantissas;
}
