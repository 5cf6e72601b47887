import {
  assertRecordsFormat,
  type Dtype,
  dtypeBytes,
  type Field,
  fieldLength,
  fitsHeader,
  maxColumns,
  type RecordsFormat,
} from "../../core/dataset/format.ts";
import { fits, writeField } from "../../core/dataset/records.ts";
import { type CsvDelimiter, readRows } from "./csv-rows.ts";
import { parseNumber, TypeFinder } from "./numbers.ts";
import { type InputFile, plainName, sourceName } from "./pieces.ts";
import { type DatasetSource, malformed } from "./source.ts";

export type CsvOptions = {
  delimiter?: CsvDelimiter;
  /** Whether the first row names the columns; "auto" (default): when a cell of it is no number. */
  header?: boolean | "auto";
  /** The label's column: its name, its index from 0, "first", "last"; null or absent for none. */
  label?: string | number | null;
  /** Number type of the inputs; by default the smallest that keeps every value. */
  dtype?: Dtype;
  /** Shape of the inputs; its product is the number of input columns. By default one dimension. */
  shape?: number[];
  maxBytes?: number;
};

/** What the first pass over the file finds. */
type CsvSchema = {
  rows: number;
  columns: number;
  header: string[] | null;
  labelColumn: number | null;
  inputType: Dtype;
  labelType: Dtype;
};

/**
 * Reads a CSV file of numbers, packed with gzip or not: a record is one row, its inputs followed by its label. The file
 * is read once to find the number types, then for the objects. A header too long for a
 * manifest is not kept.
 * @throws BadInputError that names file and line when a cell is no number, rows differ in length, or a quote is open.
 */
export async function readCsv(file: InputFile, options: CsvOptions = {}): Promise<DatasetSource> {
  const { path } = file;
  const schema = await scan(file, options);
  const fields = fieldsOf(path, schema, options.shape);
  const objectSize = fields.reduce(
    (sum, field) => sum + fieldLength(field.shape) * dtypeBytes[field.dtype],
    0,
  );
  const { labelColumn } = schema;
  const header = schema.header !== null && fitsHeader(schema.header) ? schema.header : null;
  const format: RecordsFormat = {
    kind: "records",
    fields,
    origin: { kind: "csv", file: plainName(file), delimiter: options.delimiter ?? ",", header, labelColumn },
  };
  assertRecordsFormat(format, objectSize);

  async function* objects(): AsyncGenerator<Uint8Array> {
    let rows = 0;
    let headerDue = schema.header !== null;
    for await (const { cells, line } of readRows(file, options)) {
      if (headerDue) {
        headerDue = false;
        continue;
      }
      rows++;
      const values = cells.map((cell, column) => cellNumber(path, line, column, cell));
      if (values.length !== schema.columns || rows > schema.rows)
        throw malformed(path, line, "the file has changed");
      const record = new Uint8Array(objectSize);
      const inputs = labelColumn === null ? values : values.toSpliced(labelColumn, 1);
      writeField(fields[0]!, record, inputs);
      if (labelColumn !== null) writeField(fields[1]!, record, [values[labelColumn]!]);
      yield record;
    }
    if (rows !== schema.rows) throw malformed(path, null, "the file has changed");
  }

  return {
    name: sourceName(file),
    objectSize,
    objectCount: schema.rows,
    objects,
    format: () => format,
    licence: "",
    description: "",
  };
}

async function scan(file: InputFile, options: CsvOptions): Promise<CsvSchema> {
  const { path } = file;
  let header: string[] | null = null;
  let labelColumn: number | null = null;
  let columns = 0;
  let rows = 0;
  const inputs = new TypeFinder();
  const labels = new TypeFinder();
  for await (const { cells, line } of readRows(file, options)) {
    if (columns === 0) {
      columns = cells.length;
      if (columns > maxColumns)
        throw malformed(path, line, `it has ${columns} columns, more than ${maxColumns}`);
      const named =
        options.header === "auto" || options.header === undefined ? !cells.every(isNumber) : options.header;
      if (named) header = cells;
      labelColumn = findLabel(path, options.label ?? null, header, columns);
      if (named) continue;
    }
    rows++;
    for (let column = 0; column < columns; column++) {
      const value = cellNumber(path, line, column, cells[column]!);
      if (column === labelColumn) labels.add(value);
      else if (options.dtype === undefined) inputs.add(value);
      else if (!fits(options.dtype, value)) {
        throw malformed(path, line, `column ${column + 1} holds ${value}, which is no ${options.dtype}`);
      }
    }
  }
  if (rows === 0) throw malformed(path, null, "it has no rows of numbers");
  return {
    rows,
    columns,
    header,
    labelColumn,
    inputType: options.dtype ?? inputs.dtype(),
    labelType: labels.dtype(),
  };
}

function isNumber(cell: string): boolean {
  return parseNumber(cell) !== null;
}

function cellNumber(path: string, line: number, column: number, cell: string): number {
  const value = parseNumber(cell);
  if (value !== null) return value;
  const shown = cell === "" ? "is empty" : `holds ${JSON.stringify(cell.slice(0, 40))}`;
  throw malformed(
    path,
    line,
    `column ${column + 1} ${shown}, which is no number that can be kept exactly`,
    "Replace it by a number, leave the column out, or store the file as lines.",
  );
}

function findLabel(
  path: string,
  label: string | number | null,
  header: readonly string[] | null,
  columns: number,
): number | null {
  if (label === null) return null;
  let column = typeof label === "number" ? label : (header?.indexOf(label) ?? -1);
  if (label === "first" && column < 0) column = 0;
  if (label === "last" && column < 0) column = columns - 1;
  if (!Number.isInteger(column) || column < 0 || column >= columns) {
    const names = header === null ? "it has no header" : `its columns are ${header.slice(0, 20).join(", ")}`;
    throw malformed(
      path,
      null,
      `there is no label column ${JSON.stringify(label)}; ${names}`,
      "Name another column.",
    );
  }
  if (columns === 1) throw malformed(path, null, "its only column cannot be the label");
  return column;
}

function fieldsOf(path: string, schema: CsvSchema, shape: number[] | undefined): Field[] {
  const inputs = schema.columns - (schema.labelColumn === null ? 0 : 1);
  const input: Field = {
    name: "input",
    role: "input",
    dtype: schema.inputType,
    shape: shape ?? [inputs],
    offset: 0,
  };
  if (fieldLength(input.shape) !== inputs) {
    throw malformed(
      path,
      null,
      `shape ${input.shape.join("×")} does not fit its ${inputs} input columns`,
      "Correct the shape.",
    );
  }
  if (schema.labelColumn === null) return [input];
  const offset = inputs * dtypeBytes[schema.inputType];
  return [input, { name: "label", role: "label", dtype: schema.labelType, shape: [], offset }];
}
