import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { AssayError, BadInputError, exitCode } from "../errors.ts";
import { tagBytes } from "./shape.ts";

/** Bytes of a dataset key, an X25519 key and a salt. */
export const keyBytes = 32;
/** Bytes of a wrapped dataset key: the key and its tag. */
export const wrappedKeyBytes = keyBytes + tagBytes;

/** What a nonce is for: `objects` are counted over the dataset, `hashes` are the hash lists, counted by segment. */
export type SealKind = "objects" | "hashes";

/** The key of one dataset and the salt of its manifest. Neither may be used for a second dataset. */
export type DatasetCipher = { key: Uint8Array; salt: Uint8Array };

export type SealPlace = { kind: SealKind; index: number };

/** A dataset key that one recipient can unwrap. */
export type WrappedKey = {
  /** X25519 public key of the recipient. */
  recipient: Uint8Array;
  /** X25519 public key made for this wrapping only. */
  ephemeral: Uint8Array;
  wrapped: Uint8Array;
};

/** Bytes that do not open under the key: they were altered, belong elsewhere, or the key is another one. */
export class DecryptionError extends AssayError {
  override readonly name: string = "DecryptionError";

  constructor(what: string, next: string, cause?: unknown) {
    super(`${what} cannot be decrypted: its authentication tag is wrong.`, {
      exitCode: exitCode.badInput,
      cause,
      next,
    });
  }
}

/**
 * Seals an object or a hash list: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), cipher text then 16-byte tag. Nonce and
 * associated data are those of the storage protocol, section 2: bytes sealed for one place open at no other.
 * @throws BadInputError when key or salt have a wrong length, or the index is not a safe integer.
 */
export function sealObject(cipher: DatasetCipher, place: SealPlace, plain: Uint8Array): Uint8Array {
  return cipherAt(cipher, place).encrypt(plain);
}

/**
 * Opens what {@link sealObject} sealed.
 * @throws DecryptionError when key, place or bytes are not the ones that were sealed.
 */
export function openObject(cipher: DatasetCipher, place: SealPlace, sealed: Uint8Array): Uint8Array {
  const aead = cipherAt(cipher, place);
  try {
    return aead.decrypt(sealed);
  } catch (cause) {
    const what =
      place.kind === "objects" ? `Object ${place.index}` : `The hash list of segment ${place.index}`;
    throw new DecryptionError(
      what,
      "Check that the key belongs to this dataset; then fetch other shards.",
      cause,
    );
  }
}

/** The X25519 public key of a secret: what a recipient hands out. @throws BadInputError */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  assertLength("The X25519 secret", secret, keyBytes);
  return x25519.getPublicKey(secret);
}

/**
 * Wraps a dataset key for one recipient: an ephemeral X25519 exchange (RFC 7748), HKDF-SHA256 (RFC 5869) with the salt
 * of the dataset, then XChaCha20-Poly1305 under that one-time key with a nonce of zeros.
 * @param ephemeralSecret 32 random bytes, never used again.
 * @throws BadInputError when a length is wrong or the recipient's key is a point of low order.
 */
export function wrapKey(
  cipher: DatasetCipher,
  recipient: Uint8Array,
  ephemeralSecret: Uint8Array,
): WrappedKey {
  assertCipher(cipher);
  assertLength("The recipient's key", recipient, keyBytes);
  const ephemeral = publicKeyOf(ephemeralSecret);
  const shared = sharedSecret(ephemeralSecret, recipient, "The recipient's key");
  const wrapped = wrapper(shared, cipher.salt, ephemeral, recipient).encrypt(cipher.key);
  return { recipient, ephemeral, wrapped };
}

/**
 * Unwraps a dataset key with the recipient's X25519 secret.
 * @throws BadInputError when a length is wrong or the ephemeral key is a point of low order.
 * @throws DecryptionError when the secret is another recipient's, or the salt or the wrapped bytes were altered.
 */
export function unwrapKey(entry: WrappedKey, salt: Uint8Array, secret: Uint8Array): Uint8Array {
  assertLength("The wrapped key", entry.wrapped, wrappedKeyBytes);
  assertLength("The ephemeral key", entry.ephemeral, keyBytes);
  assertLength("The salt", salt, keyBytes);
  const recipient = publicKeyOf(secret);
  const shared = sharedSecret(secret, entry.ephemeral, "The ephemeral key");
  try {
    return wrapper(shared, salt, entry.ephemeral, recipient).decrypt(entry.wrapped);
  } catch (cause) {
    throw new DecryptionError(
      "The dataset key",
      "Use the secret of the recipient it was wrapped for.",
      cause,
    );
  }
}

function cipherAt(cipher: DatasetCipher, { kind, index }: SealPlace) {
  assertCipher(cipher);
  if (!Number.isSafeInteger(index) || index < 0)
    throw new BadInputError(`There is no object or segment ${index}.`);
  const nonce = new Uint8Array(24);
  const view = new DataView(nonce.buffer);
  view.setBigUint64(8, kind === "objects" ? 0n : 1n);
  view.setBigUint64(16, BigInt(index));
  return xchacha20poly1305(cipher.key, nonce, associatedData(cipher.salt));
}

function associatedData(salt: Uint8Array): Uint8Array {
  return keccak_256(concatBytes(utf8ToBytes("assay/dataset"), salt));
}

function wrapper(shared: Uint8Array, salt: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array) {
  const info = concatBytes(utf8ToBytes("assay/key-wrap"), ephemeral, recipient);
  return xchacha20poly1305(
    hkdf(sha256, shared, salt, info, keyBytes),
    new Uint8Array(24),
    associatedData(salt),
  );
}

/** RFC 7748, section 6.1: an all-zero result means a point of low order, which noble refuses. */
function sharedSecret(secret: Uint8Array, publicKey: Uint8Array, what: string): Uint8Array {
  try {
    return x25519.getSharedSecret(secret, publicKey);
  } catch (cause) {
    throw new BadInputError(`${what} is no usable X25519 public key.`, { cause });
  }
}

function assertCipher({ key, salt }: DatasetCipher): void {
  assertLength("The dataset key", key, keyBytes);
  assertLength("The salt", salt, keyBytes);
}

function assertLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length === length) return;
  throw new BadInputError(`${what} has ${bytes.length} bytes; it must have ${length}.`);
}
