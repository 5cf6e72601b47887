import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { checkGraph } from "./check.ts";
import { OnnxError } from "./errors.ts";
import {
  elementCount,
  type OnnxArrays,
  type OnnxAttribute,
  type OnnxDtype,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type ValueInfo,
} from "./types.ts";

/** Versions that built models are written in: ONNX IR 8, operator set 17, ONNX Runtime's own operators 1. */
export const builtIrVersion = 8;
export const builtOpsets: ReadonlyMap<string, number> = new Map([
  ["", 17],
  ["com.microsoft", 1],
]);

/** Attribute values with their type, which JavaScript's numbers do not tell. */
export const attribute = {
  int: (value: number): OnnxAttribute => ({ type: "int", value }),
  ints: (value: readonly number[]): OnnxAttribute => ({ type: "ints", value: [...value] }),
  /** Rounded to float32, as the file will hold it. */
  float: (value: number): OnnxAttribute => ({ type: "float", value: Math.fround(value) }),
  floats: (value: readonly number[]): OnnxAttribute => ({ type: "floats", value: value.map(Math.fround) }),
  string: (value: string): OnnxAttribute => ({ type: "string", value }),
  tensor: (value: OnnxTensor): OnnxAttribute => ({ type: "tensor", value }),
  graph: (value: OnnxGraph): OnnxAttribute => ({ type: "graph", value }),
} as const;

export type OpOptions = {
  /** Operator set: "" is ONNX's own. */
  domain?: string;
  /** Name of the node; a free one by default. */
  name?: string;
};

/** What a builder and the builders of its bodies share: names are unique over all of them. */
type Shared = { names: Set<string>; counters: Map<string, number>; constants: Map<string, string> };

/**
 * Builds a graph node by node, in the order of computation. Values are their names. The same calls give the same names,
 * so the same bytes.
 */
export class GraphBuilder {
  readonly #name: string;
  readonly #root: GraphBuilder;
  readonly #shared: Shared;
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: { info: ValueInfo; value: string }[] = [];

  constructor(name: string, around?: GraphBuilder) {
    this.#name = name;
    this.#root = around === undefined ? this : around.#root;
    this.#shared =
      around === undefined ? { names: new Set(), counters: new Map(), constants: new Map() } : around.#shared;
  }

