import { bn254 } from "@noble/curves/bn254.js";
import { concatBytes, hexToBigInt, keccak256, numberToBytes, stringToBytes } from "viem";
import { AssayError, BadInputError } from "../errors.ts";
import { type G1Point, type G2Point, hashToPoint } from "./hash-to-curve.ts";

/**
 * BLS signatures on BN254: signatures in G1, keys in both groups (Boneh, Lynn, Shacham 2001; aggregation as in Boneh,
 * Drijvers, Neven 2018, section 3 with proofs of possession). `contracts/attestation/AggregateBLS.sol` verifies them.
 */

const { Fr, Fp12 } = bn254.fields;

/** Domain separation tags (RFC 9380, section 3.1): no attestation is ever a proof of possession. */
export const signatureDomain = stringToBytes("ASSAY_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_ATTEST_");
export const possessionDomain = stringToBytes("ASSAY_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_POSSESS_");

/** A point of G1 as the contracts take it: x, y. */
export type G1Words = readonly [bigint, bigint];
/** A point of G2 in the order of EIP-197: x1, x0, y1, y0, imaginary parts first. */
export type G2Words = readonly [bigint, bigint, bigint, bigint];
/** A public key in both groups. */
export type BlsKey = { readonly g1: G1Words; readonly g2: G2Words };

/** A point that is malformed, off its curve, outside its subgroup, or at infinity. */
export class BadPointError extends BadInputError {
  override readonly name: string = "BadPointError";
}

/** Randomness that makes no key. */
export class WeakSecretError extends AssayError {
  override readonly name: string = "WeakSecretError";
}

/**
 * A secret from at least 32 random bytes, as HKDF of the BLS draft does it without its salt: 48 bytes of keccak256
 * output, reduced mod r, so that no secret is likelier than another by more than 2^−128.
 * @throws WeakSecretError when there are fewer bytes
 */
export function secretFrom(random: Uint8Array): bigint {
  if (random.length < 32)
    throw new WeakSecretError(`A BLS secret needs 32 random bytes, not ${random.length}.`);
  const tag = stringToBytes("assay/bls-secret/v1");
  const high = keccak256(concatBytes([tag, Uint8Array.of(0), random]));
  const low = keccak256(concatBytes([tag, Uint8Array.of(1), random]));
  const secret = ((hexToBigInt(high) << 128n) | (hexToBigInt(low) >> 128n)) % Fr.ORDER;
  if (secret === 0n) throw new WeakSecretError("These random bytes make the secret 0.");
  return secret;
}

/** The public key of a secret in [1, r). */
export function keyOf(secret: bigint): BlsKey {
  return {
    g1: wordsOfG1(bn254.G1.Point.BASE.multiply(secret)),
    g2: wordsOfG2(bn254.G2.Point.BASE.multiply(secret)),
  };
}

/** Signs a message of 32 bytes. */
export function sign(secret: bigint, domain: Uint8Array, message: Uint8Array): G1Words {
  return wordsOfG1(hashToPoint(domain, message).multiply(secret));
}

/** Whether e(σ, g2) = e(H(m), key). False for bad points, too. */
export function verify(key: G2Words, domain: Uint8Array, message: Uint8Array, signature: G1Words): boolean {
  try {
    const pairs = [
      { g1: pointOfG1(signature), g2: bn254.G2.Point.BASE.negate() },
      { g1: hashToPoint(domain, message), g2: pointOfG2(key) },
    ];
    return Fp12.eql(bn254.pairingBatch(pairs), Fp12.ONE);
  } catch (error) {
    if (error instanceof BadPointError) return false;
    throw error;
  }
}

/**
 * The contract's equation: e(σ + γ·key1, −g2)·e(H(m) + γ·g1, key2) = 1 with γ = keccak256(m, σ, key1, key2) mod r. It
 * holds when the signature does and both halves of the key have one secret. False for bad points, too.
 */
export function verifyBoth(
  key: BlsKey,
  domain: Uint8Array,
  message: Uint8Array,
  signature: G1Words,
): boolean {
  try {
    const [sigma, key1, key2] = [pointOfG1(signature), pointOfG1(key.g1), pointOfG2(key.g2)];
    const gamma = gammaOf(message, signature, key);
    const hashed = hashToPoint(domain, message).add(bn254.G1.Point.BASE.multiply(gamma));
    const pairs = [
      { g1: sigma.add(key1.multiply(gamma)), g2: bn254.G2.Point.BASE.negate() },
      { g1: hashed, g2: key2 },
    ];
    return Fp12.eql(bn254.pairingBatch(pairs), Fp12.ONE);
  } catch (error) {
    if (error instanceof BadPointError) return false;
    throw error;
  }
}

function gammaOf(message: Uint8Array, signature: G1Words, key: BlsKey): bigint {
  const encoded = [...signature, ...key.g1, ...key.g2].map((word) => numberToBytes(word, { size: 32 }));
  return hexToBigInt(keccak256(concatBytes([message, ...encoded]))) % Fr.ORDER;
}

/** Sum of signatures of one message. @throws BadPointError for bad points, or none, or a sum at infinity. */
export function addSignatures(signatures: readonly G1Words[]): G1Words {
  const { G1 } = bn254;
  return wordsOfG1(signatures.map(pointOfG1).reduce((sum, point) => sum.add(point), G1.Point.ZERO));
}

/** Sum of keys in both groups. @throws BadPointError for bad points, or none, or a sum at infinity. */
export function addKeys(keys: readonly BlsKey[]): BlsKey {
  const { G1, G2 } = bn254;
  return {
    g1: wordsOfG1(keys.reduce((sum, { g1 }) => sum.add(pointOfG1(g1)), G1.Point.ZERO)),
    g2: wordsOfG2(keys.reduce((sum, { g2 }) => sum.add(pointOfG2(g2)), G2.Point.ZERO)),
  };
}

function pointOfG1([x, y]: G1Words): G1Point {
  return checked("G1", () => bn254.G1.Point.fromAffine({ x, y }));
}

function pointOfG2([x1, x0, y1, y0]: G2Words): G2Point {
  return checked("G2", () => bn254.G2.Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } }));
}

/** The precompiles' checks: coordinates below p, on the curve, in the subgroup; and not at infinity. */
function checked<Point extends G1Point | G2Point>(group: string, make: () => Point): Point {
  let point: Point;
  try {
    point = make();
    point.assertValidity();
  } catch (cause) {
    throw new BadPointError(`These words are no point of ${group}.`, { cause });
  }
  if (point.is0()) throw new BadPointError(`The point at infinity of ${group} is not taken.`);
  return point;
}

function wordsOfG1(point: G1Point): G1Words {
  if (point.is0()) throw new BadPointError("The sum is the point at infinity of G1.");
  const { x, y } = point.toAffine();
  return [x, y];
}

function wordsOfG2(point: G2Point): G2Words {
  if (point.is0()) throw new BadPointError("The sum is the point at infinity of G2.");
  const { x, y } = point.toAffine();
  return [x.c1, x.c0, y.c1, y.c0];
}
