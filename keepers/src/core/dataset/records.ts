import { BadInputError } from "../errors.ts";
import { type Dtype, dtypeBytes, type Field, fieldBytes, fieldLength, type RecordsFormat } from "./format.ts";

/** Values of a field, in an array of the field's own number type. */
export type FieldValues = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

type NumberCodec = {
  allocate: (length: number) => FieldValues;
  get: (view: DataView, at: number) => number;
  set: (view: DataView, at: number, value: number) => void;
  /** Least and greatest integer; null for floating point. */
  range: readonly [number, number] | null;
};

const codecs: Record<Dtype, NumberCodec> = {
  u8: {
    allocate: (length) => new Uint8Array(length),
    get: (view, at) => view.getUint8(at),
    set: (view, at, value) => view.setUint8(at, value),
    range: [0, 255],
  },
  i8: {
    allocate: (length) => new Int8Array(length),
    get: (view, at) => view.getInt8(at),
    set: (view, at, value) => view.setInt8(at, value),
    range: [-128, 127],
  },
  i16: {
    allocate: (length) => new Int16Array(length),
    get: (view, at) => view.getInt16(at, true),
    set: (view, at, value) => view.setInt16(at, value, true),
    range: [-32768, 32767],
  },
  i32: {
    allocate: (length) => new Int32Array(length),
    get: (view, at) => view.getInt32(at, true),
    set: (view, at, value) => view.setInt32(at, value, true),
    range: [-2147483648, 2147483647],
  },
  f32: {
    allocate: (length) => new Float32Array(length),
    get: (view, at) => view.getFloat32(at, true),
    set: (view, at, value) => view.setFloat32(at, value, true),
    range: null,
  },
  f64: {
    allocate: (length) => new Float64Array(length),
    get: (view, at) => view.getFloat64(at, true),
    set: (view, at, value) => view.setFloat64(at, value, true),
    range: null,
  },
};

/**
 * A field's values from a record.
 * @throws BadInputError when the record ends before the field does.
 */
export function readField(field: Field, record: Uint8Array): FieldValues {
  assertInside(field, record);
  const { allocate, get } = codecs[field.dtype];
  const values = allocate(fieldLength(field.shape));
  const view = new DataView(record.buffer, record.byteOffset + field.offset, fieldBytes(field));
  const step = dtypeBytes[field.dtype];
  for (let i = 0; i < values.length; i++) values[i] = get(view, i * step);
  return values;
}

/**
 * Writes a field's values into a record.
 * @throws BadInputError when the count is wrong, a value does not fit the number type, or the record is too short.
 */
export function writeField(field: Field, record: Uint8Array, values: ArrayLike<number>): void {
  assertInside(field, record);
  const length = fieldLength(field.shape);
  if (values.length !== length) {
    throw new BadInputError(`Field "${field.name}" has ${length} values, not ${values.length}.`);
  }
  const view = new DataView(record.buffer, record.byteOffset + field.offset, fieldBytes(field));
  const step = dtypeBytes[field.dtype];
  for (let i = 0; i < length; i++) {
    const value = values[i]!;
    if (!fits(field.dtype, value)) {
      throw new BadInputError(
        `Value ${value} does not fit the type ${field.dtype} of field "${field.name}".`,
      );
    }
    codecs[field.dtype].set(view, i * step, value);
  }
}

/** The field with a role: what training takes as inputs or labels. @throws BadInputError when there is none. */
export function fieldOfRole(format: RecordsFormat, role: Field["role"]): Field {
  const found = format.fields.find((field) => field.role === role);
  if (found !== undefined) return found;
  throw new BadInputError(`The dataset has no ${role} field.`, {
    next: "Put it again with a label column or a label file.",
  });
}

/** Whether a number type holds a value exactly (integers) or at all (f32 and f64 take any number). */
export function fits(dtype: Dtype, value: number): boolean {
  const { range } = codecs[dtype];
  return range === null || (Number.isInteger(value) && value >= range[0] && value <= range[1]);
}

/** Reverses the bytes of each number: from IDX's big-endian to the records' little-endian and back. NaNs keep their bits. */
export function swapBytes(bytes: Uint8Array, dtype: Dtype): Uint8Array {
  const step = dtypeBytes[dtype];
  if (step === 1) return bytes;
  const swapped = bytes.slice();
  for (let i = 0; i + step <= swapped.length; i += step) swapped.subarray(i, i + step).reverse();
  return swapped;
}

function assertInside(field: Field, record: Uint8Array): void {
  if (field.offset + fieldBytes(field) <= record.length) return;
  throw new BadInputError(`Field "${field.name}" lies outside a record of ${record.length} bytes.`);
}
