import protobuf from "protobufjs/minimal.js";
import { type FieldType, type MessageName, type SchemaField, schema, type WireModel } from "./schema.ts";

/**
 * Protobuf by the table of `schema.ts`, over the reader and writer of protobufjs. Its own reflection makes functions of
 * text, which the page's content security policy forbids; this walks the table instead.
 */

type Field = {
  readonly name: string;
  readonly id: number;
  readonly type: FieldType;
  readonly repeated: boolean;
};
type Message = Record<string, unknown>;

const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;
const numberTypes = {
  int32: wireType.varint,
  int64: wireType.varint,
  uint64: wireType.varint,
  double: wireType.fixed64,
  float: wireType.fixed32,
} as const satisfies Partial<Record<FieldType, number>>;
type NumberType = keyof typeof numberTypes;

const isNumber = (type: FieldType): type is NumberType => type in numberTypes;
const isPlain = (type: FieldType): type is NumberType | "string" | "bytes" =>
  isNumber(type) || type === "string" || type === "bytes";

type Table = {
  readonly fields: readonly Field[];
  readonly byId: ReadonlyMap<number, Field>;
  readonly lists: readonly string[];
};

const tables: ReadonlyMap<MessageName, Table> = new Map(
  Object.entries(schema).map(([message, entries]) => {
    const fields = Object.entries(entries).map(
      ([name, [id, type, rule]]: [string, SchemaField]): Field => ({
        name,
        id,
        type,
        repeated: rule !== undefined,
      }),
    );
    return [
      message as MessageName,
      {
        fields,
        byId: new Map(fields.map((field) => [field.id, field])),
        lists: fields.flatMap(({ name, repeated }) => (repeated ? [name] : [])),
      },
    ];
  }),
);

/** Reads a `ModelProto`; fields that the table does not name are skipped. @throws what the reader throws */
export function decodeModel(bytes: Uint8Array): WireModel {
  // A view without Node's Buffer around it, so that the same reader is used everywhere.
  const reader = protobuf.Reader.create(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  return decode(reader, "Model", bytes.length) as WireModel;
}

/** Writes a `ModelProto`, fields in the table's order. */
export function encodeModel(model: WireModel): Uint8Array {
  const writer = new protobuf.Writer();
  encode(writer, "Model", model as Message);
  return writer.finish();
}

function decode(reader: protobuf.Reader, name: MessageName, end: number): Message {
  const { byId, lists } = tables.get(name)!;
  const message: Message = {};
  for (const list of lists) message[list] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = byId.get(tag >>> 3);
    if (field === undefined) reader.skipType(tag & 7);
    else if (field.repeated) readInto(message[field.name] as unknown[], reader, field.type, tag & 7);
    else message[field.name] = readValue(reader, field.type);
  }
  return message;
}

/** One element of a list, or all of a packed one. */
function readInto(list: unknown[], reader: protobuf.Reader, type: FieldType, wire: number): void {
  if (!isNumber(type) || wire !== wireType.delimited) {
    list.push(readValue(reader, type));
    return;
  }
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) list.push(reader[type]());
}

function readValue(reader: protobuf.Reader, type: FieldType): unknown {
  if (isPlain(type)) return reader[type]();
  const length = reader.uint32();
  return decode(reader, type, reader.pos + length);
}

function encode(writer: protobuf.Writer, name: MessageName, message: Message): void {
  for (const { name: field, id, type, repeated } of tables.get(name)!.fields) {
    const value = message[field];
    if (value === undefined) continue;
    if (!repeated) writeValue(writer, id, type, value);
    else if (!isNumber(type)) for (const each of value as unknown[]) writeValue(writer, id, type, each);
    else if ((value as number[]).length > 0) writePacked(writer, id, type, value as number[]);
  }
}

function writeValue(writer: protobuf.Writer, id: number, type: FieldType, value: unknown): void {
  const wire = isNumber(type) ? numberTypes[type] : wireType.delimited;
  writer.uint32(((id << 3) | wire) >>> 0);
  if (isNumber(type)) writer[type](value as number);
  else if (type === "string") writer.string(value as string);
  else if (type === "bytes") writer.bytes(value as Uint8Array);
  else {
    writer.fork();
    encode(writer, type, value as Message);
    writer.ldelim();
  }
}

function writePacked(writer: protobuf.Writer, id: number, type: NumberType, values: readonly number[]): void {
  writer.uint32(((id << 3) | wireType.delimited) >>> 0).fork();
  for (const value of values) writer[type](value);
  writer.ldelim();
}
