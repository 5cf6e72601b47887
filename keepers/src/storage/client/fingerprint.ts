import { createHash } from "node:crypto";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UnreadableFileError } from "../readers/source.ts";

/**
 * Tells whether a file or folder is the one of an earlier upload, without reading it: names, sizes and times of change.
 * @throws UnreadableFileError
 */
export async function fingerprint(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    await add(path, "");
  } catch (cause) {
    throw new UnreadableFileError(path, cause);
  }
  return hash.digest("hex");

  async function add(full: string, relative: string): Promise<void> {
    const stats = await lstat(full, { bigint: true });
    hash.update(`${relative}\0${stats.size}\0${stats.mtimeNs}\0`);
    if (!stats.isDirectory()) return;
    for (const name of (await readdir(full)).sort()) await add(join(full, name), `${relative}/${name}`);
  }
}
