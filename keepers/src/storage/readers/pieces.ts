import { concatBytes } from "viem";
import { maxNameLength, newPathProblem } from "../../core/dataset/names.ts";
import { defaultMaxFileBytes, malformed } from "./source.ts";

export type ReadBytesOptions = {
  /** Most unpacked bytes. */
  maxBytes?: number;
  /** Unpack gzip; by default what the name's `.gz` says. */
  gunzip?: boolean;
};

/** A file that can be read again and again, wherever it lies: on a disk, or given to a page. */
export type InputFile = {
  /** What errors call it: its path. */
  readonly path: string;
  /** The last part of its path. */
  readonly name: string;
  /**
   * Its bytes in pieces, unpacked when it is gzip.
   * @throws UnreadableFileError, BadInputError when gzip is damaged or more than `maxBytes` bytes come out.
   */
  read(options?: ReadBytesOptions): AsyncGenerator<Uint8Array>;
};

/** The file's name without `.gz`. */
export function plainName({ name }: Pick<InputFile, "name">): string {
  return name.replace(/\.gz$/i, "");
}

/** A dataset's name from a file's or folder's; a name that no manifest could hold gives way to "dataset". */
export function sourceName(file: Pick<InputFile, "name">): string {
  const name = plainName(file);
  return name.length <= maxNameLength && !name.includes("/") && newPathProblem(name) === null
    ? name
    : "dataset";
}

/** Whether a file of this name is unpacked when nothing else is said. */
export function isPacked(name: string): boolean {
  return /\.gz$/i.test(name);
}

/** Passes pieces on until there are more bytes than may be. @throws BadInputError */
export async function* limited(
  pieces: AsyncIterable<Uint8Array>,
  path: string,
  { maxBytes = defaultMaxFileBytes, gunzip }: ReadBytesOptions,
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const piece of pieces) {
    total += piece.length;
    if (total > maxBytes) {
      const what = `it holds more than ${maxBytes} bytes${gunzip === true ? " when unpacked" : ""}`;
      throw malformed(path, null, what, "Split it into several files, or raise the limit.");
    }
    yield piece;
  }
}

/** The failure of a file whose packed bytes are no gzip. */
export function damagedGzip(path: string, reason: string): Error {
  return malformed(path, null, `the gzip data is damaged (${reason})`);
}

/** Takes exact numbers of bytes from pieces of any length. */
export class ExactReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, or fewer when the end comes first. */
  async read(length: number): Promise<Uint8Array> {
    if (this.#piece.length >= length) {
      const taken = this.#piece.subarray(0, length);
      this.#piece = this.#piece.subarray(length);
      return taken;
    }
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#piece.length === 0) {
        const next = await this.#pieces.next();
        if (next.done === true) break;
        this.#piece = next.value;
        continue;
      }
      const part = this.#piece.subarray(0, missing);
      this.#piece = this.#piece.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return concatBytes(parts);
  }

  /** Releases what lies behind the pieces. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
