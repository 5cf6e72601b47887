import mcl from "mcl-wasm";
import { compressedProofLength } from "./compress.ts";
import type { G1, G2, Scalar } from "./pairing.ts";
import {
  g1FromAffine,
  g2FromAffine,
  loadPairing,
  readCompressedG1,
  readCompressedG2,
  scalarFromBigint,
  scalarFromBytes,
} from "./pairing.ts";
import type { VerifyingKey } from "./types.ts";
import { Groth16FormatError } from "./types.ts";
import { assertVerifyingKey } from "./verifying-key.ts";

/** A 128-byte proof with the public signals that it is claimed for. */
export type Claim = { readonly proof: Uint8Array; readonly publicSignals: readonly bigint[] };

/** Fills an array with random bytes that whoever made the proofs cannot foresee. */
export type RandomSource = (bytes: Uint8Array<ArrayBuffer>) => void;

/** Bytes of randomness for each member of a batch: a false batch passes with probability below 2^-127. */
const randomBytes = 16;

/** mcl's multi-scalar multiplication copies its arguments to the WASM stack, which is small. */
const sumSize = 64;

type Parsed = { a: G1; b: G2; c: G1; signals: Scalar[] };

/**
 * Verifies Groth16 proofs (https://eprint.iacr.org/2016/260) under one key:
 * `e(A, B) = e(alpha, beta) · e(L, gamma) · e(C, delta)` with `L = IC_0 + Σ signal_i · IC_{i+1}`.
 * What the key alone decides is computed once: e(alpha, beta) and the line functions of gamma and delta.
 *
 * Nothing is remembered of a proof: anyone can turn a proof into another one of the same statement, so whoever counts
 * proofs must count statements.
 */
export class Verifier {
  readonly #alphaBeta: mcl.GT;
  readonly #gamma: mcl.PrecomputedG2;
  readonly #delta: mcl.PrecomputedG2;
  readonly #ic: readonly G1[];

  /** @throws Groth16FormatError when a point of the key is invalid. */
  static async create(key: VerifyingKey): Promise<Verifier> {
    assertVerifyingKey(key);
    await loadPairing();
    return new Verifier(key);
  }

  private constructor(key: VerifyingKey) {
    this.#alphaBeta = mcl.pairing(g1FromAffine(key.alpha), g2FromAffine(key.beta));
    this.#gamma = new mcl.PrecomputedG2(g2FromAffine(key.gamma));
    this.#delta = new mcl.PrecomputedG2(g2FromAffine(key.delta));
    this.#ic = key.ic.map(g1FromAffine);
  }

  /** Gives back the memory of the prepared key; the verifier cannot be used afterwards. */
  [Symbol.dispose](): void {
    this.#gamma.destroy();
    this.#delta.destroy();
  }

