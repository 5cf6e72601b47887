import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { BadInputError } from "../../core/errors.ts";
import { type CsvOptions, readCsv } from "./csv.ts";
import { readDigits } from "./digits.ts";
import { readFolder, readSingleFile } from "./folder.ts";
import { readIdx } from "./idx.ts";
import { readLines } from "./lines-source.ts";
import { type MnistOptions, openMnist } from "./mnist.ts";
import { type DatasetSource, UnreadableFileError } from "./source.ts";

/** `lines` stores any text file (CSV too) line by line; `file` stores a single file as it is. */
export type SourceKind = "idx" | "csv" | "jsonl" | "lines" | "folder" | "file";

export const sourceKinds: readonly SourceKind[] = ["idx", "csv", "jsonl", "lines", "folder", "file"];

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
  const { objectSize, maxBytes } = options;
  switch (kind) {
    case "idx":
      return await readIdx(specifier, { labels: options.labels ?? labelsBeside(specifier), maxBytes });
    case "csv":
      return await readCsv(specifier, { ...options.csv, maxBytes });
    case "jsonl":
      return readLines(specifier, { check: "json", objectSize, maxBytes });
    case "lines":
      return readLines(specifier, {
        check: /\.csv(\.gz)?$/i.test(specifier) ? "csv" : "none",
        objectSize,
        maxBytes,
      });
    case "folder":
      return readFolder(specifier, { objectSize, maxBytes });
    case "file":
      return readSingleFile(specifier, { objectSize, maxBytes });
  }
}

function kindOfName(path: string): SourceKind {
  const name = path.replace(/\.gz$/i, "");
  if (/\.csv$/i.test(name)) return "csv";
  if (/\.(jsonl|ndjson)$/i.test(name)) return "jsonl";
  if (/(\.idx\d?|[.-]idx\d-(u?byte|short|int|float|double))$/i.test(name)) return "idx";
  return "file";
}

/** `train-labels-idx1-ubyte` for `train-images-idx3-ubyte`, with or without `.gz`, when it is there. */
function labelsBeside(path: string): string | undefined {
  const plain = path.replace(/\.gz$/i, "");
  const labels = plain.replace(/images([.-])idx3/i, "labels$1idx1");
  return labels === plain ? undefined : [labels, `${labels}.gz`].find((candidate) => existsSync(candidate));
}
