/**
 * The part of ONNX that models and step graphs use, as plain values. Names and numbers are those of `onnx.proto3` in
 * the ONNX specification (github.com/onnx/onnx); element types are named as ONNX Runtime's JavaScript API names them.
 */

/** The array that holds the elements of a tensor, in row-major order. A bool is one byte, 0 or 1. */
export type OnnxArrays = {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
};

export type OnnxDtype = keyof OnnxArrays;

/** `TensorProto.DataType` of every element type in use. */
export const dtypeCodes: Readonly<Record<OnnxDtype, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

/** Constructors of {@link OnnxArrays}. */
export const dtypeArrays: { readonly [D in OnnxDtype]: new (buffer: ArrayBuffer) => OnnxArrays[D] } = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

export const dtypeBytes: Readonly<Record<OnnxDtype, number>> = {
  float32: 4,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

/** A dense tensor of one element type; `data` has as many elements as the product of `shape`. */
export type TypedTensor<D extends OnnxDtype> = { dtype: D; shape: number[]; data: OnnxArrays[D] };

export type OnnxTensor = { [D in OnnxDtype]: TypedTensor<D> }[OnnxDtype];

/** An attribute; an `int` is a safe integer, a `float` one that float32 holds. */
export type OnnxAttribute =
  | { type: "int"; value: number }
  | { type: "ints"; value: number[] }
  | { type: "float"; value: number }
  | { type: "floats"; value: number[] }
  | { type: "string"; value: string }
  | { type: "strings"; value: string[] }
  | { type: "tensor"; value: OnnxTensor }
  | { type: "graph"; value: OnnxGraph };

/** The type of a graph's input or output: a dimension is a size or the name of one that is not fixed ("" when unnamed). */
export type ValueInfo = { name: string; dtype: OnnxDtype; shape: (number | string)[] };

/** One operation. An input or output named "" is an optional one that is left out; domain "" is ONNX's own. */
export type OnnxNode = {
  name: string;
  opType: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Map<string, OnnxAttribute>;
};

/**
 * A graph in single-assignment form: nodes come after the nodes whose outputs they read. The body of a Loop, Scan or If
 * may also read the values of the graphs around it. No initialiser is also an input.
 */
export type OnnxGraph = {
  name: string;
  nodes: OnnxNode[];
  initializers: Map<string, OnnxTensor>;
  inputs: ValueInfo[];
  outputs: ValueInfo[];
};

export type OnnxModel = {
  irVersion: number;
  /** Version of each operator set by its domain. */
  opsets: ReadonlyMap<string, number>;
  graph: OnnxGraph;
};

/** Number of elements of a shape; 1 for a scalar's `[]`. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
