import type { OnnxGraph, OnnxModel, ValueInfo } from "../../onnx/types.ts";
import { CompileError, UnsupportedOperatorError } from "../errors.ts";
import { type Graph, operands } from "../graph.ts";
import type { InputSpec } from "../options.ts";
import { ImportContext, NodeReader } from "./context.ts";
import { operators, remedies } from "./operators.ts";
import { identityOrder } from "./parameters.ts";
import { flatten, inOnnxOrder } from "./shape.ts";

const oldestOpset = 13;

export type ImportParameters = {
  model: OnnxModel;
  microBatch: number;
  input: InputSpec;
};

/**
 * Reads a forward model. Its first graph input is the data, other inputs are parameters without values.
 * @throws UnsupportedOperatorError, CompileError naming node and remedy.
 */
export function importModel({ model, microBatch, input }: ImportParameters): Graph {
  const { graph } = model;
  const opset = model.opsets.get("") ?? 0;
  if (opset < oldestOpset)
    throw new CompileError(`the model uses operator set ${opset}; ${oldestOpset} or later is needed`, {
      next: "Export the model again, for instance with torch.onnx.export(…, opset_version=17).",
    });
  const [data, ...others] = graph.inputs;
  if (data === undefined)
    throw new CompileError("the model has no input", { next: "The first graph input must be the data." });
  const [batch] = data.shape;
  const context = new ImportContext(graph, microBatch, typeof batch === "number" ? batch : undefined);
  bindDataInput(context, data, input);
  for (const info of others) bindParameterInput(context, info);
  for (const [name, tensor] of graph.initializers) context.bindTensor(name, tensor);
  for (const [index, node] of graph.nodes.entries()) {
    const reader = new NodeReader(node, index);
    const operator = node.domain === "" || node.domain === "ai.onnx" ? operators.get(node.opType) : undefined;
    if (operator === undefined)
      throw new UnsupportedOperatorError(reader.label, node.opType, "the operator is not supported", {
        next: remedies.get(node.opType) ?? `Supported are ${[...operators.keys()].join(", ")}.`,
      });
    const value = operator(context, reader);
    if (value !== undefined) context.bindData(node.outputs[0]!, value);
  }
  const output = importOutput(context, graph);
  const used = { ops: context.ops, output };
  refuseUnused(context, graph, used);
  return used;
}

function bindDataInput(context: ImportContext, info: ValueInfo, spec: InputSpec): void {
  const label = `the data input ${JSON.stringify(info.name)}`;
  if (info.dtype !== "float32")
    throw new CompileError(`${label} is ${info.dtype}, not float32`, {
      next: "Convert the model to float32 (in PyTorch: model.float()) and export it again.",
    });
  const sizes = info.shape.slice(1);
  if (
    (sizes.length !== 1 && sizes.length !== 3) ||
    sizes.some((size) => typeof size !== "number" || size < 1)
  )
    throw new CompileError(`${label} has the shape [${info.shape}]`, {
      next: "It must be [N, C, H, W] or [N, features], with fixed sizes but for N: export without other dynamic axes.",
    });
  const shape = [context.microBatch, ...(sizes as number[])];
  const stored = spec.layout === "NHWC" ? [2, 0, 1].map((axis) => spec.shape[axis] ?? 0) : spec.shape;
  const elements = (list: readonly number[]) => list.reduce((product, size) => product * size, 1);
  const fits =
    sizes.length === 1
      ? elements(spec.shape) === sizes[0]
      : spec.layout !== "flat" && spec.shape.length === 3 && `${stored}` === `${sizes}`;
  if (!fits)
    throw new CompileError(
      `${label} takes samples of [${sizes}], the dataset has [${spec.shape}] as ${spec.layout}`,
      {
        next: "Give the shape and layout of the samples as they lie in an object, and a model made for them.",
      },
    );
  const [, channels, height, width] = shape;
  const tapeShape = sizes.length === 1 ? shape : [context.microBatch, height!, width!, channels!];
  const op = context.push({ kind: "input", label, shape: tapeShape });
  context.bindData(info.name, { op, shape, image: undefined });
}

function bindParameterInput(context: ImportContext, { name, dtype, shape }: ValueInfo): void {
  const label = `the graph input ${JSON.stringify(name)}`;
  if (dtype !== "float32")
    throw new CompileError(`${label} is ${dtype}, not float32`, {
      next: "Inputs after the first are parameters; a model with several data inputs cannot be trained.",
    });
  if (shape.some((size) => typeof size !== "number" || size < 1))
    throw new CompileError(`${label} has the shape [${shape}]`, {
      next: "Inputs after the first are parameters and need fixed sizes; a model with several data inputs cannot be trained.",
    });
  const sizes = shape as number[];
  context.bindParameter(name, {
    root: name,
    rootShape: sizes,
    shape: sizes,
    order: identityOrder(sizes),
    values: undefined,
  });
}

function importOutput(context: ImportContext, graph: OnnxGraph): number {
  if (graph.outputs.length !== 1)
    throw new CompileError(`the model has ${graph.outputs.length} outputs`, {
      next: "Export a model with the logits, or the prediction, as its only output.",
    });
  const { name } = graph.outputs[0]!;
  const label = `the output ${JSON.stringify(name)}`;
  const value = context.findData(name);
  if (value === undefined)
    throw new CompileError(`${label} does not depend on the data`, { next: "Export the model again." });
  return inOnnxOrder(context, label, flatten(context, label, value)).op;
}

function refuseUnused(context: ImportContext, graph: OnnxGraph, { ops, output }: Graph): void {
  const reached = new Set([output]);
  for (let index = output; index >= 0; index--)
    if (reached.has(index)) for (const x of operands(ops[index]!)) reached.add(x);
  const idle = ops.findIndex((_, index) => !reached.has(index));
  if (idle >= 0)
    throw new CompileError(`${ops[idle]!.label}: the model's output does not depend on it`, {
      next: "Remove it from the model and export again.",
    });
  const unused =
    graph.inputs.slice(1).find(({ name }) => !context.isTaken(name))?.name ??
    [...graph.initializers].find(
      ([name, { dtype }]) => dtype === "float32" && context.reads(name) === 0,
    )?.[0];
  if (unused !== undefined)
    throw new CompileError(`no layer uses the parameter ${JSON.stringify(unused)}`, {
      next: "Remove it from the model and export again; a model has one data input, its first.",
    });
}
