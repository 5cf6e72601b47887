import assert from "node:assert/strict";
import { createCipheriv, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from "node:crypto";
import { describe, it } from "node:test";
import { keccak256 } from "viem";
import {
  DecryptionError,
  openObject,
  publicKeyOf,
  sealObject,
  unwrapKey,
  wrapKey,
} from "../../../../keepers/src/core/dataset/encryption.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { generator } from "../../storage/random.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("dataset/encryption");

const hex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));
const random = generator(7);
const cipher = { key: random.bytes(32), salt: random.bytes(32) };

/** HChaCha20, draft-irtf-cfrg-xchacha-03 section 2.2, written from the draft. */
function hChaCha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const state = new Uint32Array(16);
  const words = (bytes: Uint8Array) => new Uint32Array(Uint8Array.from(bytes).buffer);
  state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  state.set(words(key), 4);
  state.set(words(nonce), 12);
  const rotate = (x: number, bits: number) => (x << bits) | (x >>> (32 - bits));
  const quarter = (a: number, b: number, c: number, d: number) => {
    for (const [first, second] of [
      [16, 12],
      [8, 7],
    ] as const) {
      state[a]! += state[b]!;
      state[d] = rotate(state[d]! ^ state[a]!, first);
      state[c]! += state[d]!;
      state[b] = rotate(state[b]! ^ state[c]!, second);
    }
  };
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 4; i++) quarter(i, i + 4, i + 8, i + 12);
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) % 4), 8 + ((i + 2) % 4), 12 + ((i + 3) % 4));
  }
  return new Uint8Array(Uint32Array.of(...state.slice(0, 4), ...state.slice(12)).buffer);
}

