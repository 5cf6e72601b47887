import { maxPackedRecords } from "../../core/dataset/format.ts";
import { assertNewPath } from "../../core/dataset/names.ts";
import type { PackedRecord } from "../../core/dataset/packed.ts";
import { packedSource } from "./packed.ts";
import { type InputFile, sourceName } from "./pieces.ts";
import { type DatasetSource, malformed } from "./source.ts";

export type FilesParameters = {
  /** The folder, for errors. */
  path: string;
  /** The folder's name. */
  name: string;
  /** Paths below the folder, with `/` between their parts; asked for at each pass. */
  list(): Promise<readonly string[]>;
  /** The bytes of a file as they are. */
  read(file: string): Promise<AsyncIterable<Uint8Array>>;
  objectSize?: number;
};

/**
 * A folder as a dataset: a record is a file, named by its path relative to the folder, in the order of the names.
 * @throws BadInputError for names that could not be restored everywhere
 */
export function filesSource({ path, name, list, read, objectSize }: FilesParameters): DatasetSource {
  return packedSource(
    { name: sourceName({ name }), content: "files", file: null, objectSize },
    async function* (): AsyncGenerator<PackedRecord> {
      const files = await list();
      if (files.length === 0) throw malformed(path, null, "the folder has no files");
      if (files.length > maxPackedRecords) throw tooManyFiles(path);
      for (const file of files) assertNewPath(file);
      for (const file of [...files].sort()) yield { name: file, pieces: await read(file) };
    },
  );
}

/** Reads one file of any kind as it is: a folder with that file alone. */
export function readSingleFile(
  file: InputFile,
  { objectSize, maxBytes }: { objectSize?: number; maxBytes?: number } = {},
): DatasetSource {
  const { path, name } = file;
  assertNewPath(name);
  return filesSource({
    path,
    name,
    objectSize,
    list: () => Promise.resolve([name]),
    read: () => Promise.resolve(file.read({ maxBytes, gunzip: false })),
  });
}

/** The failure of a folder with more files than a dataset has records. */
export function tooManyFiles(path: string): Error {
  return malformed(path, null, `it has more than ${maxPackedRecords} files`);
}
