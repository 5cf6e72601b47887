import { bytesToHex, type Hex } from "viem";
import { lazyList } from "../dispute/lazy-list.ts";

const hashBytes = 32;
const leastBytes = 2 ** 16;

/** Witness commitments of a run's intervals in 32 bytes each: as strings those of millions of steps take thrice as much of the heap. */
export class WitnessList {
  #bytes = new Uint8Array(leastBytes);
  #used = 0;
  /** Where the commitments of each interval end, in bytes. */
  readonly #ends: number[] = [];

  /** Adds those of the next interval. */
  push(witnesses: readonly Hex[]): void {
    const end = this.#used + hashBytes * witnesses.length;
    if (end > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    for (const witness of witnesses) {
      this.#bytes.set(Buffer.from(witness.slice(2), "hex"), this.#used);
      this.#used += hashBytes;
    }
    this.#ends.push(end);
  }

  /** The commitments by interval, as strings that are made when they are read. */
  list(): readonly (readonly Hex[])[] {
    const bytes = this.#bytes;
    const ends = this.#ends;
    return lazyList(ends.length, (interval) => {
      const start = interval === 0 ? 0 : ends[interval - 1]!;
      const count = (ends[interval]! - start) / hashBytes;
      return Array.from({ length: count }, (_, i) => {
        const at = start + hashBytes * i;
        return bytesToHex(bytes.subarray(at, at + hashBytes));
      });
    });
  }
}
