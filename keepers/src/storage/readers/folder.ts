import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { maxPackedRecords } from "../../core/dataset/format.ts";
import { assertNewPath } from "../../core/dataset/names.ts";
import { diskName, openRegular, readHandle } from "./bytes.ts";
import { filesSource, tooManyFiles } from "./files-source.ts";
import { type DatasetSource, malformed, UnreadableFileError } from "./source.ts";

const maxFolderDepth = 64;

export type FolderOptions = { objectSize?: number; maxBytes?: number };

/**
 * Reads a folder with all below it: see {@link filesSource}. Empty folders, times and permissions are not kept.
 * @throws BadInputError for symbolic links and special files, and for names that could not be restored everywhere.
 */
export function readFolder(path: string, { objectSize, maxBytes }: FolderOptions = {}): DatasetSource {
  return filesSource({
    path,
    name: diskName(path),
    objectSize,
    list: () => listFiles(path),
    async read(file) {
      const full = join(path, ...file.split("/"));
      const handle = await openRegular(full, { followLink: false });
      return readHandle(handle, full, { maxBytes, gunzip: false });
    },
  });
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
      assertNewPath(relative);
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
    if (found.length > maxPackedRecords) throw tooManyFiles(root);
  }
  return found;
}

function kindOf(entry: { isSymbolicLink(): boolean }): string {
  return entry.isSymbolicLink()
    ? "it is a symbolic link, and links are not followed"
    : "it is no regular file";
}
