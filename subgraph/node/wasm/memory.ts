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

/**
 * The memory of an AssemblyScript module (0.19, the version that graph-cli pins). Objects are pointers to their first
 * byte; the length of a string is in the header before it. A typed array is {buffer, start, byte length}, an array
 * {buffer, start, byte length, length}. See the AssemblyScript book, "Memory".
 */
export class Memory {
  readonly #exports: ModuleExports;
  readonly #ids = new Map<number, number>();
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
    return Buffer.from(this.#bytes.buffer, pointer, length).toString("utf16le");
  }

  /** A copy of what a `Uint8Array` of the module holds. */
  bytes(pointer: number): Uint8Array {
    const start = this.u32(pointer + 4);
    return this.#bytes.slice(start, start + this.#bounded(this.u32(pointer + 8)));
  }

  /** A two's complement little-endian number of any length. */
  bigInt(pointer: number): bigint {
    const bytes = this.bytes(pointer);
    if (bytes.length === 0) return 0n;
    return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes.reverse()).toString("hex")}`));
  }

  /** Pointers in an array of objects. */
  pointers(pointer: number): number[] {
    const start = this.u32(pointer + 4);
    const length = this.#bounded(this.u32(pointer + 12));
    return Array.from({ length }, (_, i) => this.u32(start + i * 4));
  }

  writeString(text: string): number {
    const pointer = this.#allocate(text.length * 2, typeId.String);
    this.#current();
    Buffer.from(this.#bytes.buffer, pointer, text.length * 2).write(text, "utf16le");
    return pointer;
  }

  writeBytes(bytes: Uint8Array): number {
    const buffer = this.#allocate(bytes.length, typeId.ArrayBuffer);
    this.#current();
    this.#bytes.set(bytes, buffer);
    return this.writeObject(typeId.Uint8Array, [buffer, buffer, bytes.length]);
  }

  writeBigInt(value: bigint): number {
    const magnitude = value < 0n ? -value - 1n : value;
    const length = Math.floor(magnitude.toString(2).length / 8) + 1;
    const bytes = Buffer.from(
      BigInt.asUintN(length * 8, value)
        .toString(16)
        .padStart(length * 2, "0"),
      "hex",
    );
    return this.writeBytes(bytes.reverse());
  }

  /** An object whose fields are all 4 bytes wide. */
  writeObject(type: number, fields: readonly number[]): number {
    const pointer = this.#allocate(fields.length * 4, type);
    const view = this.#current();
    for (const [i, field] of fields.entries()) view.setUint32(pointer + i * 4, field, true);
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
    view.setBigUint64(pointer + 8, BigInt.asUintN(64, BigInt(payload)), true);
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
    if (this.#view.buffer !== this.#exports.memory.buffer) {
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
