import { type FileHandle, open, rm } from "node:fs/promises";
import { bytesToHex, type Hex } from "viem";
import { joinRoots } from "../../core/merkle/binary-tree.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";
import { objectHash } from "../../core/merkle/object-hash.ts";
import { DatasetError } from "./errors.ts";
import { FileObjects } from "./file-objects.ts";
import { checkLabel, isClass } from "./labels.ts";
import { MemoryObjects } from "./memory-objects.ts";
import type { LabelField, ObjectSequence, ObjectSource } from "./types.ts";

export type GatherParameters = {
  /** Where objects go that memory does not hold; removed when the source is closed. */
  spool: string;
  /** Bytes of objects that may stay in memory. */
  memoryBytes: number;
  /** Where the label stands, to check every one of them. */
  label?: LabelField;
  /** Is told of an object whose label is no class; without it such a dataset is refused. */
  onMislabelled?: (index: number) => void;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number | undefined) => void;
};

/** Objects ready to be read in any order. `objectRoot` is the one of the storage protocol (section 2). */
export type GatheredObjects = { source: ObjectSource; objectRoot: Hex };

/** Objects between two reports of progress. */
const reportEvery = 4096;
/** Bytes that are written to the disk at a time. */
const flushBytes = 1 << 20;

/**
 * Reads a dataset once from the start: checks sizes and labels, computes its root, and keeps the objects where they can
 * be read in any order: in memory when they fit, else in a file.
 *
 * @throws DatasetError that names dataset and object
 */
export async function gatherObjects(
  sequence: ObjectSequence,
  { spool, memoryBytes, label, onMislabelled, signal, onProgress }: GatherParameters,
): Promise<GatheredObjects> {
  const { name, objectSize, objectCount } = sequence;
  if (label !== undefined && label.offset + label.bytes > objectSize) {
    throw new DatasetError(
      `${name}: the label at byte ${label.offset} lies outside objects of ${objectSize} bytes.`,
      {
        next: "Correct target.offset or target.encoding.",
      },
    );
  }
  const store = new GrowingStore(spool, memoryBytes);
  const hashes = new HashList();
  let index = 0;
  try {
    for await (const object of sequence.objects()) {
      if (object.length !== objectSize) {
        throw new DatasetError(`${name}, object ${index}: it has ${object.length} bytes, not ${objectSize}.`);
      }
      if (label !== undefined && !isClass(object, 0, label)) {
        if (onMislabelled === undefined) checkLabel(name, index, object, label);
        onMislabelled?.(index);
      }
      hashes.add(objectHash(object));
      await store.add(object);
      index++;
      if (index % reportEvery === 0) {
        signal?.throwIfAborted();
        onProgress?.(index, objectCount);
      }
    }
    if (index === 0) throw new DatasetError(`${name} is empty: it has no object.`);
    if (objectCount !== undefined && index !== objectCount) {
      throw new DatasetError(`${name} ends at object ${index} of ${objectCount}.`);
    }
    onProgress?.(index, objectCount);
    const objectRoot = bytesToHex(joinRoots(hashes.bytes()));
    return { source: await store.finish(name, objectSize), objectRoot };
  } catch (error) {
    await store.discard();
    throw error;
  }
}

/** Hashes one after another. */
class HashList {
  #bytes = new Uint8Array(hashBytes * 1024);
  #length = 0;

  add(hash: Uint8Array): void {
    if (this.#length === this.#bytes.length) this.#bytes = grown(this.#bytes, 2 * this.#length);
    this.#bytes.set(hash, this.#length);
    this.#length += hash.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** Bytes that begin in memory and move to a file once they are too many. */
class GrowingStore {
  readonly #path: string;
  readonly #memoryBytes: number;
  #buffer = new Uint8Array(64 * 1024);
  #filled = 0;
  #written = 0;
  #file: FileHandle | undefined;

  constructor(path: string, memoryBytes: number) {
    this.#path = path;
    this.#memoryBytes = memoryBytes;
  }

  async add(bytes: Uint8Array): Promise<void> {
    const needed = this.#filled + bytes.length;
    if (this.#file === undefined && needed > this.#memoryBytes) {
      // A folder from somebody else may hold a link of this name: what it points at is not ours to overwrite.
      await rm(this.#path, { force: true });
      this.#file = await open(this.#path, "wx", 0o600);
      await this.#flush();
    } else if (this.#file !== undefined && needed > flushBytes) {
      await this.#flush();
    }
    const total = this.#filled + bytes.length;
    if (total > this.#buffer.length) {
      this.#buffer = grown(this.#buffer, Math.max(total, 2 * this.#buffer.length));
    }
    this.#buffer.set(bytes, this.#filled);
    this.#filled = total;
  }

  async finish(name: string, objectBytes: number): Promise<ObjectSource> {
    if (this.#file === undefined) {
      return new MemoryObjects(name, objectBytes, this.#buffer.subarray(0, this.#filled));
    }
    await this.#flush();
    await this.#file.close();
    const count = this.#written / objectBytes;
    return await FileObjects.open({ name, path: this.#path, objectBytes, count, temporary: true });
  }

  async discard(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }

  async #flush(): Promise<void> {
    await this.#file!.writeFile(this.#buffer.subarray(0, this.#filled));
    this.#written += this.#filled;
    this.#filled = 0;
    if (this.#buffer.length > 2 * flushBytes) this.#buffer = new Uint8Array(flushBytes);
  }
}

function grown(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}
