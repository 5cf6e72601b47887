import { assertNewPath } from "../../core/dataset/names.ts";
import type { PackedRecord } from "../../core/dataset/packed.ts";
import { splitLines } from "./lines.ts";
import { packedSource } from "./packed.ts";
import { type InputFile, plainName, sourceName } from "./pieces.ts";
import { type DatasetSource, malformed } from "./source.ts";

export type LinesOptions = {
  /** What each line must be: JSON, a CSV row (quoted line feeds belong to the row), or anything. */
  check: "json" | "csv" | "none";
  objectSize?: number;
  maxBytes?: number;
};

/**
 * Reads a text file line by line: a record is a line with its terminator, so the records joined are the file.
 * @throws BadInputError that names file and line when a line is empty or no JSON (with `check: "json"`), or too long.
 */
export function readLines(source: InputFile, { check, objectSize, maxBytes }: LinesOptions): DatasetSource {
  const { path } = source;
  const file = plainName(source);
  assertNewPath(file);
  return packedSource(
    { name: sourceName(source), content: "lines", file, objectSize },
    async function* (): AsyncGenerator<PackedRecord> {
      for await (const { number, bytes } of splitLines(source.read({ maxBytes }), path, {
        quoted: check === "csv",
      })) {
        if (check === "json") assertJson(path, number, bytes);
        yield { name: "", pieces: [bytes] };
      }
    },
  );
}

function assertJson(path: string, line: number, bytes: Uint8Array): void {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed(path, line, "it is not UTF-8 text");
  }
  if (text.trim() === "") throw malformed(path, line, "it is empty; every line must hold one JSON value");
  try {
    JSON.parse(text);
  } catch (cause) {
    throw malformed(path, line, `it is not JSON (${(cause as Error).message})`);
  }
}
