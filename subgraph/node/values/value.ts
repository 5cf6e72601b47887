import { BigDecimal } from "./big-decimal.ts";

/**
 * A field of an entity: `string` for String and ID, `number` for Int, `bigint` for BigInt, Int8 and Timestamp. What a
 * `bigint` stands for is in the schema.
 */
export type Value = null | string | number | bigint | boolean | Uint8Array | BigDecimal | readonly Value[];

/** An entity: values by field; fields that were never set are missing. */
export type Entity = ReadonlyMap<string, Value>;

/** The names of scalar types in schemas. */
export const scalars = [
  "ID",
  "String",
  "Bytes",
  "Int",
  "Int8",
  "BigInt",
  "BigDecimal",
  "Boolean",
  "Timestamp",
] as const;

export type Scalar = (typeof scalars)[number];

export function isSameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof BigDecimal) return b instanceof BigDecimal && a.compare(b) === 0;
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return a.length === b.length && a.every((element: Value, i) => isSameValue(element, b[i] as Value));
}

/** What a scalar looks like in an answer: numbers that JSON cannot hold are strings, bytes are hexadecimal. */
export function toJson(value: Value): unknown {
  if (value instanceof Uint8Array) return toHexText(value);
  if (typeof value === "bigint" || value instanceof BigDecimal) return value.toString();
  if (Array.isArray(value)) return value.map((element: Value) => toJson(element));
  return value;
}

/** Where short bytes are read from: to look at their own buffer would have the engine make one for each. */
const scratch = Buffer.allocUnsafeSlow(256);

export function toHexText(bytes: Uint8Array): `0x${string}` {
  const { length } = bytes;
  if (length > scratch.length)
    return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("hex")}`;
  scratch.set(bytes);
  return `0x${scratch.toString("hex", 0, length)}`;
}

/** Bytes of a hexadecimal string, with 0x or without; undefined for anything else. */
export function parseBytes(text: string): Uint8Array | undefined {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  // A copy of its own: small buffers of Node.js share one.
  return new Uint8Array(Buffer.from(digits, "hex"));
}
