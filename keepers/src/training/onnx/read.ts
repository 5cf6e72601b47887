import { checkGraph, nodeLabel } from "./check.ts";
import { decodeModel } from "./codec.ts";
import { exportAgain, OnnxError } from "./errors.ts";
import { defaultLimits, type OnnxLimits } from "./limits.ts";
import { safeInteger, sizeOf, TensorReader } from "./read-tensor.ts";
import { scanModel } from "./scan.ts";
import {
  attributeTypes,
  type WireAttribute,
  type WireGraph,
  type WireModel,
  type WireNode,
  type WireValueInfo,
} from "./schema.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, ValueInfo } from "./types.ts";

/** Oldest version of ONNX's own operator set that is read. */
export const oldestOpset = 13;

const oldestIrVersion = 4;
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const domainName = /^[A-Za-z0-9_.-]*$/;

/**
 * Reads an ONNX model from bytes that nobody vouches for. Within the limits, memory stays proportional to them; what is
 * returned satisfies {@link checkGraph}, its nodes' operator sets are declared, its tensors are complete. An initialiser
 * that is also listed as an input (a default value) is returned as an initialiser alone. Types of intermediate values,
 * documentation and metadata are dropped. Numbers are not judged: a float may be NaN.
 * @throws OnnxError
 */
