import { type Hex, hexToBytes, keccak256 } from "viem";

/** Bits in a logs bloom; Ethereum yellow paper, section 4.3.1. */
const size = 2_048;

/** The three bits that an address or a topic sets. */
function bitsOf(value: Hex): readonly number[] {
  const digest = hexToBytes(keccak256(value));
  return [0, 2, 4].map((at) => ((digest[at]! << 8) | digest[at + 1]!) % size);
}

/**
 * What the header of a block says about its logs: a filter that never lacks what is there, and may seem to hold what is
 * not. Some chains leave it empty, or full.
 */
export class LogsBloom {
  readonly #bytes: Uint8Array;

  constructor(bloom: Hex) {
    this.#bytes = hexToBytes(bloom);
  }

  /** Whether the chain fills blooms in at all, as far as this one shows. */
  get isEmpty(): boolean {
    return this.#bytes.every((byte) => byte === 0);
  }

  mayHold(value: BloomValue): boolean {
    return value.bits.every(
      (bit) => ((this.#bytes[this.#bytes.length - 1 - (bit >> 3)] ?? 0) >> (bit & 7)) & 1,
    );
  }
}

/** An address or a topic whose bits were worked out. */
export type BloomValue = { readonly value: Hex; readonly bits: readonly number[] };

export const bloomValue = (value: Hex): BloomValue => ({
  value: value.toLowerCase() as Hex,
  bits: bitsOf(value),
});
