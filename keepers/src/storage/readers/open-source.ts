import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { BadInputError } from "../../core/errors.ts";
import { diskFile } from "./bytes.ts";
import type { CsvOptions } from "./csv.ts";
import { readDigits } from "./digits.ts";
import { readFolder } from "./folder.ts";
import { kindOfName, labelsNames, openFile, type SourceKind } from "./kinds.ts";
import { type MnistOptions, openMnist } from "./mnist.ts";
import { type DatasetSource, UnreadableFileError } from "./source.ts";

export type SourceOptions = {
  /** How to read it; by default what the name says. */
  kind?: SourceKind;
  /** IDX file of labels; by default the one beside `…-images-idx3-ubyte`. */
  labels?: string;
  csv?: Omit<CsvOptions, "maxBytes">;
  mnist?: Omit<MnistOptions, "split">;
  /** Bytes of an object for lines, folders and files; records of IDX and CSV have their own. */
  objectSize?: number;
  /** Most unpacked bytes of one file. */
  maxBytes?: number;
};

/**
 * Opens data for `put`: `digits` (built in), `mnist` or `mnist:train`, `mnist:test`, or a path: an IDX, CSV, JSON Lines
 * or any other file, or a folder. A path that is called like a built-in dataset is written with `./`.
 * @throws UnreadableFileError, BadInputError that names file and line, DownloadError
 */
export async function openSource(specifier: string, options: SourceOptions = {}): Promise<DatasetSource> {
  if (options.kind === undefined) {
    if (specifier === "digits") return await readDigits();
    const mnist = /^mnist(?::(train|test))?$/.exec(specifier);
    if (mnist !== null)
      return await openMnist({ ...options.mnist, split: mnist[1] === "test" ? "test" : "train" });
  }
  const stats = await stat(specifier).catch((cause: unknown) => {
    throw new UnreadableFileError(specifier, cause);
  });
  const kind = options.kind ?? (stats.isDirectory() ? "folder" : kindOfName(specifier));
  if ((kind === "folder") !== stats.isDirectory()) {
    throw new BadInputError(
      `${specifier} is ${stats.isDirectory() ? "a folder" : "no folder"}, so it cannot be read as ${kind}.`,
      {
        next: "Leave the kind out, or name another path.",
      },
    );
  }
  if (kind === "folder") return readFolder(specifier, options);
  const labels = options.labels ?? labelsBeside(specifier);
  return await openFile(kind, diskFile(specifier), {
    ...options,
    labels: labels === undefined ? undefined : diskFile(labels),
  });
}

/** The file of labels beside a file of images, when it is there. */
function labelsBeside(path: string): string | undefined {
  return labelsNames(path).find((candidate) => existsSync(candidate));
}
