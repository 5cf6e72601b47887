import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { AssayError, exitCode } from "../core/errors.ts";

/** The run's folder cannot be written: a full disk, a folder without permission. */
export class CannotWriteRunError extends AssayError {
  override readonly name: string = "CannotWriteRunError";

  constructor(path: string, cause: unknown) {
    super(`${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      exitCode: exitCode.cannotWrite,
      kept: "The last checkpoint is intact.",
      next: "Free some space, then go on with --resume.",
      cause,
    });
  }
}

/**
 * Writes a file that is there whole or not at all, even when the machine stops: under another name first, synced, then
 * renamed, then the folder synced.
 *
 * @throws CannotWriteRunError; what stood there before stays
 */
export async function writeWhole(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    // Where the folder itself is gone there is nothing to remove.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new CannotWriteRunError(path, error);
  }
}

/** Makes renames in a folder durable. Windows has no such call, and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
