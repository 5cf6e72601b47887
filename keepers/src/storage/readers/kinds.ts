import { type CsvOptions, readCsv } from "./csv.ts";
import { readSingleFile } from "./files-source.ts";
import { readIdx } from "./idx.ts";
import { readLines } from "./lines-source.ts";
import type { InputFile } from "./pieces.ts";
import type { DatasetSource } from "./source.ts";

/** `lines` stores any text file (CSV too) line by line; `file` stores a single file as it is. */
export type SourceKind = "idx" | "csv" | "jsonl" | "lines" | "folder" | "file";

export type FileOptions = {
  /** IDX file of labels. */
  labels?: InputFile;
  csv?: Omit<CsvOptions, "maxBytes">;
  /** Bytes of an object for lines and files; records of IDX and CSV have their own. */
  objectSize?: number;
  /** Most unpacked bytes of one file. */
  maxBytes?: number;
};

/** Reads a file as what it is said to be. @throws UnreadableFileError, BadInputError that names file and line */
export async function openFile(
  kind: Exclude<SourceKind, "folder">,
  file: InputFile,
  { labels, csv, objectSize, maxBytes }: FileOptions = {},
): Promise<DatasetSource> {
  switch (kind) {
    case "idx":
      return await readIdx(file, { labels, maxBytes });
    case "csv":
      return await readCsv(file, { ...csv, maxBytes });
    case "jsonl":
      return readLines(file, { check: "json", objectSize, maxBytes });
    case "lines": {
      const check = /\.csv(\.gz)?$/i.test(file.name) ? "csv" : "none";
      return readLines(file, { check, objectSize, maxBytes });
    }
    case "file":
      return readSingleFile(file, { objectSize, maxBytes });
  }
}

/** What a file's name says it is. */
export function kindOfName(path: string): Exclude<SourceKind, "folder"> {
  const name = path.replace(/\.gz$/i, "");
  if (/\.csv$/i.test(name)) return "csv";
  if (/\.(jsonl|ndjson)$/i.test(name)) return "jsonl";
  if (/(\.idx\d?|[.-]idx\d-(u?byte|short|int|float|double))$/i.test(name)) return "idx";
  return "file";
}

/** What the file of labels beside a file of images is called: `train-labels-idx1-ubyte` for `train-images-idx3-ubyte`. */
export function labelsNames(name: string): readonly string[] {
  const plain = name.replace(/\.gz$/i, "");
  const labels = plain.replace(/images([.-])idx3/i, "labels$1idx1");
  return labels === plain ? [] : [labels, `${labels}.gz`];
}
