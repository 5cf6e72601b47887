import { randomUUID } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { AssayError, exitCode } from "../../core/errors.ts";
import { privateFolder } from "../state/private-folder.ts";

const fileName = "peer.key";

/** The key file of a keeper's network identity cannot be used. */
export class IdentityError extends AssayError {
  override readonly name: string = "IdentityError";

  constructor(path: string, cause: unknown) {
    super(`${path} does not hold a usable peer key`, {
      kept: "The file was left as it is.",
      next: "Restore it from a backup; or move it away, start again and register the new peer id on chain.",
      exitCode: exitCode.configuration,
      cause,
    });
  }
}

/**
 * The Ed25519 key that proves a keeper's peer id, from `peer.key` in its data directory (libp2p's protobuf form,
 * readable by the owner alone); made there on the first start. The peer id is what the operator registers on chain.
 * @throws IdentityError when the file is damaged
 */
export async function loadOrCreateIdentity(dataDirectory: string): Promise<PrivateKey> {
  await privateFolder(dataDirectory);
  const path = join(dataDirectory, fileName);
  const known = await read(path);
  if (known !== undefined) return known;
  const key = await generateKeyPair("Ed25519");
  const temporary = `${path}.${randomUUID()}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(privateKeyToProtobuf(key));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link, unlike a rename, never replaces: of two processes that start at once, both use the key of the first.
    await link(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return (await read(path)) ?? key;
}

/** The peer id of a key, as it stands in a multiaddr and on chain. */
export function peerIdOf(key: PrivateKey): string {
  return peerIdFromPrivateKey(key).toString();
}

async function read(path: string): Promise<PrivateKey | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const key = privateKeyFromProtobuf(bytes);
    if (key.type !== "Ed25519") throw new Error(`its type is ${key.type}, not Ed25519`);
    return key;
  } catch (error) {
    throw new IdentityError(path, error);
  }
}