  /**
   * Adds a node and returns its output, or its outputs when their number is given. Input "" leaves an optional one out.
   */
  op(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, OnnxAttribute>>,
    options?: OpOptions,
  ): string;
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>>,
    options: OpOptions & { outputs: number },
  ): string[];
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    { domain = "", name, outputs }: OpOptions & { outputs?: number } = {},
  ): string | string[] {
    const nodeName = name === undefined ? this.#fresh(opType) : this.#claim(name);
    const values = Array.from({ length: outputs ?? 1 }, (_, i) =>
      this.#claim(i === 0 ? `${nodeName}:out` : `${nodeName}:out${i}`),
    );
    this.#nodes.push({
      name: nodeName,
      opType,
      domain,
      inputs: [...inputs],
      outputs: values,
      attributes: new Map(Object.entries(attributes)),
    });
    return outputs === undefined ? values[0]! : values;
  }

  /** A constant; equal ones (type, shape, bytes) are one. Constants of a body belong to the outermost graph. */
  constant<D extends OnnxDtype>(data: OnnxArrays[D], shape: readonly number[], dtype: D): string {
    const tensor = typedTensor(dtype, shape, data);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${dtype} ${shape} ${bytesToHex(sha256(bytes))}`;
    const known = this.#shared.constants.get(key);
    if (known !== undefined) return known;
    const name = this.#fresh("constant");
    this.#root.#initializers.set(name, tensor);
    this.#shared.constants.set(key, name);
    return name;
  }

  /** An int64 constant, as shapes, axes and indices are; a vector unless a shape is given. */
  int64(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.constant(BigInt64Array.from(values, BigInt), shape, "int64");
  }

  /** An initialiser under a name of its own, never merged with another. */
  initializer<D extends OnnxDtype>(
    name: string,
    data: OnnxArrays[D],
    shape: readonly number[],
    dtype: D,
  ): string {
    this.#initializers.set(this.#claim(name), typedTensor(dtype, shape, data));
    return name;
  }

  /** Declares an input of the graph, or of the body that this builder builds. */
  input(name: string, dtype: OnnxDtype, shape: readonly (number | string)[]): string {
    this.#inputs.push({ name: this.#claim(name), dtype, shape: [...shape] });
    return name;
  }

  /**
   * Declares an output. `value` takes the name `name` in the built graph when a node of this graph computes it and it is
   * no output already; otherwise an Identity stands between.
   */
  output(name: string, value: string, dtype: OnnxDtype, shape: readonly (number | string)[]): void {
    if (name !== value) this.#claim(name);
    this.#outputs.push({ info: { name, dtype, shape: [...shape] }, value });
  }

  /** Builds the body of a Loop, Scan or If, which may read the values of this graph made so far. */
  body(name: string, build: (body: GraphBuilder) => void): OnnxGraph {
    const body = new GraphBuilder(name, this);
    build(body);
    return body.#graph();
  }

  /** @throws OnnxError when the graph is not in order: see {@link checkGraph}. */
  build(): OnnxModel {
    if (this.#root !== this) throw new OnnxError("the body of a node is no model");
    const graph = this.#graph();
    checkGraph(graph);
    return { irVersion: builtIrVersion, opsets: builtOpsets, graph };
  }

  #graph(): OnnxGraph {
    const own = new Set(this.#nodes.flatMap(({ outputs }) => outputs));
    const names = new Map<string, string>();
    const copies: OnnxNode[] = [];
    for (const { info, value } of this.#outputs) {
      if (info.name === value) continue;
      if (own.has(value) && !names.has(value) && !this.#outputs.some((other) => other.info.name === value)) {
        names.set(value, info.name);
      } else {
        copies.push({
          name: this.#fresh("Identity"),
          opType: "Identity",
          domain: "",
          inputs: [value],
          outputs: [info.name],
          attributes: new Map(),
        });
      }
    }
    return {
      name: this.#name,
      nodes: [...this.#nodes, ...copies].map((node) => renamed(node, names)),
      initializers: new Map(this.#initializers),
      inputs: [...this.#inputs],
      outputs: this.#outputs.map(({ info }) => info),
    };
  }

  #claim(name: string): string {
    if (name === "" || this.#shared.names.has(name))
      throw new OnnxError(`the name ${JSON.stringify(name)} is taken`);
    this.#shared.names.add(name);
    return name;
  }

  #fresh(prefix: string): string {
    for (;;) {
      const count = this.#shared.counters.get(prefix) ?? 0;
      this.#shared.counters.set(prefix, count + 1);
      const name = `${prefix}_${count}`;
      if (!this.#shared.names.has(name)) return this.#claim(name);
    }
  }
}

function typedTensor<D extends OnnxDtype>(
  dtype: D,
  shape: readonly number[],
  data: OnnxArrays[D],
): OnnxTensor {
  if (elementCount(shape) !== data.length) {
    throw new OnnxError(`a constant of shape [${shape}] was given ${data.length} elements`);
  }
  return { dtype, shape: [...shape], data } as OnnxTensor;
}

/** The node with values renamed, in its bodies too. */
function renamed(node: OnnxNode, names: ReadonlyMap<string, string>): OnnxNode {
  if (names.size === 0) return node;
  const rename = (value: string) => names.get(value) ?? value;
  const attributes = [...node.attributes].map(([key, value]): [string, OnnxAttribute] => [
    key,
    value.type === "graph" ? { type: "graph", value: renamedGraph(value.value, names) } : value,
  ]);
  return {
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: new Map(attributes),
  };
}

function renamedGraph(graph: OnnxGraph, names: ReadonlyMap<string, string>): OnnxGraph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renamed(node, names)),
    outputs: graph.outputs.map((info) => ({ ...info, name: names.get(info.name) ?? info.name })),
  };
}
