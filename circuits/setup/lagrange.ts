import { inverse, modulo, power, scalarField as r } from "../../keepers/src/core/groth16/field.ts";

/** A generator of the whole multiplicative group; snarkjs derives its roots of unity from the same one. */
const generator = 5n;

/**
 * Values at `point` of the Lagrange polynomials of the subgroup of `order` (a power of two), for the members with
 * exponents `first + step·i`, i = 0 … count − 1: `L_k(x) = ω^k · (x^order − 1) / (order · (x − ω^k))`.
 */
export function lagrangeAt(
  point: bigint,
  order: number,
  first: number,
  step: number,
  count: number,
): bigint[] {
  const root = power(generator, (r - 1n) / BigInt(order), r);
  const ratio = power(root, BigInt(step), r);
  const members: bigint[] = [];
  for (let i = 0, member = power(root, BigInt(first), r); i < count; i++) {
    members.push(member);
    member = (member * ratio) % r;
  }
  const scale = modulo((power(point, BigInt(order), r) - 1n) * inverse(BigInt(order), r), r);
  const inverses = invertAll(members.map((member) => modulo(point - member, r)));
  return members.map((member, i) => (((scale * member) % r) * inverses[i]!) % r);
}

/** Inverts all values with one inversion (Montgomery's trick); none may be 0. */
function invertAll(values: readonly bigint[]): bigint[] {
  const prefixes: bigint[] = [];
  let product = 1n;
  for (const value of values) {
    prefixes.push(product);
    product = (product * value) % r;
  }
  const result = new Array<bigint>(values.length);
  let rest = inverse(product, r);
  for (let i = values.length - 1; i >= 0; i--) {
    result[i] = (rest * prefixes[i]!) % r;
    rest = (rest * values[i]!) % r;
  }
  return result;
}
