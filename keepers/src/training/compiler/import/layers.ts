import { elementCount } from "../../onnx/types.ts";
import { CompileError } from "../errors.ts";
import { type OpOf, type Parameter, type Shape, windowPlaces } from "../graph.ts";
import type { DataValue, ImportContext, NodeReader } from "./context.ts";
import { type ParameterSource, permuteOrder } from "./parameters.ts";
import { readWindow } from "./window.ts";

/** `Gemm` with alpha = beta = 1: x·Wᵀ (+ b) or x·W (+ b). */
export function importGemm(context: ImportContext, reader: NodeReader): DataValue {
  const x = matrix(context, reader);
  for (const name of ["alpha", "beta"])
    if (reader.float(name, 1) !== 1)
      throw reader.unsupported(
        `its ${name} is ${reader.float(name, 1)}`,
        "Multiply the weights by it instead.",
      );
  if (reader.int("transA", 0) !== 0)
    throw reader.unsupported("it transposes its data (transA = 1)", "Transpose the weights instead.");
  const transposed = reader.int("transB", 0) === 1;
  const weight = linearWeight(reader, context.takeParameter(reader, 1), transposed, x);
  const bias =
    reader.input(2) === undefined
      ? undefined
      : biasOf(reader, context.takeParameter(reader, 2), weight, (shape) => isRow(shape, weight.shape[0]!));
  return linear(context, reader, x, weight, bias);
}

/** `MatMul` of data [N, K] and a parameter [K, O]. */
export function importMatMul(context: ImportContext, reader: NodeReader): DataValue {
  const x = matrix(context, reader);
  const weight = linearWeight(reader, context.takeParameter(reader, 1), false, x);
  return linear(context, reader, x, weight, undefined);
}

/** `Conv` over images, weights [O, C/g, KH, KW]. */
export function importConv(context: ImportContext, reader: NodeReader): DataValue {
  const { value, size, pads } = context.paddedImage(reader);
  const [channels, height, width] = size;
  const source = context.takeParameter(reader, 1);
  const groups = reader.int("group", 1);
  const [outputs, perGroup, kernelHeight, kernelWidth] = source.shape;
  if (source.shape.length !== 4 || perGroup! * groups !== channels || outputs! % groups !== 0)
    throw new CompileError(
      `${reader.label}: weights [${source.shape}] in ${groups} group(s) do not fit an image of ${channels} channels`,
      { next: "Check that the model was exported for this input shape." },
    );
  const window = readWindow(reader, [height, width], {
    weights: [kernelHeight!, kernelWidth!],
    around: pads,
  });
  const weight: Parameter = {
    name: source.root,
    onnxShape: source.rootShape,
    shape: [outputs!, kernelHeight!, kernelWidth!, perGroup!],
    order: permuteOrder(source.order, source.shape, [0, 2, 3, 1]),
    fanIn: perGroup! * kernelHeight! * kernelWidth!,
    values: source.values,
  };
  const bias =
    reader.input(2) === undefined
      ? undefined
      : biasOf(reader, context.takeParameter(reader, 2), weight, (shape) => isRow(shape, outputs!));
  const [rows, columns] = windowPlaces([height, width], window);
  const op = context.push({
    kind: "conv",
    label: reader.label,
    shape: [context.microBatch, rows, columns, outputs!],
    x: value.op,
    weight,
    bias,
    window,
    groups,
    pool: 1,
    relu: false,
  });
  return { op, shape: [context.microBatch, outputs!, rows, columns], image: undefined };
}

/** `Add` of two data values (a residual), or of a layer's output and its bias. */
export function importAdd(context: ImportContext, reader: NodeReader): DataValue {
  const names = [reader.input(0), reader.input(1)];
  const parameterAt = names.findIndex((name) => context.findParameter(name) !== undefined);
  if (parameterAt >= 0) return addBias(context, reader, parameterAt);
  const x = context.data(reader, 0);
  const y = context.data(reader, 1);
  if (`${x.shape}` !== `${y.shape}`)
    throw reader.unsupported(
      `it adds shapes [${x.shape}] and [${y.shape}]`,
      "Only values of one shape are added; expand the smaller one in the model.",
    );
  if (`${x.image}` !== `${y.image}`)
    throw reader.unsupported(
      "it adds a flattened image to features that were no image",
      "Add before flattening, or put a linear layer between.",
    );
  const { shape } = context.ops[x.op]!;
  const op = context.push({ kind: "add", label: reader.label, shape, x: x.op, y: y.op, relu: false });
  return { ...x, op };
}

