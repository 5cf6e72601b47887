import { BadInputError } from "../errors.ts";
import { printable } from "../printable.ts";

/** Longest relative path of a file in a dataset, in UTF-8 bytes. */
export const maxPathBytes = 1024;

/** Longest name of a dataset, in UTF-16 code units. */
export const maxNameLength = 128;

const utf8 = new TextEncoder();

/**
 * Why a relative path cannot be the name of a file in a dataset, or null when it can. Segments are separated by `/`.
 * Refused is whatever could leave the target folder on any platform: absolute paths, drive letters, `.` and `..`,
 * backslashes, control characters.
 */
export function pathProblem(path: string): string | null {
  if (path.length === 0) return "it is empty";
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (utf8.encode(path).length > maxPathBytes) return `it has more than ${maxPathBytes} bytes`;
  if (path.includes("\\")) return "it has a backslash";
  if (hasControl(path)) return "it has a control character";
  if (/^[A-Za-z]:/.test(path)) return "it starts with a drive letter";
  for (const segment of path.split("/")) {
    if (segment === "") return "it is absolute or has an empty segment";
    if (segment === "." || segment === "..") return `it has a segment "${segment}"`;
  }
  return null;
}

/** As {@link pathProblem}, for a name without folders. */
export function fileNameProblem(name: string): string | null {
  return name.includes("/") ? "it has a slash" : pathProblem(name);
}

/**
 * As {@link pathProblem}, for a name that is given to something new: no terminal may obey it, and none may look like another.
 * Names that are anchored already are read as before, and shown escaped.
 */
export function newPathProblem(path: string): string | null {
  return (
    pathProblem(path) ?? (/[\p{Cc}\p{Cf}]/u.test(path) ? "it has a character that cannot be seen" : null)
  );
}

/** @throws BadInputError when the path cannot be given to a file of a new dataset. */
export function assertNewPath(path: string): void {
  refuse(path, newPathProblem(path));
}

/** @throws BadInputError when the path could leave the folder it is written to, or cannot be a name. */
export function assertRelativePath(path: string): void {
  refuse(path, pathProblem(path));
}

function refuse(path: string, problem: string | null): void {
  if (problem === null) return;
  throw new BadInputError(
    `The file name ${printable(JSON.stringify(path.slice(0, 200)))} is refused: ${problem}.`,
    {
      next: "Rename the file; names in a dataset are relative paths with / between folders.",
    },
  );
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code === 127) return true;
  }
  return false;
}
