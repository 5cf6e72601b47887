import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { bn254 } from "@noble/curves/bn254.js";
import { hexToBytes, keccak256, numberToHex, pad, stringToBytes } from "viem";
import {
  addKeys,
  addSignatures,
  BadPointError,
  type G1Words,
  type G2Words,
  keyOf,
  possessionDomain,
  secretFrom,
  sign,
  signatureDomain,
  verify,
  verifyBoth,
  WeakSecretError,
} from "../../../../keepers/src/core/attestation/bls.ts";
import { hashToPoint, mapToPoint } from "../../../../keepers/src/core/attestation/hash-to-curve.ts";
import { mapToPoint as straightLine } from "../../../contracts/beacon/drand.ts";
import { outsideSubgroup, p, scalars } from "../../../contracts/zk/trapdoor.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("attestation/bls");

type Vector = { publicKey: string; round: number; signature: string; hashToCurveX?: string };

const file = new URL("../../../vectors/drand-bn254.json", import.meta.url);
const { vectors, dst } = JSON.parse(await readFile(file, "utf8")) as { vectors: Vector[]; dst: string };
const drandDomain = stringToBytes(dst);
const wordsOf = (hex: string) => (hex.match(/.{64}/g) ?? []).map((word) => BigInt(`0x${word}`));
const roundMessage = (round: number) => hexToBytes(keccak256(pad(numberToHex(round), { size: 8 })));
const message = hexToBytes(keccak256("0x01"));

test("hash to curve gives the points of published drand rounds", () => {
  const known = vectors.filter(({ hashToCurveX }) => hashToCurveX !== undefined);
  assert.ok(known.length > 0);
  for (const { round, hashToCurveX } of known) {
    const { x } = hashToPoint(drandDomain, roundMessage(round)).toAffine();
    assert.equal(x, BigInt(`0x${hashToCurveX}`));
  }
});

test("published drand rounds verify, and nothing that differs does", () => {
  for (const vector of vectors) {
    const key = wordsOf(vector.publicKey) as unknown as G2Words;
    const signature = wordsOf(vector.signature) as unknown as G1Words;
    assert.ok(verify(key, drandDomain, roundMessage(vector.round), signature), `round ${vector.round}`);
    assert.ok(!verify(key, drandDomain, roundMessage(vector.round + 1), signature));
    assert.ok(!verify(key, signatureDomain, roundMessage(vector.round), signature));
  }
});

test("the map equals RFC 9380's straight-line program, exceptional inputs among them", () => {
  const next = scalars(380n);
  // 1 − 4u² = 0 for u = ±1/2: the inverse of zero is zero.
  const half = bn254.fields.Fp.inv(2n);
  for (const u of [0n, 1n, half, p - half, p - 1n, ...Array.from({ length: 40 }, next)]) {
    assert.deepEqual(mapToPoint(u).toAffine(), straightLine(u).toAffine(), `u = ${u}`);
  }
});

test("sums of signatures verify under sums of keys, in both equations", () => {
  const secrets = [3n, 5n, 2n ** 200n + 7n];
  const keys = secrets.map(keyOf);
  const signatures = secrets.map((secret) => sign(secret, signatureDomain, message));
  const [key, signature] = [addKeys(keys), addSignatures(signatures)];
  const { r } = { r: bn254.fields.Fr.ORDER };
  assert.deepEqual(key, keyOf(secrets.reduce((sum, secret) => sum + secret) % r));
  assert.ok(verify(key.g2, signatureDomain, message, signature));
  assert.ok(verifyBoth(key, signatureDomain, message, signature));
  assert.ok(!verifyBoth(key, possessionDomain, message, signature), "attack 26: another domain");
  assert.ok(!verifyBoth(key, signatureDomain, message, addSignatures(signatures.slice(1))));
  const twice = addSignatures([...signatures, signatures[0]!]);
  assert.ok(!verifyBoth(key, signatureDomain, message, twice), "attack 26: a signer twice");
  const halves = { g1: keys[0]!.g1, g2: keys[1]!.g2 };
  for (const each of signatures) assert.ok(!verifyBoth(halves, signatureDomain, message, each));
});

test("attack 15: bad points verify nothing and are summed with nothing", () => {
  const key = keyOf(11n);
  const signature = sign(11n, signatureDomain, message);
  const [x, y] = signature;
  const badG1: G1Words[] = [
    [0n, 0n],
    [x, y + 1n],
    [x + p, y],
    [x, y + p],
    [-x, y],
    [y, x],
  ];
  for (const bad of badG1) {
    assert.ok(!verify(key.g2, signatureDomain, message, bad));
    assert.ok(!verifyBoth({ ...key, g1: bad }, signatureDomain, message, signature));
    throws(() => addSignatures([signature, bad]), BadPointError);
  }
  const [x1, x0, y1, y0] = key.g2;
  const badG2: G2Words[] = [[0n, 0n, 0n, 0n], [x0, x1, y0, y1], outsideSubgroup(), [x1 + p, x0, y1, y0]];
  for (const bad of badG2) {
    assert.ok(!verify(bad, signatureDomain, message, signature));
    assert.ok(!verifyBoth({ ...key, g2: bad }, signatureDomain, message, signature));
    throws(() => addKeys([key, { ...key, g2: bad }]), BadPointError);
  }
  const opposite = keyOf(bn254.fields.Fr.ORDER - 11n);
  throws(() => addKeys([key, opposite]), BadPointError, "a sum at infinity");
  throws(() => addSignatures([]), BadPointError);
});

test("a secret needs 32 random bytes and lies below r", () => {
  throws(() => secretFrom(new Uint8Array(31)), WeakSecretError);
  const one = secretFrom(new Uint8Array(32).fill(1));
  assert.ok(one > 0n && one < bn254.fields.Fr.ORDER);
  assert.notEqual(one, secretFrom(new Uint8Array(32).fill(2)));
});
