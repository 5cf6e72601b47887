import { type FileHandle, open, rm } from "node:fs/promises";
import { DatasetError, DatasetUnreadableError } from "./errors.ts";
import type { ObjectSource } from "./types.ts";

/** Reads that wait for the disk at a time. */
const readsAtOnce = 32;

export type FileObjectsOptions = {
  name: string;
  path: string;
  objectBytes: number;
  count: number;
  /** Whether the file is only this source's and goes away with it. */
  temporary: boolean;
};

/** Objects in a file, one after another, read where they lie: memory does not grow with the dataset. */
export class FileObjects implements ObjectSource {
  readonly name: string;
  readonly count: number;
  readonly objectBytes: number;
  readonly #options: FileObjectsOptions;
  readonly #handle: FileHandle;

  private constructor(options: FileObjectsOptions, handle: FileHandle) {
    this.name = options.name;
    this.count = options.count;
    this.objectBytes = options.objectBytes;
    this.#options = options;
    this.#handle = handle;
  }

  /** @throws DatasetUnreadableError */
  static async open(options: FileObjectsOptions): Promise<FileObjects> {
    const handle = await open(options.path, "r").catch((cause: unknown) => {
      throw new DatasetUnreadableError(options.path, cause);
    });
    return new FileObjects(options, handle);
  }

  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    const objects = new Uint8Array(indices.length * this.objectBytes);
    let next = 0;
    const work = async () => {
      while (next < indices.length) {
        const place = next++;
        await this.#readOne(indices[place]!, objects, place * this.objectBytes);
      }
    };
    await Promise.all(Array.from({ length: Math.min(readsAtOnce, indices.length) }, work));
    return objects;
  }

  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#options.temporary) await rm(this.#options.path, { force: true });
  }

  async #readOne(index: number, target: Uint8Array, at: number): Promise<void> {
    let done = 0;
    while (done < this.objectBytes) {
      const { bytesRead } = await this.#handle.read(
        target,
        at + done,
        this.objectBytes - done,
        index * this.objectBytes + done,
      );
      if (bytesRead === 0) {
        throw new DatasetError(`${this.#options.path} ends in object ${index} of ${this.count}.`, {
          kept: "The last checkpoint is intact.",
          next: "The file became shorter while it was read; restore it and go on with --resume.",
        });
      }
      done += bytesRead;
    }
  }
}
