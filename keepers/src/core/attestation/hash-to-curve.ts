import { hash_to_field } from "@noble/curves/abstract/hash-to-curve.js";
import { bn254 } from "@noble/curves/bn254.js";
import { keccak_256 } from "@noble/hashes/sha3.js";

/**
 * Hashing to BN254's G1 by RFC 9380: expand_message_xmd with keccak256, SvdW map (section 6.6.1 with Z = 1), random
 * oracle. The same function as `contracts/libraries/HashToCurve.sol`; drand's `bls-bn254-unchained-on-g1` uses it, too.
 */

const { Fp } = bn254.fields;
const p = Fp.ORDER;

export type G1Point = ReturnType<typeof bn254.G1.Point.fromAffine>;
export type G2Point = ReturnType<typeof bn254.G2.Point.fromAffine>;

/** g(x) of the curve y² = x³ + 3. */
const curve = (x: bigint): bigint => Fp.add(Fp.mul(Fp.sqr(x), x), 3n);

// Constants of section 6.6.1: c1 = g(Z), c2 = −Z/2, c3 = √(−g(Z)·3Z²) with even sign, c4 = −4g(Z)/(3Z²).
const z = 1n;
const c1 = curve(z);
const c2 = Fp.neg(Fp.div(z, 2n));
const c3 = evenRoot(Fp.neg(Fp.mul(c1, 3n)));
const c4 = Fp.neg(Fp.div(Fp.mul(4n, c1), 3n));

function evenRoot(square: bigint): bigint {
  const root = Fp.sqrt(square);
  return root % 2n === 0n ? root : Fp.neg(root);
}

/** A root of g(x), undefined when x is on no point of the curve. p is 3 mod 4. */
function rootOfCurve(x: bigint): bigint | undefined {
  const square = curve(x);
  const root = Fp.pow(square, (p + 1n) / 4n);
  return Fp.sqr(root) === square ? root : undefined;
}

/** The SvdW map. @param u below p */
export function mapToPoint(u: bigint): G1Point {
  const t = Fp.mul(Fp.sqr(u), c1);
  const tv1 = Fp.sub(1n, t);
  const tv2 = Fp.add(1n, t);
  const product = Fp.mul(tv1, tv2);
  // inv0 of the RFC: the inverse of zero is zero.
  const tv3 = product === 0n ? 0n : Fp.inv(product);
  const tv4 = Fp.mul(Fp.mul(Fp.mul(u, tv1), tv3), c3);
  const candidates = [
    Fp.sub(c2, tv4),
    Fp.add(c2, tv4),
    Fp.add(z, Fp.mul(c4, Fp.sqr(Fp.mul(Fp.sqr(tv2), tv3)))),
  ];
  for (const x of candidates) {
    const root = rootOfCurve(x);
    if (root !== undefined)
      return bn254.G1.Point.fromAffine({ x, y: root % 2n === u % 2n ? root : Fp.neg(root) });
  }
  // One of the three is always on the curve: their g multiply to a square.
  throw new RangeError(`${u} is no element of the field`);
}

/**
 * The point of `message` (hash_to_curve).
 * @param domain separation tag, at most 255 bytes
 */
export function hashToPoint(domain: Uint8Array, message: Uint8Array): G1Point {
  const [first, second] = hash_to_field(message, 2, {
    DST: domain,
    p,
    m: 1,
    k: 128,
    expand: "xmd",
    hash: keccak_256,
  });
  return mapToPoint(first![0]!).add(mapToPoint(second![0]!));
}
