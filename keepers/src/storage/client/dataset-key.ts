import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Hex, hexToBytes, type LocalAccount, toBytes } from "viem";
import { type DatasetCipher, keyBytes, publicKeyOf, unwrapKey } from "../../core/dataset/encryption.ts";
import type { Manifest } from "../../core/dataset/manifest.ts";
import { AssayError, exitCode } from "../../core/errors.ts";

/** The dataset is encrypted and none of the keys at hand opens it. */
export class NoDatasetKeyError extends AssayError {
  override readonly name: string = "NoDatasetKeyError";

  constructor(recipient: string | undefined) {
    const who = recipient === undefined ? "no key was given" : `its key is not wrapped for ${recipient}`;
    super(`the dataset is encrypted and ${who}`, {
      kept: "Nothing was downloaded or written.",
      next: "Use an account that the dataset was encrypted for, or ask its owner to put it for your key as well.",
      exitCode: exitCode.refused,
    });
  }
}

/**
 * The X25519 secret with which an account reads datasets: derived from its signature over a fixed message, so that the
 * account's key is the only one to keep. Signatures of local accounts are deterministic (RFC 6979).
 */
export async function readingSecret(account: LocalAccount): Promise<Uint8Array> {
  const signature = await account.signTypedData({
    domain: { name: "Assay dataset keys", version: "1" },
    types: { DatasetKeys: [{ name: "purpose", type: "string" }] },
    primaryType: "DatasetKeys",
    message: { purpose: "Derive the key that decrypts my Assay datasets. Sign this only in Assay." },
  });
  return hkdf(
    sha256,
    hexToBytes(signature).subarray(0, 64),
    undefined,
    toBytes("assay/reading-key"),
    keyBytes,
  );
}

/** The public key to encrypt datasets for an account. */
export async function readingKey(account: LocalAccount): Promise<Uint8Array> {
  return publicKeyOf(await readingSecret(account));
}

/**
 * Key and salt of a dataset; null when it is not encrypted.
 * @param secret X25519 secret of a recipient
 * @throws NoDatasetKeyError, DecryptionError when the wrapped key was altered
 */
export function openDatasetKey(
  { encryption }: Manifest,
  secret: Uint8Array | undefined,
): DatasetCipher | null {
  if (encryption === null) return null;
  if (secret === undefined) throw new NoDatasetKeyError(undefined);
  const recipient = bytesToHex(publicKeyOf(secret));
  const entry = encryption.keys.find((key) => key.recipient === recipient);
  if (entry === undefined) throw new NoDatasetKeyError(recipient);
  const salt = hexToBytes(encryption.salt as Hex);
  const wrapped = {
    recipient: hexToBytes(entry.recipient as Hex),
    ephemeral: hexToBytes(entry.ephemeral as Hex),
    wrapped: hexToBytes(entry.wrapped as Hex),
  };
  return { key: unwrapKey(wrapped, salt, secret), salt };
}
