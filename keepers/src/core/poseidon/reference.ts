import { fieldOrder } from "./field.ts";
import { type PoseidonParameters, poseidonParameters } from "./parameters.ts";

const known = new Map<number, PoseidonParameters>();

const fifthPower = (x: bigint): bigint => {
  const square = (x * x) % fieldOrder;
  return (((square * square) % fieldOrder) * x) % fieldOrder;
};

/**
 * Poseidon of 1 … 16 field elements as the paper defines it, round by round; equals circomlib's `Poseidon(nInputs)`.
 * Milliseconds per hash: the kernel is tested against it, and single hashes outside bulk work may use it.
 */
export function poseidon(inputs: readonly bigint[]): bigint {
  const t = inputs.length + 1;
  let parameters = known.get(t);
  if (parameters === undefined) {
    parameters = poseidonParameters(t);
    known.set(t, parameters);
  }
  const { fullRounds, partialRounds, roundConstants, mds } = parameters;
  for (const input of inputs) {
    if (input < 0n || input >= fieldOrder) throw new RangeError("an input is not a field element");
  }
  let state = [0n, ...inputs];
  for (let round = 0; round < fullRounds + partialRounds; round++) {
    const full = round < fullRounds / 2 || round >= fullRounds / 2 + partialRounds;
    const mixed = state.map((element, j) => {
      const sum = element + roundConstants[round * t + j]!;
      return full || j === 0 ? fifthPower(sum) : sum;
    });
    state = mds.map((row) => row.reduce((sum, factor, j) => sum + factor * mixed[j]!, 0n) % fieldOrder);
  }
  return state[0]!;
}
