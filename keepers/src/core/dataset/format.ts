import * as z from "zod";
import { BadInputError } from "../errors.ts";
import { fileNameProblem } from "./names.ts";
import { firstProblem, type SchemaProblem } from "./schema-error.ts";
import { maxObjectSize } from "./shape.ts";

/** Number types of a field and their bytes; values are little-endian in a record. */
export const dtypeBytes = { u8: 1, i8: 1, i16: 2, i32: 4, f32: 4, f64: 8 } as const;

export type Dtype = keyof typeof dtypeBytes;

/** Most records of a packed dataset. */
export const maxPackedRecords = 2 ** 24;
/** Longest record index of a packed dataset: 256 MiB of ends at the most records, and as much of names. */
export const maxIndexBytes = 2 ** 29;
/** Bytes of an index entry: uint64 end of the record, uint64 end of its name, big-endian. */
export const indexEntryBytes = 16;

const maxFields = 64;
const maxDimensions = 8;
/** Most columns of a CSV file. */
export const maxColumns = 4096;
/** Longest header row that a manifest keeps, in UTF-16 code units. */
export const maxHeaderLength = 8192;

const size = z.int().min(1).max(maxObjectSize);
const fileName = z
  .string()
  .max(256)
  .superRefine((name, context) => {
    const problem = fileNameProblem(name);
    if (problem !== null)
      context.addIssue({ code: "custom", message: `is refused as a file name: ${problem}` });
  });
const columnName = z
  .string()
  .max(256)
  .refine((text) => text.isWellFormed(), "is not valid Unicode");
const header = z
  .array(columnName)
  .max(maxColumns)
  .refine((names) => headerLength(names) <= maxHeaderLength, `is longer than ${maxHeaderLength} characters`);

const field = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, "must be a word of letters, digits and _"),
  /** What training does with it. */
  role: z.enum(["input", "label"]),
  dtype: z.enum(["u8", "i8", "i16", "i32", "f32", "f64"]),
  /** Row-major; [] is a scalar. */
  shape: z.array(size).max(maxDimensions),
  /** First byte in the record. */
  offset: z.int().min(0).max(maxObjectSize),
});

const idxOrigin = z.strictObject({ kind: z.literal("idx"), files: z.array(fileName).min(1).max(2) });
const csvOrigin = z.strictObject({
  kind: z.literal("csv"),
  file: fileName,
  delimiter: z.enum([",", ";", "\t", "|"]),
  /** Names of all columns; null when the file has none, or some that {@link fitsHeader} refuses. */
  header: header.nullable(),
  /** Column of the label in the file; null when there is none. */
  labelColumn: z.int().min(0).max(maxColumns).nullable(),
});

const records = z.strictObject({
  kind: z.literal("records"),
  /** Ascending by offset, without overlap, inside the record. */
  fields: z.array(field).min(1).max(maxFields),
  /** The file the records came from, so that it can be written again; null when there is none. */
  origin: z.discriminatedUnion("kind", [idxOrigin, csvOrigin]).nullable(),
});

const packed = z.strictObject({
  kind: z.literal("packed"),
  /** `files`: the records are the files of a folder, by path. `lines`: the lines of one file, terminators included. */
  content: z.enum(["files", "lines"]),
  /** The file that the lines came from; null for a folder. */
  file: fileName.nullable(),
  records: z.int().min(1).max(maxPackedRecords),
  /** Where the record index lies in the concatenation of all objects; the records fill the bytes before it. */
  index: z.strictObject({
    offset: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
    length: z.int().min(indexEntryBytes).max(maxIndexBytes),
  }),
});

/** How objects become records, as the manifest says it. */
export const formatSchema = z.discriminatedUnion("kind", [records, packed]);

export type Field = z.infer<typeof field>;
export type RecordsFormat = z.infer<typeof records>;
export type PackedFormat = z.infer<typeof packed>;
export type DatasetFormat = z.infer<typeof formatSchema>;

/** Whether a manifest keeps a header row: at most 256 characters a name and {@link maxHeaderLength} in all. */
export function fitsHeader(names: readonly string[]): boolean {
  return header.safeParse(names).success;
}

function headerLength(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + name.length + 3, 0);
}

/** Number of values of a field. */
export function fieldLength(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Bytes of a field in a record. */
export function fieldBytes({ dtype, shape }: Pick<Field, "dtype" | "shape">): number {
  return fieldLength(shape) * dtypeBytes[dtype];
}

/**
 * Refuses a format of records that no manifest could hold, before any work is put into its dataset.
 * @throws BadInputError that names the field.
 */
export function assertRecordsFormat(format: RecordsFormat, recordSize: number): void {
  const result = records.safeParse(format);
  const problem = result.success ? recordsProblem(format, recordSize) : firstProblem(result.error, "format");
  if (problem !== null)
    throw new BadInputError(`The records cannot be described at ${problem.field}: ${problem.reason}.`);
}

/** What in a format contradicts the dataset's size: the field at fault and why; null when nothing does. */
export function formatProblem(
  format: DatasetFormat,
  dataset: { objectSize: number; objectCount: number },
): SchemaProblem | null {
  return format.kind === "records"
    ? recordsProblem(format, dataset.objectSize)
    : packedProblem(format, dataset);
}

function recordsProblem({ fields, origin }: RecordsFormat, recordSize: number): SchemaProblem | null {
  const names = new Set<string>();
  let end = 0;
  for (const [i, item] of fields.entries()) {
    const at = `format.fields[${i}]`;
    if (names.has(item.name)) return { field: `${at}.name`, reason: `"${item.name}" occurs twice` };
    names.add(item.name);
    if (item.offset < end) return { field: `${at}.offset`, reason: "the field overlaps the one before it" };
    end = item.offset + fieldBytes(item);
    if (end > recordSize)
      return { field: `${at}.shape`, reason: `the field ends behind the record of ${recordSize} bytes` };
  }
  if (
    origin?.kind === "idx" &&
    (origin.files.length !== fields.length || new Set(origin.files).size < fields.length)
  ) {
    return {
      field: "format.origin.files",
      reason: `it must give each of the ${fields.length} fields a file of its own`,
    };
  }
  if (origin?.kind !== "csv") return null;
  const columns = fields.reduce((sum, item) => sum + fieldLength(item.shape), 0);
  if (origin.header !== null && origin.header.length !== columns) {
    return {
      field: "format.origin.header",
      reason: `it has ${origin.header.length} names for ${columns} columns`,
    };
  }
  if (origin.labelColumn !== null && origin.labelColumn >= columns) {
    return { field: "format.origin.labelColumn", reason: `there are only ${columns} columns` };
  }
  return null;
}

function packedProblem(
  format: PackedFormat,
  { objectSize, objectCount }: { objectSize: number; objectCount: number },
) {
  const { content, file, records: count, index } = format;
  if ((content === "lines") !== (file !== null)) {
    return {
      field: "format.file",
      reason: `content "${content}" ${file === null ? "needs" : "has no"} file name`,
    };
  }
  if (index.length < count * indexEntryBytes) {
    return {
      field: "format.index.length",
      reason: `the index of ${count} records has at least ${count * indexEntryBytes} bytes`,
    };
  }
  const needed = Math.ceil((index.offset + index.length) / objectSize);
  if (needed !== objectCount) {
    return {
      field: "format.index",
      reason: `records and index fill ${needed} objects, the dataset has ${objectCount}`,
    };
  }
  return null;
}
