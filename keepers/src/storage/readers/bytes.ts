import { constants, type FileHandle, open } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { fileNameProblem, maxNameLength } from "../../core/dataset/names.ts";
import { defaultMaxFileBytes, malformed, UnreadableFileError } from "./source.ts";

export type ReadBytesOptions = {
  /** Most unpacked bytes. */
  maxBytes?: number;
  /** Unpack gzip; by default what the name's `.gz` says. */
  gunzip?: boolean;
};

/** The file's name without folders and without `.gz`. */
export function plainName(path: string): string {
  return basename(path).replace(/\.gz$/i, "");
}

/** A dataset's name from a path's last part; a name that no manifest could hold gives way to "dataset". */
export function sourceName(path: string): string {
  const name = basename(resolve(path)).replace(/\.gz$/i, "");
  return name.length <= maxNameLength && fileNameProblem(name) === null ? name : "dataset";
}

/**
 * The bytes of a regular file, unpacked when it is gzip, in pieces. A symbolic link as last part of the path is followed
 * only when `path` came from the user; folders are read with {@link openRegular}.
 * @throws UnreadableFileError, BadInputError when gzip is damaged or more than `maxBytes` bytes come out.
 */
export async function* readBytes(path: string, options: ReadBytesOptions = {}): AsyncGenerator<Uint8Array> {
  const handle = await openRegular(path, { followLink: true });
  yield* readHandle(handle, path, options);
}

/** As {@link readBytes}, from an open file, which is closed at the end. */
export async function* readHandle(
  handle: FileHandle,
  path: string,
  { maxBytes = defaultMaxFileBytes, gunzip = /\.gz$/i.test(path) }: ReadBytesOptions,
): AsyncGenerator<Uint8Array> {
  const file = handle.createReadStream({ highWaterMark: 256 * 1024 });
  const bytes = gunzip ? unzip(file) : file;
  let total = 0;
  try {
    for await (const piece of bytes as AsyncIterable<Uint8Array>) {
      total += piece.length;
      if (total > maxBytes) {
        throw malformed(
          path,
          null,
          `it holds more than ${maxBytes} bytes${gunzip ? " when unpacked" : ""}`,
          splitHint,
        );
      }
      yield piece;
    }
  } catch (error) {
    throw isZlibError(error) ? malformed(path, null, `the gzip data is damaged (${error.message})`) : error;
  } finally {
    file.destroy();
    await handle.close().catch(() => undefined);
  }
}

/**
 * Opens a regular file for reading. Without `followLink` a symbolic link is refused, also when it took the file's place
 * just now.
 * @throws UnreadableFileError
 */
export async function openRegular(
  path: string,
  { followLink }: { followLink: boolean },
): Promise<FileHandle> {
  const noFollow = followLink ? 0 : (constants.O_NOFOLLOW ?? 0);
  // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
  const flags = constants.O_RDONLY | noFollow | (constants.O_NONBLOCK ?? 0);
  const handle = await open(path, flags).catch((cause: unknown) => {
    throw new UnreadableFileError(path, cause);
  });
  const stats = await handle.stat();
  if (stats.isFile()) return handle;
  await handle.close();
  throw new UnreadableFileError(
    path,
    new Error(stats.isDirectory() ? "it is a folder" : "it is no regular file"),
  );
}

/** The unpacked bytes; `pipeline` tells either side when the other fails or the reader stops early. */
export function unzip(packed: Readable): AsyncIterable<Uint8Array> {
  // The failure itself comes out of the returned stream.
  return pipeline(packed, createGunzip(), () => undefined);
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
    return Buffer.concat(parts);
  }

  /** Releases what lies behind the pieces. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

const splitHint = "Split it into several files, or raise the limit.";

function isZlibError(error: unknown): error is Error {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return code.startsWith("Z_") || code === "ERR_ZLIB_INITIALIZATION_FAILED";
}
