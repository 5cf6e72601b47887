/** Type identifiers of graph-ts (global/global.ts), which `id_of_type` maps to those of the compiled module. */
export const typeId = {
  String: 0,
  ArrayBuffer: 1,
  Uint8Array: 6,
  BigDecimal: 12,
  ArrayUint8Array: 14,
  ArrayEthereumValue: 15,
  ArrayStoreValue: 16,
  ArrayString: 18,
  ArrayEventParam: 19,
  ArrayTypedMapEntryStringStoreValue: 21,
  EventParam: 23,
  EthereumTransaction: 24,
  EthereumBlock: 25,
  EthereumValue: 30,
  StoreValue: 31,
  EthereumEvent: 33,
  TypedMapEntryStringStoreValue: 34,
  TypedMapStringStoreValue: 36,
} as const;

/** What a module compiled by graph-cli exports beside its handlers. */
export type ModuleExports = {
  readonly memory: WebAssembly.Memory;
  readonly __new: (size: number, id: number) => number;
  readonly id_of_type: (type: number) => number;
  readonly _start?: () => void;
};

/** Longest string or byte array that a mapping may hand over, in bytes. */
const maximumLength = 1 << 26;

/** Names that are remembered; what a mapping makes up as it goes is not worth it. */
const maximumNames = 4_096;

/**
 * The memory of an AssemblyScript module (0.19, the version that graph-cli pins). Objects are pointers to their first
 * byte; the length of a string is in the header before it. A typed array is {buffer, start, byte length}, an array
 * {buffer, start, byte length, length}. See the AssemblyScript book, "Memory".
 */
export class Memory {
  readonly #exports: ModuleExports;
  readonly #ids = new Map<number, number>();
  /** Names of entities and fields by pointer: the modules' runtime neither moves strings nor frees them. */
  readonly #names = new Map<number, string>();
  readonly #pointers = new Map<string, number>();
  #view: DataView;
  #bytes: Uint8Array;

  constructor(exports: ModuleExports) {
    this.#exports = exports;
    this.#view = new DataView(exports.memory.buffer);
    this.#bytes = new Uint8Array(exports.memory.buffer);
  }

  u32(pointer: number): number {
    return this.#current().getUint32(pointer, true);
  }

  i32(pointer: number): number {
    return this.#current().getInt32(pointer, true);
  }

  i64(pointer: number): bigint {
    return this.#current().getBigInt64(pointer, true);
  }

