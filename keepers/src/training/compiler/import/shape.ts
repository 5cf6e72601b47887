import { elementCount } from "../../onnx/types.ts";
import { CompileError } from "../errors.ts";
import type { Four, Shape } from "../graph.ts";
import type { DataValue, ImportContext, NodeReader } from "./context.ts";
import { permuteOrder } from "./parameters.ts";

/** [N, C, H, W] to [N, C·H·W]; the features stay in the order [H, W, C] and the next layer's weights are permuted. */
export function flatten(context: ImportContext, label: string, value: DataValue): DataValue {
  if (value.shape.length === 2) return value;
  const [batch, channels, height, width] = value.shape as Four;
  const shape = [batch, channels * height * width];
  const view = context.ops[value.op]!.shape as Four;
  const op = context.push({ kind: "relayout", label, shape, x: value.op, view, axes: [0, 1, 2, 3] });
  return { op, shape, image: channels === 1 || height * width === 1 ? undefined : [channels, height, width] };
}

/** A matrix with its features in ONNX order. */
export function inOnnxOrder(context: ImportContext, label: string, value: DataValue): DataValue {
  if (value.image === undefined) return value;
  const [batch, features] = value.shape;
  const channels = value.image[0];
  const op = context.push({
    kind: "relayout",
    label,
    shape: value.shape,
    x: value.op,
    view: [1, batch!, features! / channels, channels],
    axes: [0, 1, 3, 2],
  });
  return { op, shape: value.shape, image: undefined };
}

/** `Flatten` at axis 1. */
export function importFlatten(context: ImportContext, reader: NodeReader): DataValue {
  const value = context.data(reader, 0);
  const axis = reader.int("axis", 1);
  if (axis !== 1 && axis !== 1 - value.shape.length)
    throw reader.unsupported(`it flattens at axis ${axis}`, "Flatten at axis 1: samples stay apart.");
  return flatten(context, reader.label, value);
}

/** `Reshape` to a constant shape that flattens or changes nothing. */
export function importReshape(context: ImportContext, reader: NodeReader): DataValue {
  const value = context.data(reader, 0);
  const tensor = context.findConstant(reader.input(1));
  if (tensor?.dtype !== "int64")
    throw reader.unsupported(
      "its shape is computed",
      "Use Flatten (in PyTorch: torch.flatten(x, 1) or nn.Flatten()), or a constant shape.",
    );
  const wanted = Array.from(tensor.data, Number);
  const target = resolveShape(wanted, value.shape, context.declaredBatch, reader.int("allowzero", 0) === 1);
  if (`${target}` === `${value.shape}`) return value;
  if (target?.length === 2 && target[0] === value.shape[0]) return flatten(context, reader.label, value);
  throw reader.unsupported(
    `it reshapes [${value.shape}] to [${wanted}]`,
    "Only flattening to [N, features] is available; keep samples apart and images as they are.",
  );
}

/** The shape with 0, −1 and the exported batch size replaced; undefined when it does not fit. */
function resolveShape(
  wanted: readonly number[],
  shape: Shape,
  declaredBatch: number | undefined,
  zeroIsSize: boolean,
): Shape | undefined {
  const elements = elementCount(shape);
  const target = wanted.map((size, axis) => (size === 0 && !zeroIsSize ? (shape[axis] ?? 0) : size));
  if (wanted[0] === declaredBatch || wanted[0] === -1) target[0] = shape[0]!;
  const open = target.indexOf(-1);
  if (open >= 0) {
    target[open] = 1;
    target[open] = elements / elementCount(target);
  }
  return target.every((size) => Number.isInteger(size) && size > 0) && elementCount(target) === elements
    ? target
    : undefined;
}

/** `Transpose` of a parameter, or of an image whose samples stay apart. */
export function importTranspose(context: ImportContext, reader: NodeReader): DataValue | undefined {
  const source = context.findParameter(reader.input(0));
  const shape = source?.shape ?? context.data(reader, 0).shape;
  const axes = reader.ints("perm") ?? shape.map((_, axis) => shape.length - 1 - axis);
  if (`${[...axes].sort((a, b) => a - b)}` !== `${shape.map((_, axis) => axis)}`)
    throw new CompileError(`${reader.label}: perm [${axes}] does not permute [${shape}]`, {
      next: "Export the model again.",
    });
  if (source !== undefined) {
    context.bindParameter(reader.node.outputs[0]!, {
      ...source,
      shape: axes.map((axis) => shape[axis]!),
      order: permuteOrder(source.order, shape, axes),
    });
    return undefined;
  }
  const value = context.data(reader, 0);
  if (axes[0] !== 0)
    throw reader.unsupported("it moves the samples from the first axis", "Keep samples on axis 0.");
  if (axes.every((axis, i) => axis === i)) return value;
  // ONNX sees [N, C, H, W], the tape [N, H, W, C]: tape axis i is ONNX axis onnxAxis[i].
  const onnxAxis = [0, 2, 3, 1];
  const tapeAxes = onnxAxis.map((axis) => onnxAxis.indexOf(axes[axis]!));
  const view = context.ops[value.op]!.shape as Four;
  const tapeShape = tapeAxes.map((axis) => view[axis]!);
  const op = context.push({
    kind: "relayout",
    label: reader.label,
    shape: tapeShape,
    x: value.op,
    view,
    axes: tapeAxes as unknown as Four,
  });
  return { op, shape: axes.map((axis) => shape[axis]!), image: undefined };
}
