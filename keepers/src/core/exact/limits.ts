/**
 * Limits of a valid tape (`docs/exact-ops.md`, section 4). `contracts/disputes/ExactLimits.sol` holds those that a
 * verdict needs; the values must be the same.
 */
export const limits = {
  rank: 4,
  elements: 2 ** 31,
  nodesPerTape: 65_536,
  slots: 65_536,
  /** N and M are powers of two up to this. */
  microBatch: 2 ** 20,
  microBatches: 2 ** 20,
  /** kH·kW of convolutions and pools, and k·k of a pool inside a convolution. */
  windowArea: 255,
  stride: 65_535,
  pad: 65_535,
  /** Terms of one sum. */
  terms: 2 ** 24,
  addInputs: 5,
  probabilityBitsLeast: 15,
  probabilityBitsMost: 22,
  /** P is at least this and ⌈log2 classes⌉. */
  probabilityBitsAboveClasses: 11,
  /** Bytes of leaves that one element, or one of its partial sums, may need. */
  openingBytes: 6144,
  /**
   * Runs of adjacent products in an element of a convolution with a pool, which opens at once: each takes a contract some 2,000
   * gas, and a transaction has 2^24 (EIP-7825).
   */
  openedRuns: 2_048,
  /** MU and WD. */
  factor: 65_535,
  /** rM, rW and rL. */
  factorShift: 32,
  exponent: 2 ** 31 - 1,
} as const;
