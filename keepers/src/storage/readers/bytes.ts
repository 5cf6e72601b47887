import { constants, type FileHandle, open } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { damagedGzip, type InputFile, isPacked, limited, type ReadBytesOptions } from "./pieces.ts";
import { UnreadableFileError } from "./source.ts";

/** A regular file on the disk; a symbolic link as last part of the path is followed. */
export function diskFile(path: string): InputFile {
  return { path, name: diskName(path), read: (options) => readBytes(path, options) };
}

/** The last part of a path, also where it is one like `.`. */
export function diskName(path: string): string {
  return basename(resolve(path));
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
  { maxBytes, gunzip = isPacked(path) }: ReadBytesOptions,
): AsyncGenerator<Uint8Array> {
  const file = handle.createReadStream({ highWaterMark: 256 * 1024 });
  try {
    yield* limited(gunzip ? unzip(file) : file, path, { maxBytes, gunzip });
  } catch (error) {
    throw isZlibError(error) ? damagedGzip(path, error.message) : error;
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

function isZlibError(error: unknown): error is Error {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return code.startsWith("Z_") || code === "ERR_ZLIB_INITIALIZATION_FAILED";
}