function addBias(context: ImportContext, reader: NodeReader, parameterAt: number): DataValue {
  const x = context.data(reader, 1 - parameterAt);
  const layer = context.ops[x.op]!;
  if (
    (layer.kind !== "linear" && layer.kind !== "conv") ||
    layer.bias !== undefined ||
    !context.isReadOnce(x.op)
  )
    throw reader.unsupported(
      "it adds a parameter to something else than the output of a MatMul, Gemm or Conv without bias",
      "Give the layer before it a bias, or remove the parameter.",
    );
  const outputs = layer.weight.shape[0]!;
  const fits = (shape: Shape) =>
    layer.kind === "linear"
      ? isRow(shape, outputs)
      : isRow(shape.slice(0, -2), outputs) && isOnes(shape.slice(-2));
  const bias = biasOf(reader, context.takeParameter(reader, parameterAt), layer.weight, fits);
  context.ops[x.op] = { ...layer, bias } as OpOf<"linear"> | OpOf<"conv">;
  return x;
}

function linear(
  context: ImportContext,
  reader: NodeReader,
  x: DataValue,
  weight: Parameter,
  bias: Parameter | undefined,
): DataValue {
  const shape = [context.microBatch, weight.shape[0]!];
  const op = context.push({ kind: "linear", label: reader.label, shape, x: x.op, weight, bias, relu: false });
  return { op, shape, image: undefined };
}

function matrix(context: ImportContext, reader: NodeReader): DataValue {
  const x = context.data(reader, 0);
  if (x.shape.length === 2) return x;
  throw reader.unsupported(
    `it needs a matrix [N, K], its data is [${x.shape}]`,
    "Put a Flatten before it (in PyTorch: nn.Flatten()).",
  );
}

/** Weights [O, K], with K in the order in which the features of `x` lie on the tape. */
function linearWeight(
  reader: NodeReader,
  source: ParameterSource,
  transposed: boolean,
  x: DataValue,
): Parameter {
  const features = x.shape[1]!;
  if (source.shape.length !== 2 || source.shape[transposed ? 1 : 0] !== features)
    throw new CompileError(
      `${reader.label}: weights [${source.shape}] do not fit an input of ${features} features`,
      { next: "Check that the model was exported for this input shape." },
    );
  const outputs = source.shape[transposed ? 0 : 1]!;
  const order = transposed ? source.order : permuteOrder(source.order, source.shape, [1, 0]);
  return {
    name: source.root,
    onnxShape: source.rootShape,
    shape: [outputs, features],
    order: x.image === undefined ? order : permuteOrder(order, [outputs, ...x.image], [0, 2, 3, 1]),
    fanIn: features,
    values: source.values,
  };
}

function biasOf(
  reader: NodeReader,
  source: ParameterSource,
  weight: Parameter,
  fits: (shape: Shape) => boolean,
): Parameter {
  const outputs = weight.shape[0]!;
  if (!fits(source.shape) || elementCount(source.shape) !== outputs)
    throw reader.unsupported(
      `its bias has the shape [${source.shape}] where [${outputs}] is needed`,
      "Give the layer one bias per output.",
    );
  const { root, rootShape, order, values } = source;
  return { name: root, onnxShape: rootShape, shape: [outputs], order, fanIn: weight.fanIn, values };
}

/** [size] or [1, …, 1, size]. */
function isRow(shape: Shape, size: number): boolean {
  return shape.at(-1) === size && isOnes(shape.slice(0, -1));
}

function isOnes(shape: Shape): boolean {
  return shape.every((size) => size === 1);
}
