import { bytesToHex, type Hex, keccak256, stringToBytes } from "viem";

/** Throws that follow from a seed and a name alone: 32-bit words out of keccak256(seed / name / counter). */
export class Dice {
  readonly #name: string;
  #words: number[] = [];
  #counter = 0;

  constructor(seed: number | string, name = "") {
    this.#name = `${seed}/${name}`;
  }

  /** Other throws from the same seed, which do not depend on how many were made here. */
  apart(name: string): Dice {
    return new Dice(this.#name, name);
  }

  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor((this.#word() / 2 ** 32) * (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }

  /** True in so many of a hundred cases. */
  chance(percent: number): boolean {
    return this.int(1, 100) <= percent;
  }

  /** 32 bytes. */
  hash(): Hex {
    return this.#block();
  }

  #word(): number {
    if (this.#words.length === 0) {
      const block = this.#block();
      this.#words = Array.from({ length: 8 }, (_, i) => Number(`0x${block.slice(2 + 8 * i, 10 + 8 * i)}`));
    }
    return this.#words.pop()!;
  }

  #block(): Hex {
    return keccak256(bytesToHex(stringToBytes(`${this.#name}/${this.#counter++}`)));
  }
}
