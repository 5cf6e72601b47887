import { MappingError } from "../errors.ts";
import type { EntityType, FieldType } from "../schema/entity-schema.ts";
import { BigDecimal } from "../values/big-decimal.ts";
import type { Entity, Scalar, Value } from "../values/value.ts";
import { type Memory, typeId } from "./memory.ts";

/** Kinds of `Value` in graph-ts (common/value.ts). */
const kind = {
  string: 0,
  int: 1,
  bigDecimal: 2,
  bool: 3,
  array: 4,
  null: 5,
  bytes: 6,
  bigInt: 7,
  int8: 8,
  timestamp: 9,
} as const;

export function readBigDecimal(memory: Memory, pointer: number): BigDecimal {
  return new BigDecimal(memory.bigInt(memory.u32(pointer)), Number(memory.bigInt(memory.u32(pointer + 4))));
}

export function writeBigDecimal(memory: Memory, value: BigDecimal): number {
  return memory.writeObject(typeId.BigDecimal, [
    memory.writeBigInt(value.digits),
    memory.writeBigInt(BigInt(value.exponent)),
  ]);
}

export function readStoreValue(memory: Memory, pointer: number): Value {
  const payload = pointer + 8;
  switch (memory.u32(pointer)) {
    case kind.string:
      return memory.string(memory.u32(payload));
    case kind.int:
      return memory.i32(payload);
    case kind.bigDecimal:
      return readBigDecimal(memory, memory.u32(payload));
    case kind.bool:
      return memory.u32(payload) !== 0;
    case kind.array:
      return memory.pointers(memory.u32(payload)).map((element) => readStoreValue(memory, element));
    case kind.null:
      return null;
    case kind.bytes:
      return memory.bytes(memory.u32(payload));
    case kind.bigInt:
      return memory.bigInt(memory.u32(payload));
    case kind.int8:
    case kind.timestamp:
      return memory.i64(payload);
    default:
      throw new MappingError(`a mapping handed over a value of the unknown kind ${memory.u32(pointer)}`);
  }
}

/** The fields of an entity that a mapping hands over, by name. */
export function readFields(memory: Memory, pointer: number): Map<string, Value> {
  const fields = new Map<string, Value>();
  for (const entry of memory.pointers(memory.u32(pointer)))
    fields.set(memory.name(memory.u32(entry)), readStoreValue(memory, memory.u32(entry + 4)));
  return fields;
}

export function writeEntity(memory: Memory, type: EntityType, entity: Entity): number {
  const entries: number[] = [];
  for (const [name, value] of entity) {
    const written = writeStoreValue(memory, type.fields.get(name)!, value);
    const fields = [memory.writeName(name), written];
    entries.push(memory.writeObject(typeId.TypedMapEntryStringStoreValue, fields));
  }
  return memory.writeObject(typeId.TypedMapStringStoreValue, [
    memory.writeArray(typeId.ArrayTypedMapEntryStringStoreValue, entries),
  ]);
}

function writeStoreValue(memory: Memory, { scalar, isList }: FieldType, value: Value): number {
  if (value === null) return tagged(memory, kind.null, 0);
  if (!isList) return writeScalar(memory, scalar, value);
  const elements = (value as readonly Value[]).map((element) => writeScalar(memory, scalar, element));
  return tagged(memory, kind.array, memory.writeArray(typeId.ArrayStoreValue, elements));
}

function writeScalar(memory: Memory, scalar: Scalar, value: Value): number {
  switch (scalar) {
    case "ID":
    case "String":
      return tagged(memory, kind.string, memory.writeString(value as string));
    case "Bytes":
      return tagged(memory, kind.bytes, memory.writeBytes(value as Uint8Array));
    case "Int":
      return tagged(memory, kind.int, value as number);
    case "Int8":
      return tagged(memory, kind.int8, value as bigint);
    case "Timestamp":
      return tagged(memory, kind.timestamp, value as bigint);
    case "BigInt":
      return tagged(memory, kind.bigInt, memory.writeBigInt(value as bigint));
    case "BigDecimal":
      return tagged(memory, kind.bigDecimal, writeBigDecimal(memory, value as BigDecimal));
    case "Boolean":
      return tagged(memory, kind.bool, value === true ? 1 : 0);
  }
}

const tagged = (memory: Memory, valueKind: number, payload: number | bigint) =>
  memory.writeTagged(typeId.StoreValue, valueKind, payload);
