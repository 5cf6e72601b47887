import { BadInputError } from "../errors.ts";
import { indexEntryBytes, maxIndexBytes, maxPackedRecords, type PackedFormat } from "./format.ts";
import { assertRelativePath, maxPathBytes } from "./names.ts";
import { maxObjectSize } from "./shape.ts";

/** Object size of packed datasets unless another is asked for. */
export const defaultPackedObjectSize = 4096;

/** A record of a packed dataset: bytes `start` to `end` of the concatenated objects; lines have an empty name. */
export type PackedEntry = { name: string; start: number; end: number };

/** The part of one object that a range of the concatenation covers. */
export type ObjectPart = { object: number; start: number; end: number };

/** One record to pack: its bytes may come in pieces of any length. */
export type PackedRecord = { name: string; pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array> };

/**
 * Cuts variable records into objects of one size. Records are concatenated; after the last one follows the record index
 * — for each record, in order, uint64 end of the record and uint64 end of its name in the names, big-endian, then all
 * names in UTF-8 — and zeros up to a whole object. Entry i alone says where record i lies (with entry i − 1 before it).
 *
 * Memory: one object and the index.
 */
export class RecordPacker {
  readonly #objectSize: number;
  readonly #ends: number[] = [];
  readonly #nameEnds: number[] = [];
  readonly #names: Uint8Array[] = [];
  #nameBytes = 0;
  #length = 0;
  #object: Uint8Array;
  #filled = 0;

  /** @throws BadInputError when objects cannot have this size. */
  constructor(objectSize: number) {
    if (!Number.isInteger(objectSize) || objectSize < 1 || objectSize > maxObjectSize) {
      throw new BadInputError(`Objects cannot have ${objectSize} bytes: 1 to ${maxObjectSize} are possible.`);
    }
    this.#objectSize = objectSize;
    this.#object = new Uint8Array(objectSize);
  }

  /** Adds bytes to the record being written; yields each object that became full. */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    this.#length += piece.length;
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + this.#objectSize - this.#filled);
      this.#object.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#objectSize) yield this.#take();
    }
  }

  /** Ends the record. @throws BadInputError when there are too many records or their names are too long. */
  endRecord(name: string): void {
    const bytes = new TextEncoder().encode(name);
    // Lines have none: an array for each, however short, would take more memory than the rest of the index.
    if (bytes.length > 0) this.#names.push(bytes);
    this.#nameBytes += bytes.length;
    this.#ends.push(this.#length);
    this.#nameEnds.push(this.#nameBytes);
    const indexBytes = this.#ends.length * indexEntryBytes + this.#nameBytes;
    if (this.#ends.length > maxPackedRecords || indexBytes > maxIndexBytes) {
      throw new BadInputError(
        `There are more than ${maxPackedRecords} records, or their names are too long.`,
        {
          next: "Split the data into several datasets.",
        },
      );
    }
  }

  /** Writes the index; yields the last objects. Nothing may be pushed afterwards. */
  *finish(): Generator<Uint8Array, PackedFormat["index"] & { records: number }> {
    const records = this.#ends.length;
    if (records === 0)
      throw new BadInputError("There is no record.", { next: "Give a source with at least one." });
    const offset = this.#length;
    const block = new Uint8Array(indexEntryBytes * 4096);
    const view = new DataView(block.buffer);
    for (let first = 0; first < records; first += 4096) {
      const count = Math.min(4096, records - first);
      for (let i = 0; i < count; i++) {
        view.setBigUint64(i * indexEntryBytes, BigInt(this.#ends[first + i]!));
        view.setBigUint64(i * indexEntryBytes + 8, BigInt(this.#nameEnds[first + i]!));
      }
      yield* this.push(block.subarray(0, count * indexEntryBytes));
    }
    for (const name of this.#names) yield* this.push(name);
    const length = this.#length - offset;
    if (this.#filled > 0) yield this.#take();
    return { offset, length, records };
  }

  #take(): Uint8Array {
    const full = this.#object;
    this.#object = new Uint8Array(this.#objectSize);
    this.#filled = 0;
    return full;
  }
}

/** Which parts of which objects hold bytes `start` to `end` of the concatenation. */
export function objectParts(objectSize: number, start: number, end: number): ObjectPart[] {
  const parts: ObjectPart[] = [];
  for (let at = start; at < end; ) {
    const object = Math.floor(at / objectSize);
    const from = at - object * objectSize;
    const to = Math.min(objectSize, from + end - at);
    parts.push({ object, start: from, end: to });
    at += to - from;
  }
  return parts;
}

/**
 * Which bytes of the concatenation say where record `record` lies: give them to {@link parseEntry}.
 * @throws BadInputError when there is no such record.
 */
export function entryRange(format: PackedFormat, record: number): { start: number; end: number } {
  assertRecord(format, record);
  const end = format.index.offset + (record + 1) * indexEntryBytes;
  return { start: Math.max(format.index.offset, end - 2 * indexEntryBytes), end };
}

/**
 * Where a record lies, from the bytes of {@link entryRange}.
 * @throws BadInputError when the index is damaged.
 */
export function parseEntry(
  format: PackedFormat,
  record: number,
  bytes: Uint8Array,
): { start: number; end: number } {
  const range = entryRange(format, record);
  if (bytes.length !== range.end - range.start) throw damaged(record);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = record === 0 ? 0n : view.getBigUint64(0);
  const end = view.getBigUint64(bytes.length - indexEntryBytes);
  if (start > end || end > BigInt(format.index.offset)) throw damaged(record);
  return { start: Number(start), end: Number(end) };
}

/**
 * Reads the whole record index.
 * @throws BadInputError when it is damaged: records or names that overlap, names out of order, twice or unsafe.
 */
export function parseIndex(format: PackedFormat, bytes: Uint8Array): PackedEntry[] {
  if (bytes.length !== format.index.length) throw damaged(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const names = bytes.subarray(format.records * indexEntryBytes);
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const entries: PackedEntry[] = [];
  let start = 0;
  let nameStart = 0;
  for (let i = 0; i < format.records; i++) {
    const end = Number(view.getBigUint64(i * indexEntryBytes));
    const nameEnd = Number(view.getBigUint64(i * indexEntryBytes + 8));
    if (end < start || end > format.index.offset) throw damaged(i);
    if (nameEnd < nameStart || nameEnd > names.length || nameEnd - nameStart > maxPathBytes) throw damaged(i);
    const name = decodeName(utf8, names.subarray(nameStart, nameEnd), i);
    checkName(format, name, entries[i - 1]?.name, i);
    entries.push({ name, start, end });
    start = end;
    nameStart = nameEnd;
  }
  if (start !== format.index.offset || nameStart !== names.length) throw damaged(format.records - 1);
  return entries;
}

function checkName(format: PackedFormat, name: string, before: string | undefined, record: number): void {
  if (format.content === "lines") {
    if (name !== "") throw damaged(record);
    return;
  }
  assertRelativePath(name);
  if (before !== undefined && before >= name) throw damaged(record);
}

function decodeName(utf8: TextDecoder, bytes: Uint8Array, record: number): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw damaged(record);
  }
}

function assertRecord(format: PackedFormat, record: number): void {
  if (Number.isSafeInteger(record) && record >= 0 && record < format.records) return;
  throw new BadInputError(`There is no record ${record}: the dataset has ${format.records}.`);
}

function damaged(record: number): BadInputError {
  return new BadInputError(`The record index is damaged at record ${record}.`, {
    next: "The dataset was put with a wrong index; ask its owner for a corrected version.",
  });
}
