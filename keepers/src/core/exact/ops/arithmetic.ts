import { flags } from "../tape/types.ts";
import { type Finish, requantized, type TensorReader } from "./types.ts";

/** Terms below 2^32 of which a float64 holds every sum. */
const exactRun = 2 ** 20;

/** Σ term(k) over [from, to), exact: every |term| must be an integer of at most 2^32. */
export function sumTerms(from: number, to: number, term: (k: number) => number): bigint {
  let total = 0n;
  for (let start = from; start < to; start += exactRun) {
    const end = Math.min(start + exactRun, to);
    let run = 0;
    for (let k = start; k < end; k++) run += term(k);
    total += BigInt(run);
  }
  return total;
}

export function maximum(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Finish of an opcode with the flag `fixed`: F to the attribute's exponent, or what it has without the flag. */
export function finishOf(
  attributes: { readonly flags: number; readonly exponent: number },
  otherwise: Finish = requantized,
): Finish {
  return attributes.flags & flags.fixed ? { kind: "fixed", exponent: attributes.exponent } : otherwise;
}

/** Inputs that stand only where their flag is set, in the order bias, gate, after `required` others. */
export function optionalInputs<T>(
  flagBits: number,
  inputs: readonly T[],
  required: number,
): { bias: T | undefined; gate: T | undefined } {
  const hasBias = (flagBits & flags.bias) !== 0;
  return {
    bias: hasBias ? inputs[required] : undefined,
    gate: flagBits & flags.gate ? inputs[required + (hasBias ? 1 : 0)] : undefined,
  };
}

/** Gate and relu of one accumulator. */
export function gated(
  value: bigint,
  flagBits: number,
  gate: TensorReader | undefined,
  index: number,
): bigint {
  if (gate !== undefined && gate.at(index) <= 0) return 0n;
  return flagBits & flags.relu && value < 0n ? 0n : value;
}
