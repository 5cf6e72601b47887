import type { FieldType } from "../schema/entity-schema.ts";
import { BigDecimal } from "../values/big-decimal.ts";
import { parseBytes, type Scalar, toHexText, type Value } from "../values/value.ts";

/** What SQLite holds. */
export type Cell = null | string | number | bigint | Uint8Array;

const columnTypes: Record<Scalar, string> = {
  ID: "TEXT",
  String: "TEXT",
  Bytes: "BLOB",
  Int: "INTEGER",
  Int8: "INTEGER",
  Timestamp: "INTEGER",
  Boolean: "INTEGER",
  BigInt: "BLOB",
  BigDecimal: "BLOB",
};

export const columnType = ({ scalar, isList }: FieldType): string => (isList ? "TEXT" : columnTypes[scalar]);

const invert = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 255);

/**
 * Bytes that compare like the numbers do: sign, then length and magnitude, which are inverted for negative numbers.
 * SQLite's own integers end at 64 bits.
 */
export function encodeBigInt(value: bigint): Uint8Array {
  const hex = value === 0n ? "" : (value < 0n ? -value : value).toString(16);
  const length = (hex.length + 1) >> 1;
  const body = new Uint8Array(length + 3);
  body[0] = 1;
  body[1] = length >> 8;
  body[2] = length & 255;
  for (let at = body.length - 1, end = hex.length; end > 0; at--, end -= 2)
    body[at] = Number.parseInt(hex.slice(Math.max(0, end - 2), end), 16);
  if (value < 0n) for (let i = 0; i < body.length; i++) body[i]! ^= i === 0 ? 1 : 255;
  return body;
}

export function decodeBigInt(bytes: Uint8Array): bigint {
  const isNegative = bytes[0] === 0;
  const magnitude = (isNegative ? invert(bytes) : bytes).subarray(3);
  const value = magnitude.length === 0 ? 0n : BigInt(toHexText(magnitude));
  return isNegative ? -value : value;
}

const exponentBias = 2 ** 31;

/** As `encodeBigInt`: sign, exponent of the first digit, then the digits from the first on. */
export function encodeBigDecimal({ digits, exponent }: BigDecimal): Uint8Array {
  if (digits === 0n) return Uint8Array.of(1);
  const text = (digits < 0n ? -digits : digits).toString();
  const body = Buffer.alloc(4 + text.length);
  body.writeUInt32BE(exponent + text.length + exponentBias);
  body.write(text, 4, "latin1");
  return digits < 0n ? Uint8Array.of(0, ...invert(body), 255) : Uint8Array.of(2, ...body);
}

export function decodeBigDecimal(bytes: Uint8Array): BigDecimal {
  if (bytes[0] === 1) return new BigDecimal(0n, 0);
  const isNegative = bytes[0] === 0;
  const body = Buffer.from(isNegative ? invert(bytes.subarray(1, -1)) : bytes.subarray(1));
  const text = body.toString("latin1", 4);
  const digits = BigInt(text);
  return new BigDecimal(isNegative ? -digits : digits, body.readUInt32BE(0) - exponentBias - text.length);
}

function encodeScalar(scalar: Scalar, value: Exclude<Value, null>): Exclude<Cell, null> {
  if (scalar === "BigInt") return encodeBigInt(value as bigint);
  if (scalar === "BigDecimal") return encodeBigDecimal(value as BigDecimal);
  if (scalar === "Boolean") return value === true ? 1 : 0;
  return value as string | number | bigint | Uint8Array;
}

function decodeScalar(scalar: Scalar, cell: Exclude<Cell, null>): Value {
  if (scalar === "BigInt") return decodeBigInt(cell as Uint8Array);
  if (scalar === "BigDecimal") return decodeBigDecimal(cell as Uint8Array);
  if (scalar === "Boolean") return BigInt(cell as bigint) === 1n;
  if (scalar === "Int") return Number(cell);
  if (scalar === "Int8" || scalar === "Timestamp") return BigInt(cell as bigint);
  return cell as string | Uint8Array;
}

/** Elements of lists are text in one form each, so that they can be compared inside a JSON array. */
export function encodeElement(scalar: Scalar, value: Value): string {
  if (value instanceof Uint8Array) return toHexText(value);
  if (scalar === "Boolean") return value === true ? "1" : "0";
  return String(value);
}

function decodeElement(scalar: Scalar, text: string): Value {
  switch (scalar) {
    case "Bytes":
      return parseBytes(text)!;
    case "BigInt":
    case "Int8":
    case "Timestamp":
      return BigInt(text);
    case "BigDecimal":
      return BigDecimal.parse(text);
    case "Int":
      return Number(text);
    case "Boolean":
      return text === "1";
    default:
      return text;
  }
}

export function encodeCell({ scalar, isList }: FieldType, value: Value | undefined): Cell {
  if (value === undefined || value === null) return null;
  if (!isList) return encodeScalar(scalar, value);
  return JSON.stringify((value as readonly Value[]).map((element) => encodeElement(scalar, element)));
}

export function decodeCell({ scalar, isList }: FieldType, cell: Cell): Value {
  if (cell === null) return null;
  if (!isList) return decodeScalar(scalar, cell);
  return (JSON.parse(cell as string) as string[]).map((text) => decodeElement(scalar, text));
}
