import { keccak_256 } from "@noble/hashes/sha3.js";
import { type Candidate, chooseOperators } from "../../core/placement/choose.ts";

/**
 * In which order operators are asked to hold the bundles of a segment: the first n get one bundle each, in order of the
 * bundles, the others stand in for those that refuse. Each segment is a draw of its own from
 * `keccak256(seed ‖ datasetId ‖ uint32 segment)`, so that everybody who knows the seed can repeat it, and owners cannot
 * steer which operators they meet without choosing another manifest before the seed is known.
 */
export function operatorOrder(
  candidates: readonly Candidate[],
  seed: Uint8Array,
  datasetId: Uint8Array,
  segment: number,
): `0x${string}`[] {
  const input = new Uint8Array(68);
  input.set(seed);
  input.set(datasetId, 32);
  new DataView(input.buffer).setUint32(64, segment);
  return chooseOperators(candidates, keccak_256(input), candidates.length).map(({ operator }) => operator);
}

/** Which operators may still be asked for bundles, and what stake they have left for them. */
export class CandidatePool {
  readonly #orders: readonly `0x${string}`[][];
  readonly #places: Map<string, number>;
  /** Operators that failed: not asked again in this run. */
  readonly #excluded = new Set<string>();
  readonly #taken: Set<string>[];

  /**
   * @param orders operators in the order of the draw, for each segment
   * @param places how many more bundles each operator's unlocked stake can back
   */
  constructor(orders: readonly `0x${string}`[][], places: ReadonlyMap<`0x${string}`, number>) {
    this.#orders = orders;
    this.#places = new Map([...places].map(([operator, count]) => [operator.toLowerCase(), count]));
    this.#taken = orders.map(() => new Set());
  }

  /** Takes the next operator that does not hold a bundle of the segment yet; undefined when there is none left. */
  next(segment: number): `0x${string}` | undefined {
    for (const operator of this.#orders[segment] ?? []) {
      if (this.take(segment, operator)) return operator;
    }
    return undefined;
  }

  /** Takes one particular operator for a segment, as far as it may be taken. */
  take(segment: number, operator: `0x${string}`): boolean {
    const key = operator.toLowerCase();
    const places = this.#places.get(key) ?? 0;
    const taken = this.#taken[segment];
    if (taken === undefined || taken.has(key) || this.#excluded.has(key) || places < 1) return false;
    taken.add(key);
    this.#places.set(key, places - 1);
    return true;
  }

  /** Marks the operator as a holder that needs no further stake of this segment (its receipt is known). */
  hold(segment: number, operator: `0x${string}`): void {
    this.#taken[segment]?.add(operator.toLowerCase());
  }

  /** Never asks the operator again. */
  exclude(operator: `0x${string}`): void {
    this.#excluded.add(operator.toLowerCase());
  }
}
