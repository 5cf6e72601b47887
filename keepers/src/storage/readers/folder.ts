import { opendir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { maxPackedRecords } from "../../core/dataset/format.ts";
import { assertRelativePath } from "../../core/dataset/names.ts";
import type { PackedRecord } from "../../core/dataset/packed.ts";
import { openRegular, readHandle, sourceName } from "./bytes.ts";
import { packedSource } from "./packed.ts";
import { type DatasetSource, malformed, UnreadableFileError } from "./source.ts";

const maxFolderDepth = 64;

export type FolderOptions = { objectSize?: number; maxBytes?: number };

/**
 * Reads a folder with all below it: a record is a file, named by its path relative to the folder, in the order of the
 * names. Empty folders, times and permissions are not kept.
 * @throws BadInputError for symbolic links and special files, and for names that could not be restored everywhere.
 */
export function readFolder(path: string, { objectSize, maxBytes }: FolderOptions = {}): DatasetSource {
  return packedSource(
    { name: sourceName(path), content: "files", file: null, objectSize },
    async function* (): AsyncGenerator<PackedRecord> {
      for (const file of await listFiles(path)) {
        const full = join(path, ...file.split("/"));
        const handle = await openRegular(full, { followLink: false });
        yield { name: file, pieces: readHandle(handle, full, { maxBytes, gunzip: false }) };
      }
    },
  );
}

/** Reads one file of any kind as it is: a folder with that file alone. */
export function readSingleFile(path: string, { objectSize, maxBytes }: FolderOptions = {}): DatasetSource {
  const name = basename(resolve(path));
  assertRelativePath(name);
  return packedSource(
    { name: sourceName(path), content: "files", file: null, objectSize },
    async function* (): AsyncGenerator<PackedRecord> {
      const handle = await openRegular(path, { followLink: true });
      yield { name, pieces: readHandle(handle, path, { maxBytes, gunzip: false }) };
    },
  );
}

async function listFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  const folders: { relative: string; depth: number }[] = [{ relative: "", depth: 0 }];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const full = join(root, ...folder.relative.split("/"));
    if (folder.depth > maxFolderDepth)
      throw malformed(full, null, `it lies more than ${maxFolderDepth} folders deep`);
    const directory = await opendir(full).catch((cause: unknown) => {
      throw new UnreadableFileError(full, cause);
    });
    for await (const entry of directory) {
      const relative = folder.relative === "" ? entry.name : `${folder.relative}/${entry.name}`;
      assertRelativePath(relative);
      if (entry.isDirectory()) folders.push({ relative, depth: folder.depth + 1 });
      else if (entry.isFile()) found.push(relative);
      else
        throw malformed(
          join(full, entry.name),
          null,
          kindOf(entry),
          "Remove it, or replace it by a plain file.",
        );
    }
    if (found.length > maxPackedRecords)
      throw malformed(root, null, `it has more than ${maxPackedRecords} files`);
  }
  if (found.length === 0) throw malformed(root, null, "the folder has no files");
  return found.sort();
}

function kindOf(entry: { isSymbolicLink(): boolean }): string {
  return entry.isSymbolicLink()
    ? "it is a symbolic link, and links are not followed"
    : "it is no regular file";
}
