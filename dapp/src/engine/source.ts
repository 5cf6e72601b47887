import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { filesSource } from "../../../keepers/src/storage/readers/files-source.ts";
import { kindOfName, labelsNames, openFile } from "../../../keepers/src/storage/readers/kinds.ts";
import type { DatasetSource } from "../../../keepers/src/storage/readers/source.ts";
import type { ChosenFile, EncodeInput } from "./methods.ts";
import { pageFile } from "./page-file.ts";

/**
 * Reads what was chosen as `assay data put` reads it: a folder as its files; a single file by what its name says, with the
 * IDX file of labels beside it.
 * @throws BadInputError that names file and line, UnreadableFileError
 */
export async function openChosen(input: EncodeInput): Promise<DatasetSource> {
  const { files, folder, kind, label, objectSize } = input;
  if (files.length === 0)
    throw new BadInputError("There is no file.", { next: "Choose a file or a folder." });
  if (folder !== undefined) {
    if (kind !== undefined && kind !== "folder")
      throw new BadInputError(`${folder} is a folder, so it cannot be read as ${kind}.`);
    return folderSource(folder, files, objectSize);
  }
  if (kind === "folder") throw new BadInputError(`${files[0]!.path} is no folder.`);
  const { items, labels } = pairOf(files);
  return await openFile(kind ?? kindOfName(items.path), pageFile(items.path, items.file), {
    labels: labels && pageFile(labels.path, labels.file),
    objectSize,
    csv: label === undefined ? undefined : { label },
  });
}

function folderSource(folder: string, files: readonly ChosenFile[], objectSize?: number): DatasetSource {
  const byPath = new Map(files.map(({ path, file }) => [path, file]));
  if (byPath.size < files.length) throw new BadInputError(`${folder} has two files of one name.`);
  return filesSource({
    path: folder,
    name: folder,
    objectSize,
    list: () => Promise.resolve([...byPath.keys()]),
    read: (path) => Promise.resolve(pageFile(`${folder}/${path}`, byPath.get(path)!).read({ gunzip: false })),
  });
}

/** One file, or one with its labels. */
function pairOf(files: readonly ChosenFile[]): { items: ChosenFile; labels: ChosenFile | undefined } {
  if (files.length === 1) return { items: files[0]!, labels: undefined };
  for (const items of files) {
    const names = labelsNames(items.path);
    const labels = files.find(({ path }) => names.includes(path));
    if (files.length === 2 && labels !== undefined) return { items, labels };
  }
  throw new BadInputError(`${files.length} files were chosen that do not belong together.`, {
    next: "Put them into a folder and choose that, or choose one file, or an IDX file with its labels.",
  });
}
