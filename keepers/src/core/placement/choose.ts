import { keccak_256 } from "@noble/hashes/sha3.js";
import { BadInputError } from "../errors.ts";

/** An operator that could hold a bundle. */
export type Candidate = {
  operator: `0x${string}`;
  /** Unlocked stake in token units: its weight in the draw. */
  stake: bigint;
};

/**
 * Draws operators without replacement, each with probability proportional to its stake among those left.
 *
 * All arithmetic is exact, so that everybody who knows the seed and the candidates draws the same list. The order of
 * `candidates` does not matter: they are sorted by address first. Draw t takes
 * `keccak256(seed ‖ uint32 t) mod (stake left)`; the bias of the reduction is below 2^-128 for stakes below 2^128.
 *
 * @param seed 32 bytes from the beacon, known only after the stakes were fixed
 * @param count how many to draw; fewer come back when there are not enough candidates with stake
 */
export function chooseOperators(
  candidates: readonly Candidate[],
  seed: Uint8Array,
  count: number,
): Candidate[] {
  if (seed.length !== 32) throw new BadInputError(`a placement seed has 32 bytes, this one ${seed.length}`);
  const left = candidates
    .filter(({ stake }) => stake > 0n)
    .sort((a, b) => compare(a.operator.toLowerCase(), b.operator.toLowerCase()));
  for (let i = 1; i < left.length; i++) {
    if (left[i]!.operator.toLowerCase() === left[i - 1]!.operator.toLowerCase()) {
      throw new BadInputError(`operator ${left[i]!.operator} is listed twice`);
    }
  }
  let total = left.reduce((sum, { stake }) => sum + stake, 0n);
  const chosen: Candidate[] = [];
  while (chosen.length < count && left.length > 0) {
    let point = draw(seed, chosen.length) % total;
    let index = 0;
    while (point >= left[index]!.stake) {
      point -= left[index]!.stake;
      index++;
    }
    const [picked] = left.splice(index, 1);
    chosen.push(picked!);
    total -= picked!.stake;
  }
  return chosen;
}

function draw(seed: Uint8Array, index: number): bigint {
  const input = new Uint8Array(36);
  input.set(seed);
  new DataView(input.buffer).setUint32(32, index);
  let value = 0n;
  for (const byte of keccak_256(input)) value = (value << 8n) | BigInt(byte);
  return value;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