/** XChaCha20-Poly1305 from HChaCha20 and OpenSSL's ChaCha20-Poly1305. */
function xChaCha20Poly1305(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Buffer {
  const inner = Buffer.concat([Buffer.alloc(4), nonce.slice(16)]);
  const aead = createCipheriv("chacha20-poly1305", hChaCha20(key, nonce.slice(0, 16)), inner, {
    authTagLength: 16,
  });
  aead.setAAD(aad, { plaintextLength: plain.length });
  return Buffer.concat([aead.update(plain), aead.final(), aead.getAuthTag()]);
}

const aadOf = (salt: Uint8Array) =>
  hex(keccak256(Buffer.concat([Buffer.from("assay/dataset"), salt])).slice(2));

describe("the tests' reference of XChaCha20-Poly1305", () => {
  it("gives the vectors of draft-irtf-cfrg-xchacha-03 (2.2.1 and A.3.1)", () => {
    const subkey = hChaCha20(
      hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
      hex("000000090000004a0000000031415927"),
    );
    assert.equal(
      Buffer.from(subkey).toString("hex"),
      "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc",
    );
    const sealed = xChaCha20Poly1305(
      hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
      hex("404142434445464748494a4b4c4d4e4f5051525354555657"),
      hex("50515253c0c1c2c3c4c5c6c7"),
      Buffer.from(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ),
    );
    assert.equal(
      sealed.toString("hex"),
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39" +
        "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9" +
        "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49",
    );
  });
});

describe("sealing objects", () => {
  it("is XChaCha20-Poly1305 with the nonce and associated data of the protocol", () => {
    for (const [kind, number] of [
      ["objects", 0n],
      ["hashes", 1n],
    ] as const) {
      for (const [index, length] of [
        [0, 65],
        [1, 0],
        [2 ** 33 + 5, 4096],
      ] as const) {
        const plain = random.bytes(length);
        const nonce = Buffer.alloc(24);
        nonce.writeBigUInt64BE(number, 8);
        nonce.writeBigUInt64BE(BigInt(index), 16);
        const sealed = sealObject(cipher, { kind, index }, plain);
        assert.deepEqual(
          Buffer.from(sealed),
          xChaCha20Poly1305(cipher.key, nonce, aadOf(cipher.salt), plain),
        );
        assert.equal(sealed.length, length + 16);
        assert.deepEqual(openObject(cipher, { kind, index }, sealed), plain);
      }
    }
  });

  it("does not open with another key, at another place, under another salt, or altered", () => {
    const plain = random.bytes(100);
    const place = { kind: "objects", index: 3 } as const;
    const sealed = sealObject(cipher, place, plain);
    const flipped = (at: number) => sealed.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const attempts = [
      () => openObject({ ...cipher, key: random.bytes(32) }, place, sealed),
      () => openObject({ ...cipher, salt: random.bytes(32) }, place, sealed),
      () => openObject(cipher, { ...place, index: 4 }, sealed),
      () => openObject(cipher, { ...place, kind: "hashes" }, sealed),
      () => openObject(cipher, place, flipped(0)),
      () => openObject(cipher, place, flipped(115)),
      () => openObject(cipher, place, sealed.slice(0, -1)),
      () => openObject(cipher, place, sealed.slice(0, 15)),
      () => openObject(cipher, place, new Uint8Array(0)),
    ];
    for (const attempt of attempts) throws(attempt, DecryptionError);
    assert.deepEqual(openObject(cipher, place, sealed), plain);
  });

  it("refuses keys, salts and indices of a wrong form", () => {
    const place = { kind: "objects", index: 0 } as const;
    throws(() => sealObject({ ...cipher, key: new Uint8Array(16) }, place, hex("")), BadInputError);
    throws(() => sealObject({ ...cipher, salt: new Uint8Array(31) }, place, hex("")), BadInputError);
    for (const index of [-1, 0.5, 2 ** 53]) {
      throws(() => sealObject(cipher, { kind: "objects", index }, hex("")), BadInputError);
    }
  });
});

describe("wrapping a dataset key", () => {
  const alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const alicePublic = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  const bobPublic = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const sharedOfRfc = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");

  it("uses the public keys of RFC 7748, section 6.1", () => {
    assert.deepEqual(publicKeyOf(alice), alicePublic);
    assert.deepEqual(publicKeyOf(bob), bobPublic);
  });

  it("is X25519, HKDF-SHA256 and XChaCha20-Poly1305 as OpenSSL computes them", () => {
    const { recipient, ephemeral, wrapped } = wrapKey(cipher, bobPublic, alice);
    assert.deepEqual([recipient, ephemeral], [bobPublic, alicePublic]);
    const shared = diffieHellman({
      privateKey: createPrivateKey({
        key: Buffer.concat([hex("302e020100300506032b656e04220420"), bob]),
        format: "der",
        type: "pkcs8",
      }),
      publicKey: createPublicKey({
        key: Buffer.concat([hex("302a300506032b656e032100"), ephemeral]),
        format: "der",
        type: "spki",
      }),
    });
    assert.deepEqual(Uint8Array.from(shared), sharedOfRfc);
    const info = Buffer.concat([Buffer.from("assay/key-wrap"), alicePublic, bobPublic]);
    const key = new Uint8Array(hkdfSync("sha256", shared, cipher.salt, info, 32));
    const expected = xChaCha20Poly1305(key, new Uint8Array(24), aadOf(cipher.salt), cipher.key);
    assert.deepEqual(Buffer.from(wrapped), expected);
    assert.deepEqual(unwrapKey({ recipient, ephemeral, wrapped }, cipher.salt, bob), cipher.key);
  });

  it("opens for its recipient only, and not when altered or under another salt", () => {
    const entry = wrapKey(cipher, bobPublic, random.bytes(32));
    const wrapped = entry.wrapped.slice();
    wrapped[5]! ^= 0x80;
    throws(() => unwrapKey(entry, cipher.salt, alice), DecryptionError);
    throws(() => unwrapKey({ ...entry, wrapped }, cipher.salt, bob), DecryptionError);
    throws(() => unwrapKey(entry, random.bytes(32), bob), DecryptionError);
    throws(() => unwrapKey({ ...entry, ephemeral: alicePublic }, cipher.salt, bob), DecryptionError);
    throws(() => unwrapKey({ ...entry, wrapped: wrapped.slice(1) }, cipher.salt, bob), BadInputError);
    assert.deepEqual(unwrapKey(entry, cipher.salt, bob), cipher.key);
  });

  it("refuses points of low order, for which the shared secret would be public", () => {
    const lowOrder = [
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ].map(hex);
    for (const point of lowOrder) {
      throws(() => wrapKey(cipher, point, random.bytes(32)), BadInputError);
      const entry = { ...wrapKey(cipher, bobPublic, alice), ephemeral: point };
      throws(() => unwrapKey(entry, cipher.salt, bob), BadInputError);
    }
  });
});
