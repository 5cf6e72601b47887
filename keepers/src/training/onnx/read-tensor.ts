import { OnnxError } from "./errors.ts";
import type { OnnxLimits } from "./limits.ts";
import type { Int64, WireTensor } from "./schema.ts";
import {
  dtypeArrays,
  dtypeBytes,
  dtypeCodes,
  elementCount,
  type OnnxArrays,
  type OnnxDtype,
  type OnnxTensor,
} from "./types.ts";

const dtypesByCode = new Map(
  Object.entries(dtypeCodes).map(([dtype, code]) => [code, dtype as OnnxDtype] as const),
);

/** Element types that exist in ONNX and are not read, for an error that says more than a number. */
const otherDtypes: Readonly<Record<number, string>> = {
  8: "string",
  10: "float16",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
};

/** The field that holds the elements of a type when they are no raw bytes, as `TensorProto` says. */
const listFields = {
  float32: "floatData",
  float64: "doubleData",
  int8: "int32Data",
  uint8: "int32Data",
  int16: "int32Data",
  uint16: "int32Data",
  int32: "int32Data",
  bool: "int32Data",
  uint32: "uint64Data",
  uint64: "uint64Data",
  int64: "int64Data",
} as const satisfies Record<OnnxDtype, keyof WireTensor>;

/** Reads the tensors of one model and counts their bytes. */
export class TensorReader {
  readonly #limits: OnnxLimits;
  #bytes = 0;

  constructor(limits: OnnxLimits) {
    this.#limits = limits;
  }

  /** @throws OnnxError that names the tensor by `what`. */
  read(wire: WireTensor, what: string): OnnxTensor {
    if (wire.dataLocation || wire.externalData?.length) {
      throw new OnnxError(`${what} is stored in another file`, {
        next:
          "Save the model as one file: onnx.save_model(onnx.load(path), path, save_as_external_data=False); " +
          "it must stay below 2 GB.",
      });
    }
    if (wire.segment != null && Object.hasOwn(wire, "segment"))
      throw new OnnxError(`${what} is one segment of a tensor`);
    const dtype = this.dtype(wire.dataType ?? 0, what);
    this.checkRank(wire.dims.length, what);
    const shape = wire.dims.map((size) => sizeOf(size, what));
    const count = elementCount(shape);
    // An element of a tensor with a dimension of 0 is never stored, whatever the other dimensions say.
    this.#bytes += count * dtypeBytes[dtype];
    if (!(this.#bytes <= this.#limits.tensorBytes))
      throw new OnnxError(`${what}: tensors of more than ${this.#limits.tensorBytes} bytes`);
    const data = elements(wire, dtype, count, what);
    if (dtype === "bool" && (data as Uint8Array).some((value) => value > 1))
      throw new OnnxError(`${what} holds bools other than 0 and 1`);
    return { dtype, shape, data } as OnnxTensor;
  }

  dtype(code: number, what: string): OnnxDtype {
    const dtype = dtypesByCode.get(code);
    if (dtype !== undefined) return dtype;
    throw new OnnxError(`${what} has the element type ${otherDtypes[code] ?? code}, which is not supported`, {
      next: "Convert it to float32 before exporting the model: model.float().",
    });
  }

  checkRank(rank: number, what: string): void {
    if (rank > this.#limits.rank)
      throw new OnnxError(`${what} has ${rank} dimensions, more than ${this.#limits.rank}`);
  }
}

/** The `count` elements, from raw bytes (little-endian, as every host of Node's typed arrays here is) or a list. */
function elements(wire: WireTensor, dtype: OnnxDtype, count: number, what: string): OnnxArrays[OnnxDtype] {
  const listed = wire[listFields[dtype]] ?? [];
  for (const field of new Set(Object.values(listFields))) {
    const inRaw = wire.rawData !== undefined && wire.rawData.length > 0;
    if ((wire[field]?.length ?? 0) > 0 && (inRaw || field !== listFields[dtype]))
      throw new OnnxError(`${what} has elements in a field that is not its type's`);
  }
  const raw = wire.rawData ?? new Uint8Array();
  const isRaw = listed.length === 0;
  const found = isRaw ? raw.length / dtypeBytes[dtype] : listed.length;
  if (found !== count) throw new OnnxError(`${what} has ${found} elements, its shape asks for ${count}`);
  const buffer = new ArrayBuffer(count * dtypeBytes[dtype]);
  const data = new dtypeArrays[dtype](buffer);
  if (isRaw) new Uint8Array(buffer).set(raw);
  else fill(data, listed, what);
  return data;
}

/** Copies a list and refuses what the type cannot hold. */
function fill(data: OnnxArrays[OnnxDtype], listed: readonly Int64[], what: string): void {
  const bigints = data instanceof BigInt64Array || data instanceof BigUint64Array;
  const floats = data instanceof Float32Array || data instanceof Float64Array;
  for (const [i, value] of listed.entries()) {
    if (bigints) data[i] = toBigInt(value, data instanceof BigInt64Array);
    else {
      const number = typeof value === "number" ? value : Number(toBigInt(value, false));
      data[i] = number;
      if (!floats && data[i] !== number) throw new OnnxError(`${what} holds ${number}, outside its type`);
    }
  }
}

function toBigInt(value: Int64, signed: boolean): bigint {
  if (typeof value === "number") return BigInt(value);
  const bits = (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
  return signed ? BigInt.asIntN(64, bits) : bits;
}

/** A signed 64-bit integer as a number. @throws OnnxError when a number cannot hold it. */
export function safeInteger(value: Int64, what: string): number {
  const number = Number(toBigInt(value, true));
  if (!Number.isSafeInteger(number)) throw new OnnxError(`${what} is ${number}, beyond what is supported`);
  return number;
}

/** The size of a dimension. @throws OnnxError when it is negative or too large. */
export function sizeOf(value: Int64, what: string): number {
  const size = safeInteger(value, what);
  if (size < 0) throw new OnnxError(`${what} has a dimension of size ${size}`);
  return size;
}
