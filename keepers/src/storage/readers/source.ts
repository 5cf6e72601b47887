import type { DatasetFormat } from "../../core/dataset/format.ts";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";

/** Data that is ready to become a dataset: objects of one size, in order, and how to read records from them. */
export type DatasetSource = {
  /** A name for the dataset: the file's or folder's own. */
  name: string;
  /** Bytes of each object. */
  objectSize: number;
  /** Objects, when that is known before they are read. */
  objectCount: number | undefined;
  /** Reads the objects from the start; may be called again, for instance to resume an upload. */
  objects(): AsyncIterable<Uint8Array>;
  /** The manifest's format. Throws until the objects have been read to the end once. */
  format(): DatasetFormat;
  licence: string;
  description: string;
};

/** Most unpacked bytes that a reader takes from one file, unless told otherwise: more than one dataset can hold. */
export const defaultMaxFileBytes = 16 * 2 ** 30;
/** Longest line of a text file. */
export const maxLineBytes = 16 * 2 ** 20;

/** A file that cannot be read: absent, a folder, without permission. */
export class UnreadableFileError extends AssayError {
  override readonly name: string = "UnreadableFileError";

  constructor(path: string, cause: unknown) {
    super(`${path} cannot be read: ${reasonOf(cause)}.`, {
      exitCode: exitCode.unavailable,
      cause,
      next: "Check the path and its permissions.",
    });
  }
}

/** A malformed place in a file: names the file and, for text, the line. */
export function malformed(path: string, line: number | null, what: string, next?: string): BadInputError {
  const place = line === null ? path : `${path}, line ${line}`;
  return new BadInputError(`${place}: ${what}.`, { next: next ?? "Correct the file and try again." });
}

const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ELOOP: "it is a symbolic link",
};

/** The reason behind a file system error, in words. */
export function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return reasons[code ?? ""] ?? message ?? String(cause);
}
