/**
 * The subset of `onnx.proto3` (github.com/onnx/onnx, IR version 3 and later) that is read and written. Fields that only
 * exist to be refused (functions, sparse tensors, other attribute types) are `bytes`: they are seen, never decoded.
 * Fields left out (documentation, metadata, the types of intermediate values) are skipped.
 */
export type FieldType = "int32" | "int64" | "uint64" | "float" | "double" | "string" | "bytes" | MessageName;

export type MessageName =
  | "Model"
  | "OperatorSetId"
  | "Graph"
  | "Node"
  | "Attribute"
  | "Tensor"
  | "ValueInfo"
  | "Type"
  | "TensorType"
  | "Shape"
  | "Dimension";

/** A field: its number, its type, and whether it is repeated. */
export type SchemaField = readonly [id: number, type: FieldType, rule?: "repeated"];

export const schema: Readonly<Record<MessageName, Readonly<Record<string, SchemaField>>>> = {
  Model: {
    irVersion: [1, "int64"],
    graph: [7, "Graph"],
    opsetImport: [8, "OperatorSetId", "repeated"],
    trainingInfo: [20, "bytes", "repeated"],
    functions: [25, "bytes", "repeated"],
  },
  OperatorSetId: { domain: [1, "string"], version: [2, "int64"] },
  Graph: {
    node: [1, "Node", "repeated"],
    name: [2, "string"],
    initializer: [5, "Tensor", "repeated"],
    input: [11, "ValueInfo", "repeated"],
    output: [12, "ValueInfo", "repeated"],
    sparseInitializer: [15, "bytes", "repeated"],
  },
  Node: {
    input: [1, "string", "repeated"],
    output: [2, "string", "repeated"],
    name: [3, "string"],
    opType: [4, "string"],
    attribute: [5, "Attribute", "repeated"],
    domain: [7, "string"],
  },
  Attribute: {
    name: [1, "string"],
    f: [2, "float"],
    i: [3, "int64"],
    s: [4, "bytes"],
    t: [5, "Tensor"],
    g: [6, "Graph"],
    floats: [7, "float", "repeated"],
    ints: [8, "int64", "repeated"],
    strings: [9, "bytes", "repeated"],
    type: [20, "int32"],
    refAttrName: [21, "string"],
  },
  Tensor: {
    dims: [1, "int64", "repeated"],
    dataType: [2, "int32"],
    segment: [3, "bytes"],
    floatData: [4, "float", "repeated"],
    int32Data: [5, "int32", "repeated"],
    int64Data: [7, "int64", "repeated"],
    name: [8, "string"],
    rawData: [9, "bytes"],
    doubleData: [10, "double", "repeated"],
    uint64Data: [11, "uint64", "repeated"],
    externalData: [13, "bytes", "repeated"],
    dataLocation: [14, "int32"],
  },
  ValueInfo: { name: [1, "string"], type: [2, "Type"] },
  Type: { tensorType: [1, "TensorType"] },
  TensorType: { elemType: [1, "int32"], shape: [2, "Shape"] },
  Shape: { dim: [1, "Dimension", "repeated"] },
  Dimension: { dimValue: [1, "int64"], dimParam: [2, "string"] },
};

/** `AttributeProto.AttributeType` of the attribute types in use. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

/** A 64-bit integer as protobufjs reads it. */
export type Int64 = number | { low: number; high: number };

/* Messages as the codec takes and gives them; a field that a message leaves out is left out, a list is empty. */
export type WireDimension = { dimValue?: Int64; dimParam?: string };
export type WireTensorType = { elemType?: number; shape?: { dim: WireDimension[] } };
export type WireValueInfo = { name?: string; type?: { tensorType?: WireTensorType } };
export type WireTensor = {
  name?: string;
  dims: Int64[];
  dataType?: number;
  segment?: Uint8Array;
  floatData?: number[];
  int32Data?: number[];
  int64Data?: Int64[];
  doubleData?: number[];
  uint64Data?: Int64[];
  rawData?: Uint8Array;
  externalData?: Uint8Array[];
  dataLocation?: number;
};
export type WireAttribute = {
  name?: string;
  type?: number;
  f?: number;
  i?: Int64;
  s?: Uint8Array;
  t?: WireTensor;
  g?: WireGraph;
  floats?: number[];
  ints?: Int64[];
  strings?: Uint8Array[];
  refAttrName?: string;
};
export type WireNode = {
  name?: string;
  opType?: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: WireAttribute[];
};
export type WireGraph = {
  name?: string;
  node: WireNode[];
  initializer: WireTensor[];
  input: WireValueInfo[];
  output: WireValueInfo[];
  sparseInitializer?: Uint8Array[];
};
export type WireModel = {
  irVersion?: Int64;
  opsetImport: { domain?: string; version?: Int64 }[];
  graph?: WireGraph;
  functions?: Uint8Array[];
  trainingInfo?: Uint8Array[];
};
