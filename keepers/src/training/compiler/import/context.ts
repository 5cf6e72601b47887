import { nodeLabel } from "../../onnx/check.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from "../../onnx/types.ts";
import { CompileError, UnsupportedOperatorError } from "../errors.ts";
import type { Four, Op, Shape } from "../graph.ts";
import { identityOrder, type ParameterSource } from "./parameters.ts";

/** A value that depends on the data. */
export type DataValue = {
  readonly op: number;
  /** As ONNX sees it, with the micro-batch as first dimension: [N, C, H, W] or [N, D]. */
  readonly shape: Shape;
  /** Of a flattened image whose features still lie as [H, W, C]: the image as [C, H, W]. */
  readonly image: readonly [number, number, number] | undefined;
};

/** An image with zeros around it, as [top, left, bottom, right], which are the pads of the window that reads it. */
export type PaddedImage = { readonly value: DataValue; readonly pads: Four };

/** A node that is being imported: its label, and its attributes and inputs by name. */
export class NodeReader {
  readonly node: OnnxNode;
  readonly label: string;

  constructor(node: OnnxNode, index: number) {
    this.node = node;
    this.label = nodeLabel(node, index);
  }

  unsupported(problem: string, next: string): UnsupportedOperatorError {
    return new UnsupportedOperatorError(this.label, this.node.opType, problem, { next });
  }

  int(name: string, absent: number): number {
    const attribute = this.#attribute(name, "int");
    return attribute === undefined ? absent : attribute.value;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attribute(name, "ints")?.value;
  }

  float(name: string, absent: number): number {
    const attribute = this.#attribute(name, "float");
    return attribute === undefined ? absent : attribute.value;
  }

  string(name: string, absent: string): string {
    return this.#attribute(name, "string")?.value ?? absent;
  }

  tensor(name: string): OnnxTensor | undefined {
    return this.#attribute(name, "tensor")?.value;
  }

  /** Name of an input; undefined when it is left out. */
  input(position: number): string | undefined {
    return this.node.inputs[position] || undefined;
  }

  #attribute<T extends OnnxAttribute["type"]>(
    name: string,
    type: T,
  ): Extract<OnnxAttribute, { type: T }> | undefined {
    const attribute = this.node.attributes.get(name);
    if (attribute === undefined) return undefined;
    if (attribute.type !== type)
      throw new CompileError(`${this.label}: its attribute ${name} is no ${type}`, { next: exportRemedy });
    return attribute as Extract<OnnxAttribute, { type: T }>;
  }
}

const exportRemedy = "Export the model again, for instance with torch.onnx.export(…, opset_version=17).";

/** What is known while a model is imported: the operations so far and what every ONNX name stands for. */
export class ImportContext {
  readonly ops: Op[] = [];
  readonly microBatch: number;
  /** First dimension of the model's data input where it is a number. */
  readonly declaredBatch: number | undefined;
  readonly #data = new Map<string, DataValue>();
  /** Names of the value of each operation. */
  readonly #names = new Map<number, string[]>();
  readonly #padded = new Map<string, PaddedImage>();
  readonly #parameters = new Map<string, ParameterSource>();
  readonly #constants = new Map<string, OnnxTensor>();
  readonly #reads = new Map<string, number>();
  /** Roots of parameters by the node that took them. */
  readonly #taken = new Map<string, string>();

  constructor(graph: OnnxGraph, microBatch: number, declaredBatch: number | undefined) {
    this.microBatch = microBatch;
    this.declaredBatch = declaredBatch;
    for (const name of [
      ...graph.nodes.flatMap(({ inputs }) => inputs),
      ...graph.outputs.map((output) => output.name),
    ])
      this.#reads.set(name, (this.#reads.get(name) ?? 0) + 1);
  }

  push(op: Op): number {
    this.ops.push(op);
    return this.ops.length - 1;
  }

  /** How many nodes, or outputs of the graph, read what has this name. */
  reads(name: string): number {
    return this.#reads.get(name) ?? 0;
  }

