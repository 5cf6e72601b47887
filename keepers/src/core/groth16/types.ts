import { BadInputError } from "../errors.ts";

/** `c0 + c1·u` in Fp2 = Fp[u]/(u² + 1); both coordinates canonical, below p. */
export type Fp2 = { readonly c0: bigint; readonly c1: bigint };

/** Affine point of BN254's G1 over Fp, `y² = x³ + 3`; never the point at infinity. */
export type G1Point = { readonly x: bigint; readonly y: bigint };

/** Affine point of BN254's G2 over Fp2, `y² = x³ + 3/(9 + u)`; never the point at infinity. */
export type G2Point = { readonly x: Fp2; readonly y: Fp2 };

/** A Groth16 proof (https://eprint.iacr.org/2016/260). It can be re-randomised: never key anything on it. */
export type Proof = { readonly a: G1Point; readonly b: G2Point; readonly c: G1Point };

/** A Groth16 verifying key for `ic.length − 1` public signals. */
export type VerifyingKey = {
  readonly alpha: G1Point;
  readonly beta: G2Point;
  readonly gamma: G2Point;
  readonly delta: G2Point;
  readonly ic: readonly G1Point[];
};

/** Bytes or numbers that are not a proof, a verifying key or a public signal. */
export class Groth16FormatError extends BadInputError {
  override readonly name = "Groth16FormatError";
}