export function readOnnx(bytes: Uint8Array, limits: Partial<OnnxLimits> = {}): OnnxModel {
  const all = { ...defaultLimits, ...limits };
  if (bytes.length > all.bytes) throw new OnnxError(`it has ${bytes.length} bytes, more than ${all.bytes}`);
  if (bytes.length === 0) throw new OnnxError("the file is empty");
  scanModel(bytes, all);
  let wire: WireModel;
  try {
    wire = decodeModel(bytes);
  } catch (cause) {
    throw new OnnxError(`not readable: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const irVersion = safeInteger(wire.irVersion ?? 0, "the IR version");
  if (irVersion < oldestIrVersion)
    throw new OnnxError(`IR version ${irVersion} is older than ${oldestIrVersion}`);
  if (wire.functions?.length) throw new OnnxError("it defines functions of its own, which are not supported");
  if (wire.trainingInfo?.length) throw new OnnxError("it holds training graphs, which are not supported");
  if (wire.graph == null) throw new OnnxError("it has no graph");
  const opsets = readOpsets(wire);
  const graph = new GraphReader(opsets, all).graph(wire.graph);
  checkGraph(graph);
  return { irVersion, opsets, graph };
}

function readOpsets(wire: WireModel): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of wire.opsetImport) {
    const name = plainDomain(domain ?? "");
    if (opsets.has(name)) throw new OnnxError(`the operator set ${JSON.stringify(name)} is declared twice`);
    opsets.set(name, safeInteger(version ?? 0, `the version of the operator set ${JSON.stringify(name)}`));
  }
  const own = opsets.get("");
  if (own === undefined) throw new OnnxError("it does not say which version of ONNX's operator set it uses");
  if (own < oldestOpset) {
    throw new OnnxError(`operator set ${own} is older than ${oldestOpset}`, {
      next:
        `${exportAgain} An existing file can be converted: ` +
        "onnx.version_converter.convert_version(onnx.load(path), 17).",
    });
  }
  return opsets;
}

class GraphReader {
  readonly #opsets: ReadonlyMap<string, number>;
  readonly #limits: OnnxLimits;
  readonly #tensors: TensorReader;

  constructor(opsets: ReadonlyMap<string, number>, limits: OnnxLimits) {
    this.#opsets = opsets;
    this.#limits = limits;
    this.#tensors = new TensorReader(limits);
  }

  graph(wire: WireGraph): OnnxGraph {
    if (wire.sparseInitializer?.length)
      throw new OnnxError("it has sparse initialisers; store them as dense ones");
    const initializers = new Map<string, OnnxTensor>();
    for (const tensor of wire.initializer) {
      const name = tensor.name ?? "";
      if (initializers.has(name))
        throw new OnnxError(`the initialiser ${JSON.stringify(name)} is defined twice`);
      initializers.set(name, this.#tensors.read(tensor, `initialiser ${JSON.stringify(name)}`));
    }
    const inputs = wire.input.map((input) => this.#valueInfo(input, "input"));
    for (const input of inputs) agree(input, initializers.get(input.name));
    return {
      name: wire.name ?? "",
      nodes: wire.node.map((node, index) => this.#node(node, index)),
      initializers,
      inputs: inputs.filter(({ name }) => !initializers.has(name)),
      outputs: wire.output.map((output) => this.#valueInfo(output, "output")),
    };
  }

  #node(wire: WireNode, index: number): OnnxNode {
    const opType = wire.opType ?? "";
    const domain = plainDomain(wire.domain ?? "");
    if (!identifier.test(opType))
      throw new OnnxError(`node #${index} has the operator ${JSON.stringify(opType)}`);
    const node: OnnxNode = {
      name: wire.name ?? "",
      opType,
      domain,
      inputs: [...wire.input],
      outputs: [...wire.output],
      attributes: new Map(),
    };
    const label = nodeLabel(node, index);
    if (!this.#opsets.has(domain))
      throw new OnnxError(`${label} uses the undeclared operator set ${JSON.stringify(domain)}`);
    for (const attribute of wire.attribute) {
      const name = attribute.name ?? "";
      if (!identifier.test(name))
        throw new OnnxError(`${label} has an attribute named ${JSON.stringify(name)}`);
      if (node.attributes.has(name)) throw new OnnxError(`${label} has the attribute ${name} twice`);
      node.attributes.set(name, this.#attribute(attribute, `attribute ${name} of ${label}`));
    }
    return node;
  }

  #attribute(wire: WireAttribute, what: string): OnnxAttribute {
    if (wire.refAttrName) throw new OnnxError(`${what} refers to an attribute of a function`);
    switch (wire.type ?? 0) {
      case attributeTypes.int:
        return { type: "int", value: safeInteger(wire.i ?? 0, what) };
      case attributeTypes.ints:
        return { type: "ints", value: (wire.ints ?? []).map((value) => safeInteger(value, what)) };
      case attributeTypes.float:
        return { type: "float", value: wire.f ?? 0 };
      case attributeTypes.floats:
        return { type: "floats", value: [...(wire.floats ?? [])] };
      case attributeTypes.string:
        return { type: "string", value: this.#text(wire.s, what) };
      case attributeTypes.strings:
        return { type: "strings", value: (wire.strings ?? []).map((value) => this.#text(value, what)) };
      case attributeTypes.tensor:
        if (wire.t == null) throw new OnnxError(`${what} lacks its tensor`);
        return { type: "tensor", value: this.#tensors.read(wire.t, what) };
      case attributeTypes.graph:
        if (wire.g == null) throw new OnnxError(`${what} lacks its graph`);
        return { type: "graph", value: this.graph(wire.g) };
      default:
        throw new OnnxError(`${what} has the type ${wire.type ?? 0}, which is not supported`);
    }
  }

  #text(bytes: Uint8Array = new Uint8Array(), what: string): string {
    if (bytes.length > this.#limits.stringBytes)
      throw new OnnxError(`${what} is longer than ${this.#limits.stringBytes} bytes`);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new OnnxError(`${what} is not UTF-8`, { cause });
    }
  }

  #valueInfo(wire: WireValueInfo, kind: "input" | "output"): ValueInfo {
    const name = wire.name ?? "";
    const what = `${kind} ${JSON.stringify(name)}`;
    const type = wire.type?.tensorType;
    if (type == null) throw new OnnxError(`${what} is no tensor`);
    if (type.shape == null) {
      throw new OnnxError(`${what} has no shape`, {
        next: "Add it: onnx.shape_inference.infer_shapes, or export the model again without dynamic_axes.",
      });
    }
    this.#tensors.checkRank(type.shape.dim.length, what);
    const shape = type.shape.dim.map((dim) => {
      if (dim.dimParam) return dim.dimParam;
      // A decoded message reads 0 where the file says nothing; nothing means a dimension of unknown size.
      return Object.hasOwn(dim, "dimValue") ? sizeOf(dim.dimValue ?? 0, what) : "";
    });
    return { name, dtype: this.#tensors.dtype(type.elemType ?? 0, what), shape };
  }
}

/** "ai.onnx" is another name of ONNX's own operator set. */
function plainDomain(domain: string): string {
  if (!domainName.test(domain))
    throw new OnnxError(`an operator set has the domain ${JSON.stringify(domain)}`);
  return domain === "ai.onnx" ? "" : domain;
}

/** An initialiser that is also an input must be of the input's type. */
function agree({ name, dtype, shape }: ValueInfo, tensor: OnnxTensor | undefined): void {
  if (tensor === undefined) return;
  const fits =
    dtype === tensor.dtype &&
    shape.length === tensor.shape.length &&
    shape.every((size, i) => typeof size === "string" || size === tensor.shape[i]);
  if (!fits) throw new OnnxError(`the initialiser ${JSON.stringify(name)} is not of the type of its input`);
}