  /**
   * False for anything but a valid proof of exactly these signals: malformed bytes, points off the curve or the subgroup,
   * a second encoding of a valid proof, a signal that is not below r, a wrong number of signals.
   */
  verify(proof: Uint8Array, publicSignals: readonly bigint[]): boolean {
    const parsed = this.#parse({ proof, publicSignals });
    if (parsed === undefined) return false;
    const inputs = mcl.neg(this.#inputs(parsed.signals));
    const left = mcl.precomputedMillerLoop2mixed(parsed.a, parsed.b, inputs, this.#gamma);
    const right = mcl.precomputedMillerLoop(mcl.neg(parsed.c), this.#delta);
    return mcl.finalExp(mcl.mul(left, right)).isEqual(this.#alphaBeta);
  }

  /**
   * True when all claims hold: they are checked together, each raised to a fresh random power. An empty batch holds.
   * @param random must be unpredictable to the provers.
   */
  verifyBatch(claims: readonly Claim[], random: RandomSource = systemRandom): boolean {
    const parsed: Parsed[] = [];
    for (const claim of claims) {
      const proof = this.#parse(claim);
      if (proof === undefined) return false;
      parsed.push(proof);
    }
    return parsed.length === 0 || this.#holdTogether(parsed, random);
  }

  /** Positions of the claims that do not hold, found by halving a batch that fails. */
  findInvalid(claims: readonly Claim[], random: RandomSource = systemRandom): number[] {
    const invalid: number[] = [];
    const wellFormed: [number, Parsed][] = [];
    for (const [position, claim] of claims.entries()) {
      const parsed = this.#parse(claim);
      if (parsed === undefined) invalid.push(position);
      else wellFormed.push([position, parsed]);
    }
    const search = (members: readonly [number, Parsed][]): void => {
      if (members.length === 0) return;
      const proofs = members.map(([, parsed]) => parsed);
      if (this.#holdTogether(proofs, random)) return;
      if (members.length === 1) {
        invalid.push(members[0]![0]);
        return;
      }
      const middle = members.length >> 1;
      search(members.slice(0, middle));
      search(members.slice(middle));
    };
    search(wellFormed);
    return invalid.sort((a, b) => a - b);
  }

  /** `Π e(ρ_i·A_i, B_i) · e(−Σ ρ_i·L_i, gamma) · e(−Σ ρ_i·C_i, delta) = e(alpha, beta)^(Σ ρ_i)`. */
  #holdTogether(proofs: readonly Parsed[], random: RandomSource): boolean {
    const weights = proofs.map(() => {
      const bytes = new Uint8Array(randomBytes);
      random(bytes);
      return scalarFromBytes(bytes);
    });
    const sums = this.#ic.map(() => new mcl.Fr());
    let product: mcl.GT | undefined;
    for (const [i, proof] of proofs.entries()) {
      const weight = weights[i]!;
      const factor = mcl.millerLoop(mcl.mul(proof.a, weight), proof.b);
      product = product === undefined ? factor : mcl.mul(product, factor);
      sums[0] = mcl.add(sums[0]!, weight);
      for (const [j, signal] of proof.signals.entries()) {
        sums[j + 1] = mcl.add(sums[j + 1]!, mcl.mul(weight, signal));
      }
    }
    if (product === undefined) return true;
    const inputs = mcl.mulVec([...this.#ic], sums);
    const rest = weightedSum(
      proofs.map(({ c }) => c),
      weights,
    );
    const fixed = mcl.precomputedMillerLoop2(mcl.neg(inputs), this.#gamma, mcl.neg(rest), this.#delta);
    return mcl.finalExp(mcl.mul(product, fixed)).isEqual(mcl.pow(this.#alphaBeta, sums[0]!));
  }

  #inputs(signals: readonly Scalar[]): G1 {
    const constant = this.#ic[0]!;
    if (signals.length === 0) return constant;
    return mcl.add(constant, mcl.mulVec(this.#ic.slice(1), [...signals]));
  }

  #parse({ proof, publicSignals }: Claim): Parsed | undefined {
    if (proof.length !== compressedProofLength || publicSignals.length !== this.#ic.length - 1)
      return undefined;
    try {
      return {
        signals: publicSignals.map(scalarFromBigint),
        a: readCompressedG1(proof.subarray(0, 32), "A"),
        b: readCompressedG2(proof.subarray(32, 96), "B"),
        c: readCompressedG1(proof.subarray(96, 128), "C"),
      };
    } catch (error) {
      if (error instanceof Groth16FormatError) return undefined;
      throw error;
    }
  }
}

function weightedSum(points: readonly G1[], weights: readonly Scalar[]): G1 {
  let sum: G1 | undefined;
  for (let start = 0; start < points.length; start += sumSize) {
    const part = mcl.mulVec(points.slice(start, start + sumSize), weights.slice(start, start + sumSize));
    sum = sum === undefined ? part : mcl.add(sum, part);
  }
  return sum ?? new mcl.G1();
}

function systemRandom(bytes: Uint8Array<ArrayBuffer>): void {
  globalThis.crypto.getRandomValues(bytes);
}
