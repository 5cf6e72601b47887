import { bytesToHex, hexToBytes } from "viem";
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

/** What a scalar looks like in an answer: numbers that JSON cannot hold are strings, bytes are hexadecimal. */
export function toJson(value: Value): unknown {
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (typeof value === "bigint" || value instanceof BigDecimal) return value.toString();
  if (Array.isArray(value)) return value.map((element: Value) => toJson(element));
  return value;
}

/** Bytes of a hexadecimal string, with 0x or without; undefined for anything else. */
export function parseBytes(text: string): Uint8Array | undefined {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  return hexToBytes(`0x${digits}`);
}
