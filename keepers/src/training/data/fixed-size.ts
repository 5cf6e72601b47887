import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { DatasetError, DatasetUnreadableError } from "./errors.ts";
import type { ObjectSequence } from "./types.ts";

/**
 * Objects of one size without any header: a file that holds them one after another (plain or gzip), or a folder in which
 * every file is one object, in the order of the names.
 *
 * @throws DatasetError when there is none, when a file is not as long as it must be; DatasetUnreadableError
 */
export async function fixedSizeObjects(
  path: string,
  objectSize: number | undefined,
): Promise<ObjectSequence> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new DatasetUnreadableError(path, cause);
  });
  if (stats.isDirectory()) return await folderObjects(path, objectSize);
  if (objectSize === undefined) {
    throw new DatasetError(`${path}: the size of an object is not known.`, {
      next: "Set dataset.objectBytes to the bytes of one object.",
    });
  }
  const packed = /\.gz$/i.test(path);
  if (!packed) requireWhole(path, stats.size, objectSize);
  return {
    name: basename(path),
    objectSize,
    objectCount: packed ? undefined : stats.size / objectSize,
    objects: () => cut(path, objectSize, packed),
  };
}

function requireWhole(path: string, bytes: number, objectSize: number): void {
  if (bytes === 0) throw new DatasetError(`${path} is empty.`);
  if (bytes % objectSize === 0) return;
  throw new DatasetError(
    `${path} is truncated in object ${Math.floor(bytes / objectSize)}: ${bytes} bytes are no multiple of ${objectSize}.`,
    { next: "Correct the file, or dataset.objectBytes." },
  );
}

async function* cut(path: string, objectSize: number, packed: boolean): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const pieces = (
    packed ? pipeline(file, createGunzip(), () => undefined) : file
  ) as AsyncIterable<Uint8Array>;
  /** The object that began in an earlier piece. */
  let object = new Uint8Array(0);
  let filled = 0;
  let total = 0;
  try {
    for await (const piece of pieces) {
      total += piece.length;
      for (let at = 0; at < piece.length; ) {
        const part = piece.subarray(at, at + objectSize - filled);
        at += part.length;
        if (part.length === objectSize) {
          yield part;
          continue;
        }
        if (filled === 0) object = new Uint8Array(objectSize);
        object.set(part, filled);
        filled += part.length;
        if (filled < objectSize) continue;
        yield object;
        filled = 0;
      }
    }
  } catch (cause) {
    throw new DatasetUnreadableError(path, cause);
  } finally {
    file.destroy();
  }
  requireWhole(path, total, objectSize);
}

async function folderObjects(path: string, objectSize: number | undefined): Promise<ObjectSequence> {
  const entries = await readdir(path, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  names.sort((a, b) => (a < b ? -1 : 1));
  if (names.length === 0) throw new DatasetError(`${path} holds no file.`);
  const size = objectSize ?? (await stat(join(path, names[0]!))).size;
  if (size === 0) throw new DatasetError(`${join(path, names[0]!)} is empty.`);

  async function* objects(): AsyncGenerator<Uint8Array> {
    for (const [index, name] of names.entries()) {
      const file = join(path, name);
      const pieces: Uint8Array[] = [];
      let length = 0;
      for await (const piece of createReadStream(file, { end: size }) as AsyncIterable<Uint8Array>) {
        pieces.push(piece);
        length += piece.length;
      }
      if (length !== size) {
        const has = length > size ? "more" : `only ${length}`;
        throw new DatasetError(`${file} (object ${index}) has ${has} bytes where every object has ${size}.`);
      }
      yield pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    }
  }

  return { name: basename(path), objectSize: size, objectCount: names.length, objects };
}
