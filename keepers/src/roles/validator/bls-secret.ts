import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesToHex, hexToBytes } from "viem";
import { secretFrom } from "../../core/attestation/bls.ts";
import { AssayError, exitCode } from "../../core/errors.ts";

const fileName = "bls.key";
const hex = /^0x[0-9a-f]{64}$/;

/** The file with a validator's BLS secret cannot be used. */
export class BlsSecretError extends AssayError {
  override readonly name: string = "BlsSecretError";

  constructor(path: string, cause?: unknown) {
    super(`${path} does not hold 32 bytes of hex`, {
      kept: "The file was left as it is.",
      next: "Restore it from a backup: a validator cannot change its key without leaving first.",
      exitCode: exitCode.configuration,
      cause,
    });
  }
}

/**
 * The BLS secret of a validator: 32 random bytes in `bls.key` in its data directory, readable by the owner alone; made
 * there on the first start.
 * @throws BlsSecretError when the file is damaged
 */
export async function loadOrCreateBlsSecret(dataDirectory: string): Promise<bigint> {
  await mkdir(dataDirectory, { recursive: true });
  const path = join(dataDirectory, fileName);
  const known = await read(path);
  if (known !== undefined) return secretFrom(known);
  const temporary = `${path}.${randomUUID()}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(bytesToHex(randomBytes(32)));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link, unlike a rename, never replaces: of two processes that start at once, both use the key of the first.
    await link(temporary, path);
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  return secretFrom((await read(path))!);
}

async function read(path: string): Promise<Uint8Array | undefined> {
  let text: string;
  try {
    text = (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
  if (!hex.test(text)) throw new BlsSecretError(path);
  return hexToBytes(text as `0x${string}`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
