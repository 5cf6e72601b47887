import type { EntitySchema, FieldType } from "../schema/entity-schema.ts";
import { type Cell, decodeBigDecimal, decodeBigInt, decodeCell } from "../store/columns.ts";
import { quote } from "../store/database.ts";
import { parseBytes, toJson } from "../values/value.ts";

/** A stored field as a query reads it (of rows that go by `e`), and as an answer has it. */
export type JsonColumn = {
  readonly sql: string;
  /** The JSON of a cell that is not null. */
  readonly write: (cell: Exclude<Cell, null>) => string;
};

/** Values of an enumeration that the schema does not have are not written. */
export class UnknownEnumerationError extends Error {}

/** SQLite writes bytes out as digits much faster than it hands them over. */
const digitsOf = (column: string, { isRequired }: FieldType): string =>
  isRequired ? `hex(${column})` : `CASE WHEN ${column} IS NULL THEN NULL ELSE hex(${column}) END`;

/** Digits of a stored number that fit a JavaScript number with certainty: sign, length, then 6 bytes. */
const simpleDigits = 6 + 12;

function integer(cell: unknown): string {
  const digits = cell as string;
  const isSimple = digits.charCodeAt(1) === 49 && digits.length <= simpleDigits;
  if (!isSimple) return `"${decodeBigInt(parseBytes(digits)!)}"`;
  return digits.length === 6 ? '"0"' : `"${Number.parseInt(digits.slice(6), 16)}"`;
}

export function jsonColumn(schema: EntitySchema, field: FieldType): JsonColumn {
  const column = `e.${quote(field.name)}`;
  const { enumeration, scalar, isList } = field;
  if (enumeration !== undefined) {
    const known = new Set(schema.enumerations.get(enumeration));
    const write = (value: unknown) => {
      if ((isList ? (value as string[]) : [value as string]).every((each) => known.has(each)))
        return JSON.stringify(value);
      throw new UnknownEnumerationError(field.name);
    };
    return { sql: column, write: (cell) => write(decodeCell(field, cell)) };
  }
  if (isList) return { sql: column, write: (cell) => JSON.stringify(toJson(decodeCell(field, cell))) };
  switch (scalar) {
    case "Bytes":
      return { sql: digitsOf(column, field), write: (cell) => `"0x${(cell as string).toLowerCase()}"` };
    case "BigInt":
      return { sql: digitsOf(column, field), write: integer };
    case "BigDecimal":
      return {
        sql: digitsOf(column, field),
        write: (cell) => `"${decodeBigDecimal(parseBytes(cell as string)!)}"`,
      };
    case "Int":
      return { sql: column, write: String };
    case "Int8":
    case "Timestamp":
      return { sql: column, write: (cell) => `"${cell}"` };
    case "Boolean":
      return { sql: column, write: (cell) => (cell === 1n ? "true" : "false") };
    default:
      return { sql: column, write: (cell) => JSON.stringify(cell) };
  }
}
