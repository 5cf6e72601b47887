import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { formatProblem } from "../../../../keepers/src/core/dataset/format.ts";
import type { DatasetSource } from "../../../../keepers/src/storage/readers/source.ts";
import { type WrittenFile, writeRecords } from "../../../../keepers/src/storage/readers/write-records.ts";

/** A folder that goes away with the test. */
export async function temporaryFolder(test: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "assay-readers-"));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files below a folder, making folders on the way. */
export async function writeFiles(folder: string, files: Record<string, Uint8Array | string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

/** All objects of a source, each checked for its size, and the count for what the source said. */
export async function drain(source: DatasetSource): Promise<Uint8Array[]> {
  const objects: Uint8Array[] = [];
  for await (const object of source.objects()) {
    if (object.length !== source.objectSize) throw new Error(`an object has ${object.length} bytes`);
    objects.push(object);
  }
  if (source.objectCount !== undefined && source.objectCount !== objects.length)
    throw new Error("wrong objectCount");
  const problem = formatProblem(source.format(), {
    objectSize: source.objectSize,
    objectCount: objects.length,
  });
  if (problem !== null) throw new Error(`${problem.field}: ${problem.reason}`);
  return objects;
}

/** Reads a source and writes it into `target`, as fetching a dataset does. */
export async function restore(source: DatasetSource, target: string): Promise<WrittenFile[]> {
  const stored = await drain(source);
  return await writeRecords({
    format: source.format(),
    objectSize: source.objectSize,
    objectCount: stored.length,
    async *objects(first, end) {
      yield* stored.slice(first, end);
    },
    target,
  });
}

/** Files by name, as bytes. */
export async function readBack(
  folder: string,
  files: readonly WrittenFile[],
): Promise<Record<string, Buffer>> {
  const read: Record<string, Buffer> = {};
  for (const { path, bytes } of files) {
    read[path] = await readFile(join(folder, path));
    if (read[path].length !== bytes) throw new Error(`${path} has ${read[path].length} bytes, not ${bytes}`);
  }
  return read;
}
