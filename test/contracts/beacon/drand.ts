/**
 * drand's scheme `bls-bn254-unchained-on-g1` from libraries and RFC 9380's straight-line program: what the contracts are
 * compared with.
 */
import { expand_message_xmd, hash_to_field } from "@noble/curves/abstract/hash-to-curve.js";
import { bn254 } from "@noble/curves/bn254.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { type Hex, hexToBytes, keccak256, numberToHex, pad, toBytes } from "viem";
import { g2, p, words } from "../zk/trapdoor.ts";

const { Fp } = bn254.fields;
const dst = "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_";
type Point = ReturnType<typeof bn254.G1.Point.fromAffine>;

const c2 = Fp.neg(Fp.inv(2n));
const c3 = 0x16789af3a83522eb353c98fc6b36d713d5d8d1cc5dffffffan;
const c4 = Fp.neg(Fp.div(16n, 3n));

/** RFC 9380, appendix F.1, for y² = x³ + 3 and Z = 1. */
export function mapToPoint(u: bigint): Point {
  const inverseOrZero = (a: bigint) => Fp.pow(a, p - 2n);
  const g = (x: bigint) => Fp.add(Fp.mul(Fp.sqr(x), x), 3n);
  const isSquare = (a: bigint) => Fp.pow(a, (p - 1n) / 2n) <= 1n;
  const t = Fp.mul(Fp.sqr(u), 4n);
  const [tv1, tv2] = [Fp.sub(1n, t), Fp.add(1n, t)];
  const tv3 = inverseOrZero(Fp.mul(tv1, tv2));
  const tv4 = Fp.mul(Fp.mul(Fp.mul(u, tv1), tv3), c3);
  const candidates = [
    Fp.sub(c2, tv4),
    Fp.add(c2, tv4),
    Fp.add(Fp.mul(Fp.sqr(Fp.mul(Fp.sqr(tv2), tv3)), c4), 1n),
  ];
  const x = candidates.find((candidate) => isSquare(g(candidate)))!;
  const root = Fp.pow(g(x), (p + 1n) / 4n);
  return bn254.G1.Point.fromAffine({ x, y: (root & 1n) === (u & 1n) ? root : Fp.neg(root) });
}

export function hashToPoint(message: Uint8Array): Point {
  const expand = (msg: Uint8Array, tag: Uint8Array, length: number) =>
    expand_message_xmd(msg, tag, length, keccak_256);
  const uniform = expand(message, toBytes(dst), 96);
  const elements = hash_to_field(message, 2, {
    DST: dst,
    p,
    m: 1,
    k: 128,
    expand: "xmd",
    hash: keccak_256,
  });
  // The same by hand: 48 bytes each, reduced.
  const byHand = [uniform.slice(0, 48), uniform.slice(48)].map((part) => BigInt(numberOf(part)) % p);
  const [u0, u1] = elements.map(([u]) => u!) as [bigint, bigint];
  if (u0 !== byHand[0] || u1 !== byHand[1]) throw new Error("hash_to_field disagrees with its definition");
  return mapToPoint(u0).add(mapToPoint(u1));
}

function numberOf(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

/** keccak256 of the round as eight big-endian bytes. */
export function messageOf(round: bigint): Uint8Array {
  return hexToBytes(keccak256(pad(numberToHex(round), { size: 8 })));
}

/** The signature of a round under `secret`, 64 bytes. */
export function signRound(secret: bigint, round: bigint): Hex {
  const { x, y } = hashToPoint(messageOf(round)).multiply(secret).toAffine();
  return words([x, y]);
}

/** The public key of `secret` in EIP-197 order. */
export function publicKeyOf(secret: bigint): readonly [bigint, bigint, bigint, bigint] {
  return g2(secret);
}