  /** Null pointers read as "". */
  string(pointer: number): string {
    if (pointer === 0) return "";
    const length = this.#bounded(this.u32(pointer - 4));
    if (length <= 64) {
      let text = "";
      for (let at = pointer; at < pointer + length; at += 2)
        text += String.fromCharCode(this.#view.getUint16(at, true));
      return text;
    }
    return Buffer.from(this.#bytes.buffer, pointer, length).toString("utf16le");
  }

  /** As `string`, for the few names that come again and again. */
  name(pointer: number): string {
    let name = this.#names.get(pointer);
    if (name === undefined) {
      name = this.string(pointer);
      if (this.#names.size < maximumNames) this.#names.set(pointer, name);
    }
    return name;
  }

  /** A string that stands in memory once, however often it is written. */
  writeName(name: string): number {
    let pointer = this.#pointers.get(name);
    if (pointer === undefined) {
      pointer = this.writeString(name);
      if (this.#pointers.size < maximumNames) this.#pointers.set(name, pointer);
    }
    return pointer;
  }

  /** A copy of what a `Uint8Array` of the module holds. */
  bytes(pointer: number): Uint8Array {
    const start = this.u32(pointer + 4);
    return this.#bytes.slice(start, start + this.#bounded(this.u32(pointer + 8)));
  }

  /** A two's complement little-endian number of any length. */
  bigInt(pointer: number): bigint {
    const view = this.#current();
    const start = view.getUint32(pointer + 4, true);
    const length = this.#bounded(view.getUint32(pointer + 8, true));
    let value = 0n;
    let at = 0;
    // Eight bytes at a time, then what is left.
    for (; at + 8 <= length; at += 8) value |= view.getBigUint64(start + at, true) << BigInt(at * 8);
    for (; at < length; at++) value |= BigInt(this.#bytes[start + at]!) << BigInt(at * 8);
    return BigInt.asIntN(length * 8, value);
  }

  /** Pointers in an array of objects. */
  pointers(pointer: number): number[] {
    const start = this.u32(pointer + 4);
    const length = this.#bounded(this.u32(pointer + 12));
    const found = new Array<number>(length);
    for (let i = 0; i < length; i++) found[i] = this.u32(start + i * 4);
    return found;
  }

  writeString(text: string): number {
    const pointer = this.#allocate(text.length * 2, typeId.String);
    const view = this.#current();
    if (text.length > 128) Buffer.from(this.#bytes.buffer, pointer, text.length * 2).write(text, "utf16le");
    else for (let i = 0; i < text.length; i++) view.setUint16(pointer + i * 2, text.charCodeAt(i), true);
    return pointer;
  }

  writeBytes(bytes: Uint8Array): number {
    const buffer = this.#allocate(bytes.length, typeId.ArrayBuffer);
    this.#current();
    this.#bytes.set(bytes, buffer);
    return this.writeObject(typeId.Uint8Array, [buffer, buffer, bytes.length]);
  }

  writeBigInt(value: bigint): number {
    if (value >= 0n && value < 0x7fff_ffffn) return this.#writeSmall(Number(value));
    const magnitude = value < 0n ? -value - 1n : value;
    const hex = magnitude.toString(16);
    const bits = hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
    const length = (bits >> 3) + 1;
    const buffer = this.#allocate(length, typeId.ArrayBuffer);
    const view = this.#current();
    const end = buffer + length;
    let [at, rest] = [buffer, value];
    // The lowest eight bytes at a time, then what is left.
    for (; at + 8 <= end; at += 8, rest >>= 64n) view.setBigUint64(at, rest, true);
    for (; at < end; at++, rest >>= 8n) this.#bytes[at] = Number(rest & 255n);
    return this.writeObject(typeId.Uint8Array, [buffer, buffer, length]);
  }

  #writeSmall(value: number): number {
    const length = value < 0x80 ? 1 : value < 0x8000 ? 2 : value < 0x80_0000 ? 3 : 4;
    const buffer = this.#allocate(length, typeId.ArrayBuffer);
    this.#current();
    for (let i = 0; i < length; i++) this.#bytes[buffer + i] = value >> (8 * i);
    return this.writeObject(typeId.Uint8Array, [buffer, buffer, length]);
  }

  /** An object whose fields are all 4 bytes wide. */
  writeObject(type: number, fields: readonly number[]): number {
    const pointer = this.#allocate(fields.length * 4, type);
    const view = this.#current();
    for (let i = 0; i < fields.length; i++) view.setUint32(pointer + i * 4, fields[i]!, true);
    return pointer;
  }

  writeArray(type: number, pointers: readonly number[]): number {
    const buffer = this.writeObject(typeId.ArrayBuffer, pointers);
    return this.writeObject(type, [buffer, buffer, pointers.length * 4, pointers.length]);
  }

  /** A tagged value: kind, 4 bytes of padding, 8 bytes of payload. */
  writeTagged(type: number, kind: number, payload: number | bigint): number {
    const pointer = this.#allocate(16, type);
    const view = this.#current();
    view.setUint32(pointer, kind, true);
    view.setUint32(pointer + 4, 0, true);
    if (typeof payload === "bigint") view.setBigUint64(pointer + 8, payload, true);
    else {
      view.setInt32(pointer + 8, payload, true);
      view.setInt32(pointer + 12, payload < 0 ? -1 : 0, true);
    }
    return pointer;
  }

  #allocate(size: number, type: number): number {
    let id = this.#ids.get(type);
    if (id === undefined) {
      id = this.#exports.id_of_type(type);
      this.#ids.set(type, id);
    }
    return this.#exports.__new(size, id);
  }

  /** The views go stale whenever the memory grows. */
  #current(): DataView {
    // The buffer of a memory that grew is detached, which leaves its views empty.
    if (this.#bytes.length === 0) {
      this.#view = new DataView(this.#exports.memory.buffer);
      this.#bytes = new Uint8Array(this.#exports.memory.buffer);
    }
    return this.#view;
  }

  #bounded(length: number): number {
    if (length > maximumLength) throw new RangeError(`a mapping handed over ${length} bytes`);
    return length;
  }
}
