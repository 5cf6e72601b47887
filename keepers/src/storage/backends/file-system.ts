import { mkdir, open, opendir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CID } from "multiformats/cid";
import { isErrorCode, syncFolder, writeAtomically } from "./atomic-file.ts";
import {
  type BlobSource,
  type BlobStore,
  type CallOptions,
  type GetOptions,
  gatherBlob,
  type PutOptions,
  type PutResult,
} from "./backend.ts";
import { assertBlobCid, chunkBytes, maxBlobBytes, parseBlobCid } from "./blob-cid.ts";
import { BlobNotFoundError, WrongBytesError } from "./errors.ts";
import { FolderOwners, type StoreOwners } from "./owners.ts";
import { readPlain } from "./verified-read.ts";

const rootSuffix = ".root";

/**
 * Blobs as plain files: `blobs/<last two letters of the CID>/<CID>` holds the bytes, `<CID>.root` beside it the dag-pb
 * root of a blob of several chunks, so that a range can be verified without reading the rest. A blob exists when its
 * file does: the bytes go to `tmp/` first, are synced, and are renamed last.
 */
export class FileSystemStore implements BlobStore, StoreOwners {
  readonly kind = "fs";
  readonly where: string;
  readonly #owners: FolderOwners;
  readonly #blobs: string;
  readonly #temporary: string;

  private constructor(directory: string) {
    this.where = directory;
    this.#owners = new FolderOwners(directory);
    this.#blobs = join(directory, "blobs");
    this.#temporary = join(directory, "tmp");
  }

  /** Opens a directory, which is made when absent, and clears what killed processes left unfinished. */
  static async open(directory: string): Promise<FileSystemStore> {
    const store = new FileSystemStore(directory);
    await mkdir(store.#blobs, { recursive: true, mode: 0o700 });
    await mkdir(store.#temporary, { recursive: true, mode: 0o700 });
    for (const name of await readdir(store.#temporary)) {
      if (!isAlive(Number(name.split("-")[0]))) await rm(join(store.#temporary, name), { force: true });
    }
    return store;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    const { bytes, layout } = await gatherBlob(source, options);
    const folder = this.#folder(layout.cid);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, layout.cid.toString());
    // The root first: the blob must not exist before all of it does.
    if (layout.root !== undefined)
      await writeAtomically(path + rootSuffix, layout.root, this.#temporary, options.signal);
    await writeAtomically(path, bytes, this.#temporary, options.signal);
    await syncFolder(folder);
    await syncFolder(this.#blobs);
    return { cid: layout.cid, size: layout.size };
  }

  async *get(cid: CID, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    assertBlobCid(cid);
    options.signal?.throwIfAborted();
    const path = this.#path(cid);
    const where = "the store on disk";
    const file = await open(path, "r").catch((error: unknown) => {
      throw isErrorCode(error, "ENOENT")
        ? new BlobNotFoundError(cid.toString(), where, { cause: error })
        : error;
    });
    try {
      yield* readPlain(cid, options, {
        where,
        root: () => readOptional(path + rootSuffix),
        range: (offset, length) => readRange(file, offset, length),
        whole: async () => {
          const { size } = await file.stat();
          if (size > maxBlobBytes) throw new WrongBytesError(cid.toString(), where);
          return file.readFile();
        },
      });
    } finally {
      await file.close();
    }
  }

  async has(cid: CID): Promise<boolean> {
    assertBlobCid(cid);
    return exists(this.#path(cid));
  }

  async delete(cid: CID): Promise<boolean> {
    assertBlobCid(cid);
    const path = this.#path(cid);
    const there = await exists(path);
    // The bytes first, so that no moment shows a blob without its root.
    await rm(path, { force: true });
    await rm(path + rootSuffix, { force: true });
    return there;
  }

  async *list({ signal }: CallOptions = {}): AsyncIterable<CID> {
    for (const folder of await readdir(this.#blobs)) {
      for await (const { name } of await opendir(join(this.#blobs, folder))) {
        signal?.throwIfAborted();
        if (!name.endsWith(rootSuffix)) yield parseBlobCid(name);
      }
    }
  }

  async close(): Promise<void> {}

  owners(): Promise<string[]> {
    return this.#owners.owners();
  }

  addOwner(name: string): Promise<void> {
    return this.#owners.addOwner(name);
  }

  removeOwner(name: string): Promise<void> {
    return this.#owners.removeOwner(name);
  }

  /** A CID's text is base 32: it cannot name another folder. */
  #folder(cid: CID): string {
    return join(this.#blobs, cid.toString().slice(-2));
  }

  #path(cid: CID): string {
    return join(this.#folder(cid), cid.toString());
  }
}

type File = Awaited<ReturnType<typeof open>>;

async function* readRange(file: File, offset: number, length: number): AsyncIterable<Uint8Array> {
  for (let position = offset; position < offset + length; ) {
    const buffer = new Uint8Array(Math.min(chunkBytes, offset + length - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function readOptional(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isErrorCode(error, "ENOENT")) return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isErrorCode(error, "EPERM");
  }
}
