import { checkGraph } from "./check.ts";
import { encodeModel } from "./codec.ts";
import { OnnxError } from "./errors.ts";
import {
  attributeTypes,
  type WireAttribute,
  type WireGraph,
  type WireModel,
  type WireTensor,
  type WireValueInfo,
} from "./schema.ts";
import {
  dtypeCodes,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxTensor,
  type ValueInfo,
} from "./types.ts";

/** Protobuf's own limit of one message. */
const maxBytes = 2 ** 31 - 1;

/**
 * Writes a model as the bytes of an ONNX file: deterministic, in the order of the graph, tensors as raw little-endian
 * bytes.
 * @throws OnnxError when the graph is not in order (see {@link checkGraph}) or larger than protobuf allows (2 GiB).
 */
export function writeOnnx({ irVersion, opsets, graph }: OnnxModel): Uint8Array {
  checkGraph(graph);
  if (tensorBytes(graph) > maxBytes)
    throw new OnnxError("its tensors have more than 2 GiB", { next: "Use a smaller model." });
  const wire: WireModel = {
    irVersion,
    opsetImport: [...opsets].map(([domain, version]) => ({ domain, version })),
    graph: wireGraph(graph),
  };
  return encodeModel(wire);
}

function tensorBytes(graph: OnnxGraph): number {
  return [...graph.initializers.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
}

function wireGraph(graph: OnnxGraph): WireGraph {
  return {
    name: graph.name,
    node: graph.nodes.map((node) => ({
      name: node.name,
      opType: node.opType,
      domain: node.domain,
      input: node.inputs,
      output: node.outputs,
      attribute: [...node.attributes].map(([name, attribute]) => wireAttribute(name, attribute)),
    })),
    initializer: [...graph.initializers].map(([name, tensor]) => ({ name, ...wireTensor(tensor) })),
    input: graph.inputs.map(wireValueInfo),
    output: graph.outputs.map(wireValueInfo),
  };
}

function wireAttribute(name: string, attribute: OnnxAttribute): WireAttribute {
  const type = attributeTypes[attribute.type];
  switch (attribute.type) {
    case "int":
      return { name, type, i: attribute.value };
    case "ints":
      return { name, type, ints: attribute.value };
    case "float":
      return { name, type, f: attribute.value };
    case "floats":
      return { name, type, floats: attribute.value };
    case "string":
      return { name, type, s: new TextEncoder().encode(attribute.value) };
    case "strings":
      return { name, type, strings: attribute.value.map((value) => new TextEncoder().encode(value)) };
    case "tensor":
      return { name, type, t: wireTensor(attribute.value) };
    case "graph":
      return { name, type, g: wireGraph(attribute.value) };
  }
}

function wireTensor({ dtype, shape, data }: OnnxTensor): WireTensor {
  return {
    dims: shape,
    dataType: dtypeCodes[dtype],
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function wireValueInfo({ name, dtype, shape }: ValueInfo): WireValueInfo {
  const dim = shape.map((size) =>
    typeof size === "number" ? { dimValue: size } : size === "" ? {} : { dimParam: size },
  );
  return { name, type: { tensorType: { elemType: dtypeCodes[dtype], shape: { dim } } } };
}
