import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { StorageFullError } from "./errors.ts";

/** What a file system says when it has no room: ENOSPC, a quota, a limit on file sizes. */
const fullDisk = /\b(ENOSPC|EDQUOT|EFBIG)\b/;

/**
 * Writes a file that appears complete or not at all, even when the machine stops: to `temporary` first, on the same
 * file system, synced, then renamed. The temporary's name begins with this process's id.
 * @throws StorageFullError when the disk is full; nothing is left then
 */
export async function writeAtomically(
  path: string,
  bytes: Uint8Array,
  temporaryFolder: string,
  signal?: AbortSignal,
): Promise<void> {
  const temporary = join(temporaryFolder, `${process.pid}-${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(bytes, { signal });
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asFullDisk(error, temporaryFolder);
  }
}

/** Makes renames in a folder durable. Windows has no such call, and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A StorageFullError when that is what happened, else the error itself. Some libraries keep only the words. */
export function asFullDisk(error: unknown, where: string): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return fullDisk.test(`${code} ${String(error)}`) ? new StorageFullError(where, { cause: error }) : error;
}

/** Whether a file system error has this code. */
export function isErrorCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
