import {
  damagedGzip,
  type InputFile,
  isPacked,
  limited,
  type ReadBytesOptions,
} from "../../../keepers/src/storage/readers/pieces.ts";
import { UnreadableFileError } from "../../../keepers/src/storage/readers/source.ts";

/** A file that was given to the page, to be read as one on a disk. */
export function pageFile(path: string, file: File): InputFile {
  return { path, name: file.name, read: (options) => readFile(path, file, options) };
}

async function* readFile(
  path: string,
  file: File,
  { maxBytes, gunzip = isPacked(file.name) }: ReadBytesOptions = {},
): AsyncGenerator<Uint8Array> {
  const plain = file.stream();
  const stream = gunzip ? plain.pipeThrough(new DecompressionStream("gzip")) : plain;
  yield* limited(piecesOf(stream, path, gunzip), path, { maxBytes, gunzip });
}

async function* piecesOf(
  stream: ReadableStream<Uint8Array>,
  path: string,
  gunzip: boolean,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    // A file that went away or changed is a DOMException; what is no gzip, a TypeError.
    if (error instanceof DOMException) {
      const reason = "it was moved or changed after it was chosen, or may not be read";
      throw new UnreadableFileError(path, new Error(reason, { cause: error }));
    }
    throw gunzip && error instanceof TypeError ? damagedGzip(path, error.message) : error;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
