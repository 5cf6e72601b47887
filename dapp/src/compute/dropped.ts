import { BadInputError } from "../../../keepers/src/core/errors.ts";
import type { ChosenFile } from "../engine/methods.ts";

/** What was chosen: a folder with all below it, or files. */
export type Chosen = { readonly folder?: string; readonly files: readonly ChosenFile[] };

/** What an input of type file holds; one that takes a folder gives paths that begin with its name. */
export function chosenOf(list: FileList): Chosen {
  const files = [...list];
  const [folder] = files[0]?.webkitRelativePath.split("/") ?? [];
  if (folder === undefined || folder === "")
    return { files: files.map((file) => ({ path: file.name, file })) };
  return {
    folder,
    files: files.map((file) => ({ path: file.webkitRelativePath.slice(folder.length + 1), file })),
  };
}

/**
 * What was dropped. Folders are read to their end; what a browser hides of them is not there.
 *
 * @throws BadInputError where that is no file, or more than the one that is taken
 */
export async function droppedOf(transfer: DataTransfer, takesFolders: boolean): Promise<Chosen> {
  // Entries have to be taken before anything is waited for: the transfer is empty afterwards. Text and links have none.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const chosen = await chosenFrom(entries);
  const count = chosen.files.length;
  if (count === 0) {
    throw new BadInputError(
      entries.length === 0 ? "That is no file: text or a link, perhaps." : "There is no file in that folder.",
      { next: takesFolders ? "Drop files or a folder, or choose them." : "Drop a file, or choose one." },
    );
  }
  if (!takesFolders && count > 1) {
    throw new BadInputError(`These are ${count} files.`, { next: "Drop the one that is meant." });
  }
  return chosen;
}

async function chosenFrom(entries: readonly FileSystemEntry[]): Promise<Chosen> {
  const [first] = entries;
  if (entries.length === 1 && first?.isDirectory === true)
    return { folder: first.name, files: await filesBelow(first as FileSystemDirectoryEntry, "") };
  const files: ChosenFile[] = [];
  for (const entry of entries) {
    if (entry.isDirectory)
      files.push(...(await filesBelow(entry as FileSystemDirectoryEntry, `${entry.name}/`)));
    else files.push({ path: entry.name, file: await fileOf(entry as FileSystemFileEntry) });
  }
  return entries.some(({ isDirectory }) => isDirectory) ? { folder: "dataset", files } : { files };
}

async function filesBelow(folder: FileSystemDirectoryEntry, path: string): Promise<ChosenFile[]> {
  const reader = folder.createReader();
  const files: ChosenFile[] = [];
  // A reader gives some at a time, and none at the end.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return files;
    for (const entry of entries) {
      const at = `${path}${entry.name}`;
      if (entry.isDirectory) files.push(...(await filesBelow(entry as FileSystemDirectoryEntry, `${at}/`)));
      else files.push({ path: at, file: await fileOf(entry as FileSystemFileEntry) });
    }
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
