import type { ObjectSource } from "./types.ts";

/** Objects that are held in memory, one after another. */
export class MemoryObjects implements ObjectSource {
  readonly name: string;
  readonly count: number;
  readonly objectBytes: number;
  readonly #bytes: Uint8Array;

  constructor(name: string, objectBytes: number, bytes: Uint8Array) {
    this.name = name;
    this.objectBytes = objectBytes;
    this.count = bytes.length / objectBytes;
    this.#bytes = bytes;
  }

  read(indices: ArrayLike<number>): Promise<Uint8Array> {
    const { objectBytes } = this;
    const objects = new Uint8Array(indices.length * objectBytes);
    for (let i = 0; i < indices.length; i++) {
      const start = indices[i]! * objectBytes;
      objects.set(this.#bytes.subarray(start, start + objectBytes), i * objectBytes);
    }
    return Promise.resolve(objects);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
