import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stagedBundlePath } from "./put-journal.ts";
import { transportRootOf } from "./roots.ts";

/**
 * A bundle of a dataset that was stored from here, as long as its copy is kept (`PutParameters.keep`).
 *
 * @param directory that its uploads were given
 * @param transportRoot what it was anchored with: another upload's bundle is not taken for it
 * @returns undefined when it is not here, or not whole
 */
export async function readKeptBundle(
  directory: string,
  bundleIndex: number,
  transportRoot: string,
): Promise<Uint8Array | undefined> {
  const uploads = await readdir(directory).catch(() => []);
  for (const upload of uploads) {
    const bytes = await readFile(stagedBundlePath(join(directory, upload), bundleIndex)).catch(
      () => undefined,
    );
    if (bytes !== undefined && transportRootOf(bytes) === transportRoot) return bytes;
  }
  return undefined;
}
