import { randomUUID } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { hexToBytes, type LocalAccount } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { OperatorSecrets } from "../../chain/secrets.ts";
import { secretFrom } from "../../core/attestation/bls.ts";
import { AssayError, exitCode } from "../../core/errors.ts";
import { privateFolder } from "../../storage/state/private-folder.ts";

/** Whose key it is, and where it is registered. */
export type BlsOwner = { readonly account: LocalAccount; readonly deployment: Deployment };

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
 * The BLS secret of a validator: 32 bytes in `bls.key` in its data directory, readable by the owner alone; put there on the
 * first start.
 * It is derived from the account's key: a lost file is made again as it was.
 * @throws BlsSecretError when the file is damaged
 */
export async function loadOrCreateBlsSecret(
  dataDirectory: string,
  { account, deployment }: BlsOwner,
): Promise<bigint> {
  await privateFolder(dataDirectory);
  const path = join(dataDirectory, fileName);
  const known = await read(path);
  if (known !== undefined) return secretFrom(known);
  const secrets = await OperatorSecrets.open(account, deployment.chainId);
  const derived = secrets.derive("bls key", addressOf(deployment, "ValidatorSet"));
  const temporary = `${path}.${randomUUID()}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(derived);
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
