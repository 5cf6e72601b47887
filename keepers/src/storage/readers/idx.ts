import {
  assertRecordsFormat,
  type Dtype,
  dtypeBytes,
  type Field,
  fieldBytes,
  fieldLength,
  type RecordsFormat,
} from "../../core/dataset/format.ts";
import { swapBytes } from "../../core/dataset/records.ts";
import { maxObjectSize } from "../../core/dataset/shape.ts";
import { BadInputError } from "../../core/errors.ts";
import { ExactReader, type InputFile, plainName, sourceName } from "./pieces.ts";
import { type DatasetSource, malformed } from "./source.ts";

/** The type byte of an IDX file, from Y. LeCun's description of the MNIST files. */
export const idxTypes: Readonly<Record<number, Dtype>> = {
  8: "u8",
  9: "i8",
  11: "i16",
  12: "i32",
  13: "f32",
  14: "f64",
};

const maxDimensions = 8;

export type IdxOptions = {
  /** IDX file of labels, one for each item of the first file. */
  labels?: InputFile;
  maxBytes?: number;
};

type IdxHeader = { dtype: Dtype; count: number; shape: number[]; itemBytes: number };

/**
 * Reads an IDX file, packed with gzip or not, and the labels beside it: a record is one item followed by its label.
 * @throws BadInputError that names the file when a header is wrong, a file is too short or too long, or counts differ.
 */
export async function readIdx(
  items: InputFile,
  { labels, maxBytes }: IdxOptions = {},
): Promise<DatasetSource> {
  const files = labels === undefined ? [items] : [items, labels];
  const headers = await Promise.all(files.map((file) => readHeader(file, maxBytes)));
  const count = headers[0]!.count;
  if (labels !== undefined && headers[1]!.count !== count) {
    const what = `it has ${headers[1]!.count} labels for the ${count} items of ${items.path}`;
    throw malformed(labels.path, null, what);
  }
  const fields = fieldsOf(headers);
  const format: RecordsFormat = {
    kind: "records",
    fields,
    origin: { kind: "idx", files: files.map(plainName) },
  };
  const objectSize = headers.reduce((sum, { itemBytes }) => sum + itemBytes, 0);
  if (objectSize > maxObjectSize)
    throw malformed(items.path, null, `its items have more than ${maxObjectSize} bytes`);
  assertRecordsFormat(format, objectSize);

  async function* objects(): AsyncGenerator<Uint8Array> {
    const readers = files.map((file) => new ExactReader(file.read({ maxBytes })));
    try {
      for (const [i, reader] of readers.entries()) {
        const again = await parseHeader(reader, files[i]!.path);
        if (JSON.stringify(again) !== JSON.stringify(headers[i]))
          throw malformed(files[i]!.path, null, "it has changed");
      }
      for (let item = 0; item < count; item++) {
        const record = new Uint8Array(objectSize);
        for (const [i, reader] of readers.entries()) {
          const { dtype, itemBytes } = headers[i]!;
          const bytes = await reader.read(itemBytes);
          if (bytes.length < itemBytes)
            throw malformed(files[i]!.path, null, `it ends in item ${item} of ${count}`);
          record.set(swapBytes(bytes, dtype), fields[i]!.offset);
        }
        yield record;
      }
      for (const [i, reader] of readers.entries()) {
        if ((await reader.read(1)).length > 0)
          throw malformed(files[i]!.path, null, `bytes follow its ${count} items`);
      }
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  }

  return {
    name: sourceName(items),
    objectSize,
    objectCount: count,
    objects,
    format: () => format,
    licence: "",
    description: "",
  };
}

/** The header of an IDX file with these items. @throws BadInputError when there are more items than 32 bits count. */
export function idxHeader(field: Pick<Field, "dtype" | "shape">, count: number): Uint8Array {
  const type = Object.entries(idxTypes).find(([, dtype]) => dtype === field.dtype)![0];
  if (count > 0xffffffff) throw new BadInputError(`An IDX file cannot hold ${count} items.`);
  const header = new Uint8Array(8 + 4 * field.shape.length);
  const view = new DataView(header.buffer);
  header[2] = Number(type);
  header[3] = 1 + field.shape.length;
  for (const [i, dimension] of [count, ...field.shape].entries()) view.setUint32(4 + 4 * i, dimension);
  return header;
}

async function readHeader(file: InputFile, maxBytes: number | undefined): Promise<IdxHeader> {
  const reader = new ExactReader(file.read({ maxBytes }));
  try {
    return await parseHeader(reader, file.path);
  } finally {
    await reader.close();
  }
}

async function parseHeader(reader: ExactReader, path: string): Promise<IdxHeader> {
  const magic = await reader.read(4);
  const dtype = idxTypes[magic[2] ?? 0];
  const rank = magic[3] ?? 0;
  if (magic.length < 4 || magic[0] !== 0 || magic[1] !== 0 || dtype === undefined) {
    throw malformed(
      path,
      null,
      "it does not start as an IDX file does",
      "Give an IDX file, plain or packed with gzip.",
    );
  }
  if (rank < 1 || rank > maxDimensions + 1) throw malformed(path, null, `its header says ${rank} dimensions`);
  const bytes = await reader.read(4 * rank);
  if (bytes.length < 4 * rank) throw malformed(path, null, "it ends in its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sizes = Array.from({ length: rank }, (_, i) => view.getUint32(4 * i));
  const itemBytes = fieldLength(sizes.slice(1)) * dtypeBytes[dtype];
  if (sizes.includes(0)) throw malformed(path, null, "it is empty: a dimension in its header is 0");
  if (itemBytes > maxObjectSize)
    throw malformed(path, null, `its items have more than ${maxObjectSize} bytes`);
  return { dtype, count: sizes[0]!, shape: sizes.slice(1), itemBytes };
}

function fieldsOf(headers: readonly IdxHeader[]): Field[] {
  const fields: Field[] = [];
  let offset = 0;
  for (const [i, { dtype, shape }] of headers.entries()) {
    const field: Field = {
      name: i === 0 ? "input" : "label",
      role: i === 0 ? "input" : "label",
      dtype,
      shape,
      offset,
    };
    fields.push(field);
    offset += fieldBytes(field);
  }
  return fields;
}
