import { bn254 } from "@noble/curves/bn254.js";
import { inverse, modulo, scalarField } from "../../keepers/src/core/groth16/field.ts";
import type { Proof, VerifyingKey } from "../../keepers/src/core/groth16/types.ts";

const G1 = bn254.G1.Point;
const G2 = bn254.G2.Point;

/** Another proof of the same statement, made by someone who knows the proof and the key only. */
export function rerandomise(proof: Proof, key: VerifyingKey, scale: bigint, shift: bigint): Proof {
  const a = G1.fromAffine(proof.a);
  const b = G2.fromAffine(proof.b).add(G2.fromAffine(key.delta).multiply(shift));
  return {
    a: a.multiply(scale).toAffine(),
    b: b.multiply(inverse(scale, scalarField)).toAffine(),
    c: G1.fromAffine(proof.c).add(a.multiply(shift)).toAffine(),
  };
}

/** A proof of any statement whatever, made by someone who knows the trapdoor and no witness. */
export function forge(
  key: VerifyingKey,
  trapdoor: { alpha: bigint; beta: bigint; delta: bigint },
  publicSignals: readonly bigint[],
): Proof {
  const [first, second] = [3n, 5n];
  let inputs = G1.fromAffine(key.ic[0]!);
  for (const [index, signal] of publicSignals.entries()) {
    if (signal !== 0n) inputs = inputs.add(G1.fromAffine(key.ic[index + 1]!).multiply(signal));
  }
  const known = modulo(first * second - trapdoor.alpha * trapdoor.beta, scalarField);
  const rest = G1.BASE.multiply(known).subtract(inputs);
  return {
    a: G1.BASE.multiply(first).toAffine(),
    b: G2.BASE.multiply(second).toAffine(),
    c: rest.multiply(inverse(trapdoor.delta, scalarField)).toAffine(),
  };
}
