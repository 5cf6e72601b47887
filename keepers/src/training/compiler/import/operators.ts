import type { DataValue, ImportContext, NodeReader } from "./context.ts";
import { importAdd, importConv, importGemm, importMatMul } from "./layers.ts";
import { importPad } from "./pad.ts";
import { importAveragePool, importGlobalAveragePool, importMaxPool } from "./pooling.ts";
import { importFlatten, importReshape, importTranspose } from "./shape.ts";

/** Imports a node; undefined when its output is no data value and has been bound. */
export type OperatorImport = (context: ImportContext, reader: NodeReader) => DataValue | undefined;

/** Supported operators. */
export const operators: ReadonlyMap<string, OperatorImport> = new Map<string, OperatorImport>([
  ["Gemm", importGemm],
  ["MatMul", importMatMul],
  ["Conv", importConv],
  ["Add", importAdd],
  ["Relu", importRelu],
  ["MaxPool", importMaxPool],
  ["AveragePool", importAveragePool],
  ["GlobalAveragePool", importGlobalAveragePool],
  ["Flatten", importFlatten],
  ["Reshape", importReshape],
  ["Transpose", importTranspose],
  ["Identity", importIdentity],
  ["Dropout", importDropout],
  ["Pad", importPad],
  ["Constant", importConstant],
]);

const normalization =
  "Leave it out, or fold it into the layer before it (torch.onnx.export does so for a model in eval mode): statistics over a batch cannot be trained exactly.";
const nonlinearity = "Use Relu instead.";
const dynamicShape =
  "Shapes must be constant: flatten with torch.flatten(x, 1) or nn.Flatten() and export with fixed image sizes.";

/** What to do instead of some operators that are often met. */
export const remedies: ReadonlyMap<string, string> = new Map([
  ["BatchNormalization", normalization],
  ["InstanceNormalization", "Leave it out: it is not available."],
  ["LayerNormalization", "Leave it out: it is not available."],
  [
    "Softmax",
    "Drop it at the end of a model that is trained with softmax cross-entropy, which contains it: the model puts out logits. Elsewhere it is not available.",
  ],
  ["LogSoftmax", "Drop it: softmax cross-entropy contains it, and the model puts out logits."],
  ["Clip", "Use Relu instead of Relu6 or a clamp."],
  ...[
    "Sigmoid",
    "Tanh",
    "Gelu",
    "Elu",
    "LeakyRelu",
    "PRelu",
    "HardSwish",
    "HardSigmoid",
    "Softplus",
    "Erf",
  ].map((name): [string, string] => [name, nonlinearity]),
  ...["Shape", "Gather", "Unsqueeze", "Concat", "Slice", "Cast"].map((name): [string, string] => [
    name,
    dynamicShape,
  ]),
  ["Squeeze", "Use Flatten instead."],
  ["ReduceMean", "Use GlobalAveragePool (in PyTorch: nn.AdaptiveAvgPool2d(1)) and Flatten."],
  ["Sub", "Use Add, and let the weights carry the sign."],
  [
    "Mul",
    "Products of values are not available; a constant factor belongs into the weights or the input's exponent.",
  ],
  ["Div", "A constant divisor belongs into the weights or the input's exponent."],
  ["ConvTranspose", "Use Conv."],
]);

function importRelu(context: ImportContext, reader: NodeReader): DataValue {
  const x = context.data(reader, 0);
  const op = context.push({ kind: "relu", label: reader.label, shape: context.ops[x.op]!.shape, x: x.op });
  return { ...x, op };
}

function importIdentity(context: ImportContext, reader: NodeReader): DataValue | undefined {
  const output = reader.node.outputs[0]!;
  const source = context.findParameter(reader.input(0));
  const constant = context.findConstant(reader.input(0));
  if (source !== undefined) context.bindParameter(output, source);
  else if (constant !== undefined) context.bindTensor(output, constant);
  else return context.data(reader, 0);
  return undefined;
}

/** `Dropout` in inference mode is the identity. */
function importDropout(context: ImportContext, reader: NodeReader): DataValue {
  const training = reader.input(2);
  if (training !== undefined && Number(context.findConstant(training)?.data[0] ?? 1) !== 0)
    throw reader.unsupported(
      "it drops values at random (training_mode)",
      "Export the model in eval mode: a Dropout of inference mode is ignored, in training too.",
    );
  if (reader.node.outputs.length > 1)
    throw reader.unsupported("its mask is an output", "Use its values alone.");
  return context.data(reader, 0);
}

function importConstant(context: ImportContext, reader: NodeReader): undefined {
  const tensor = reader.tensor("value");
  const integers = reader.ints("value_ints");
  if (tensor !== undefined) context.bindTensor(reader.node.outputs[0]!, tensor);
  else if (integers !== undefined)
    context.bindTensor(reader.node.outputs[0]!, {
      dtype: "int64",
      shape: [integers.length],
      data: BigInt64Array.from(integers, BigInt),
    });
  else throw reader.unsupported("its value is no tensor", "Export the model again.");
  return undefined;
}
