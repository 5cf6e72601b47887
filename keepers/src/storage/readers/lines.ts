import { concatBytes } from "viem";
import { malformed, maxLineBytes } from "./source.ts";

const lineFeed = 0x0a;
const quote = 0x22;

/** A line with its terminator; `number` counts lines of the file from 1 and is that of its first one. */
export type Line = { number: number; bytes: Uint8Array };

/**
 * Cuts bytes into lines, terminators included: joined again they are the file. With `quoted`, a line feed between double
 * quotes does not end a line, as in CSV (RFC 4180).
 * @throws BadInputError when a line is longer than 16 MiB.
 */
export async function* splitLines(
  pieces: AsyncIterable<Uint8Array>,
  path: string,
  { quoted }: { quoted: boolean },
): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 1;
  let feeds = 0;
  let inQuotes = false;
  for await (const piece of pieces) {
    let from = 0;
    for (let at = 0; at < piece.length; at++) {
      if (quoted && piece[at] === quote) inQuotes = !inQuotes;
      if (piece[at] !== lineFeed) continue;
      feeds++;
      if (inQuotes) continue;
      parts.push(piece.subarray(from, at + 1));
      yield { number, bytes: join(parts) };
      parts = [];
      length = 0;
      from = at + 1;
      number += feeds;
      feeds = 0;
    }
    if (from === piece.length) continue;
    parts.push(piece.subarray(from));
    length += piece.length - from;
    if (length > maxLineBytes) throw malformed(path, number, `the line is longer than ${maxLineBytes} bytes`);
  }
  if (parts.length > 0) yield { number, bytes: join(parts) };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : concatBytes(parts);
}
