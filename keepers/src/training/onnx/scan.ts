import { OnnxError } from "./errors.ts";
import type { OnnxLimits } from "./limits.ts";
import { type FieldType, type MessageName, type SchemaField, schema } from "./schema.ts";

const wireTypes: Readonly<Partial<Record<FieldType, number>>> = {
  int32: 0,
  int64: 0,
  uint64: 0,
  double: 1,
  string: 2,
  bytes: 2,
  float: 5,
};

type Field = { name: string; type: FieldType; repeated: boolean };

const fieldsById = new Map<string, Map<number, Field>>(
  Object.entries(schema).map(([message, fields]) => [
    message,
    new Map(
      Object.entries(fields).map(([name, [id, type, rule]]: [string, SchemaField]) => [
        id,
        { name, type, repeated: rule !== undefined },
      ]),
    ),
  ]),
);

/**
 * Walks the bytes of a `ModelProto` without decoding them, so that decoding them costs no more than the limits allow,
 * and refuses what readers of protobuf disagree on: a single field that occurs twice, a known field of another wire
 * type, groups, text that is not UTF-8. (Protocol Buffers encoding: protobuf.dev/programming-guides/encoding.)
 * @throws OnnxError
 */
export function scanModel(bytes: Uint8Array, limits: OnnxLimits): void {
  new Scan(bytes, limits).message("Model", bytes.length, 0);
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #limits: OnnxLimits;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });
  #at = 0;
  #nodes = 0;
  #objects = 0;
  #listed = 0;

  constructor(bytes: Uint8Array, limits: OnnxLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  /** Walks one message up to `end`; `depth` counts the graphs inside graphs. */
  message(name: MessageName, end: number, depth: number): void {
    if (depth > this.#limits.depth) throw this.#tooMany(`graphs nested deeper than ${this.#limits.depth}`);
    if (name === "Node" && ++this.#nodes > this.#limits.nodes) {
      throw this.#tooMany(`more than ${this.#limits.nodes} nodes`);
    }
    const fields = fieldsById.get(name)!;
    const seen = new Set<number>();
    while (this.#at < end) {
      const tag = this.#varint(end, 5);
      const id = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (id === 0 || tag >= 2 ** 32) throw this.#malformed(`field number ${id}`);
      const field = fields.get(id);
      if (field === undefined) {
        this.#skip(wireType, end);
        continue;
      }
      if (!field.repeated) {
        if (seen.has(id)) throw this.#malformed(`${name}.${field.name} occurs twice`);
        seen.add(id);
      }
      this.#field(name, field, wireType, end, depth);
    }
  }

  #field(message: MessageName, field: Field, wireType: number, end: number, depth: number): void {
    const expected = wireTypes[field.type] ?? 2;
    if (wireType === expected && expected !== 2) {
      if (field.repeated) this.#list(1);
      this.#skip(wireType, end);
      return;
    }
    if (wireType !== 2 || (expected !== 2 && !field.repeated)) {
      throw this.#malformed(`${message}.${field.name} has wire type ${wireType} instead of ${expected}`);
    }
    const stop = this.#length(end);
    if (expected !== 2) {
      this.#packed(expected, stop);
      return;
    }
    if (++this.#objects > this.#limits.objects) {
      throw this.#tooMany(`more than ${this.#limits.objects} parts`);
    }
    if (field.type === "string") this.#string(`${message}.${field.name}`, stop);
    else if (field.type === "bytes") this.#at = stop;
    else
      this.message(
        field.type as MessageName,
        stop,
        depth + (message === "Attribute" && field.type === "Graph" ? 1 : 0),
      );
  }

  #packed(wireType: number, stop: number): void {
    if (wireType !== 0) {
      const width = wireType === 1 ? 8 : 4;
      const length = stop - this.#at;
      if (length % width !== 0) throw this.#malformed("a list of numbers of a wrong length");
      this.#list(length / width);
      this.#at = stop;
      return;
    }
    while (this.#at < stop) {
      this.#varint(stop, 10);
      this.#list(1);
    }
  }

  #string(what: string, stop: number): void {
    if (stop - this.#at > this.#limits.stringBytes) {
      throw this.#tooMany(`${what} longer than ${this.#limits.stringBytes} bytes`);
    }
    try {
      this.#utf8.decode(this.#bytes.subarray(this.#at, stop));
    } catch (cause) {
      throw this.#malformed(`${what} is not UTF-8`, cause);
    }
    this.#at = stop;
  }

  #skip(wireType: number, end: number): void {
    if (wireType === 0) this.#varint(end, 10);
    else if (wireType === 1) this.#advance(8, end);
    else if (wireType === 2) this.#at = this.#length(end);
    else if (wireType === 5) this.#advance(4, end);
    else throw this.#malformed(`wire type ${wireType}`);
  }

  #advance(count: number, end: number): void {
    if (end - this.#at < count) throw this.#malformed("it ends early");
    this.#at += count;
  }

  /** Reads a length and returns where what follows ends. */
  #length(end: number): number {
    const length = this.#varint(end, 5);
    if (length > end - this.#at) throw this.#malformed(`a part of ${length} bytes does not fit`);
    return this.#at + length;
  }

  /** The varint's value; exact up to 2^53, which is above every tag and length. */
  #varint(end: number, most: number): number {
    let value = 0;
    for (let i = 0; i < most; i++) {
      if (this.#at >= end) throw this.#malformed("it ends early");
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    throw this.#malformed("a number is too long");
  }

  #list(count: number): void {
    this.#listed += count;
    if (this.#listed > this.#limits.listed) {
      throw new OnnxError(`more than ${this.#limits.listed} numbers in lists`, {
        next: "Save its tensors as raw bytes (raw_data), as torch.onnx.export and onnx.numpy_helper.from_array do.",
      });
    }
  }

  #malformed(what: string, cause?: unknown): OnnxError {
    return new OnnxError(`not readable at byte ${this.#at}: ${what}`, { cause });
  }

  #tooMany(what: string): OnnxError {
    return new OnnxError(`beyond the limits at byte ${this.#at}: ${what}`);
  }
}