  /** Whether one node alone reads the value of an operation, under whatever names nodes without effect gave it. */
  isReadOnce(op: number): boolean {
    return (this.#names.get(op) ?? []).every((name) => this.reads(name) === 1);
  }

  bindData(name: string, value: DataValue): void {
    this.#data.set(name, value);
    const names = this.#names.get(value.op);
    if (names === undefined) this.#names.set(value.op, [name]);
    else names.push(name);
  }

  bindPadded(name: string, image: PaddedImage): void {
    this.#padded.set(name, image);
  }

  bindParameter(name: string, source: ParameterSource): void {
    this.#parameters.set(name, source);
  }

  /** A tensor of the file: a parameter where its elements are float32, otherwise a constant. */
  bindTensor(name: string, tensor: OnnxTensor): void {
    if (tensor.dtype === "float32") {
      const { shape, data } = tensor;
      this.bindParameter(name, {
        root: name,
        rootShape: shape,
        shape,
        order: identityOrder(shape),
        values: data,
      });
    } else {
      this.#constants.set(name, tensor);
    }
  }

  findData(name: string | undefined): DataValue | undefined {
    return name === undefined ? undefined : this.#data.get(name);
  }

  findParameter(name: string | undefined): ParameterSource | undefined {
    return name === undefined ? undefined : this.#parameters.get(name);
  }

  findConstant(name: string | undefined): OnnxTensor | undefined {
    return name === undefined ? undefined : this.#constants.get(name);
  }

  /** The value that a node transforms. */
  data(reader: NodeReader, position: number): DataValue {
    const name = reader.input(position);
    const value = this.findData(name);
    if (value !== undefined) return value;
    if (name !== undefined && this.#padded.has(name))
      throw reader.unsupported(
        "it reads an image that a Pad made larger",
        "Only Conv and AveragePool take such an image: use the pads of the layer itself.",
      );
    throw reader.unsupported(
      `its input ${position} (${JSON.stringify(name ?? "")}) does not depend on the data`,
      "Only the first graph input is data: a model with several data inputs, or one that computes with its parameters, cannot be trained; compute such values outside the model.",
    );
  }

  /** An image that a node transforms, as [C, H, W]. */
  image(reader: NodeReader, position: number): { value: DataValue; size: readonly [number, number, number] } {
    const value = this.data(reader, position);
    const [, channels, height, width] = value.shape;
    if (value.shape.length !== 4)
      throw reader.unsupported(
        `it needs an image [N, C, H, W], its input is [${value.shape}]`,
        "Only 2-D convolutions and pools over images are available; reshape the data in the dataset.",
      );
    return { value, size: [channels!, height!, width!] };
  }

  /** An image that a window slides over, and the zeros that a Pad put around it. */
  paddedImage(reader: NodeReader): ReturnType<ImportContext["image"]> & { pads: Four } {
    const padded = this.#padded.get(reader.input(0) ?? "");
    if (padded === undefined) return { ...this.image(reader, 0), pads: [0, 0, 0, 0] };
    const { value, pads } = padded;
    const [, channels, height, width] = value.shape as Four;
    return { value, size: [channels, height, width], pads };
  }

  /** Takes a parameter for a node. A parameter serves one node: its gradients could not be added exactly. */
  takeParameter(reader: NodeReader, position: number): ParameterSource {
    const name = reader.input(position);
    const source = this.findParameter(name);
    if (source === undefined) {
      if (this.findConstant(name) !== undefined)
        throw new CompileError(
          `${reader.label}: its parameter ${JSON.stringify(name)} is ${this.findConstant(name)!.dtype}, not float32`,
          { next: "Convert the model to float32 (in PyTorch: model.float()) and export it again." },
        );
      throw reader.unsupported(
        `its input ${position} (${JSON.stringify(name ?? "")}) is no parameter of the model`,
        "A product of two values that both depend on the data is not available; use a layer with parameters.",
      );
    }
    const other = this.#taken.get(source.root);
    if (other !== undefined)
      throw new CompileError(
        `${reader.label} shares the parameter ${JSON.stringify(source.root)} with ${other}`,
        { next: "Give every layer a parameter of its own (in PyTorch: clone it before exporting)." },
      );
    this.#taken.set(source.root, reader.label);
    return source;
  }

  isTaken(root: string): boolean {
    return this.#taken.has(root);
  }
}
