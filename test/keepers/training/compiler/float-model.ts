import type { OnnxModel, OnnxNode } from "../../../../keepers/src/training/onnx/types.ts";

/** A float64 tensor, row-major. */
export type FloatTensor = { shape: number[]; data: Float64Array };

type Four = [number, number, number, number];

/** Evaluates a forward model in float64 straight from the definitions of ONNX, on its own layouts. */
export function evaluateModel(
  { graph }: OnnxModel,
  parameters: ReadonlyMap<string, FloatTensor>,
  input: FloatTensor,
): FloatTensor {
  const values = new Map<string, FloatTensor>(parameters);
  values.set(graph.inputs[0]!.name, input);
  for (const [name, { shape, data }] of graph.initializers)
    if (!values.has(name)) values.set(name, { shape, data: Float64Array.from(data as Int32Array, Number) });
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => values.get(name)!);
    values.set(node.outputs[0]!, evaluateNode(node, inputs));
  }
  return values.get(graph.outputs[0]!.name)!;
}

function evaluateNode(node: OnnxNode, inputs: FloatTensor[]): FloatTensor {
  const [x, y, z] = inputs as [FloatTensor, FloatTensor, FloatTensor | undefined];
  switch (node.opType) {
    case "Gemm": {
      const product = matMul(x, int(node, "transB", 0) === 1 ? transpose(y, [1, 0]) : y);
      return z === undefined ? product : add(product, z);
    }
    case "MatMul":
      return matMul(x, y);
    case "Add":
      return add(x, y);
    case "Relu":
      return { shape: x.shape, data: x.data.map((value) => Math.max(value, 0)) };
    case "Conv":
      return conv(node, x, y, z);
    case "MaxPool":
      return pool(node, x, ints(node, "kernel_shape", [1, 1]), (list) => Math.max(...list));
    case "AveragePool": {
      const kernel = ints(node, "kernel_shape", [1, 1]);
      return pool(node, x, kernel, (list) => sum(list) / (kernel[0]! * kernel[1]!));
    }
    case "GlobalAveragePool":
      return pool(node, x, x.shape.slice(2), (list) => sum(list) / list.length);
    case "Transpose":
      return transpose(x, ints(node, "perm", []));
    case "Flatten":
    case "Reshape":
      return { shape: [x.shape[0]!, x.data.length / x.shape[0]!], data: x.data };
    case "Pad":
      return pad(x, Array.from(y.data));
    case "Identity":
    case "Dropout":
      return x;
    default:
      throw new Error(`the float model has no ${node.opType}`);
  }
}

function matMul(x: FloatTensor, w: FloatTensor): FloatTensor {
  const [rows, inner] = x.shape as [number, number];
  const columns = w.shape[1]!;
  return generate([rows, columns], ([row, column]) =>
    sum(Array.from({ length: inner }, (_, k) => x.data[row! * inner + k]! * w.data[k * columns + column!]!)),
  );
}

/** Sum with ONNX's broadcasting: shapes are aligned at their last axis. */
function add(a: FloatTensor, b: FloatTensor): FloatTensor {
  const rank = Math.max(a.shape.length, b.shape.length);
  const sized = ({ shape, data }: FloatTensor) => ({
    data,
    shape: [...Array<number>(rank - shape.length).fill(1), ...shape],
  });
  const [x, y] = [sized(a), sized(b)];
  const shape = x.shape.map((size, axis) => Math.max(size, y.shape[axis]!));
  const at = (tensor: FloatTensor, index: number[]) =>
    tensor.data[
      offset(
        tensor.shape,
        index.map((value, axis) => Math.min(value, tensor.shape[axis]! - 1)),
      )
    ]!;
  return generate(shape, (index) => at(x, index) + at(y, index));
}

function transpose(x: FloatTensor, perm: number[]): FloatTensor {
  return generate(
    perm.map((axis) => x.shape[axis]!),
    (index) => {
      const source: number[] = [];
      for (const [to, from] of perm.entries()) source[from] = index[to]!;
      return x.data[offset(x.shape, source)]!;
    },
  );
}

/** Zeros before and after every axis. */
function pad(x: FloatTensor, pads: number[]): FloatTensor {
  const rank = x.shape.length;
  return generate(
    x.shape.map((size, axis) => size + pads[axis]! + pads[axis + rank]!),
    (index) => {
      const source = index.map((value, axis) => value - pads[axis]!);
      const inside = source.every((value, axis) => value >= 0 && value < x.shape[axis]!);
      return inside ? x.data[offset(x.shape, source)]! : 0;
    },
  );
}

function conv(node: OnnxNode, x: FloatTensor, w: FloatTensor, bias: FloatTensor | undefined): FloatTensor {
  const [batch, , height, width] = x.shape as Four;
  const [outputs, perGroup, kernelHeight, kernelWidth] = w.shape as Four;
  const groups = int(node, "group", 1);
  const { shape, stride, pads } = places(node, [height, width], [kernelHeight, kernelWidth]);
  return generate([batch, outputs, ...shape], ([n, o, row, column]) => {
    let total = bias?.data[o!] ?? 0;
    const firstChannel = Math.floor(o! / (outputs / groups)) * perGroup;
    for (let c = 0; c < perGroup; c++)
      for (let kh = 0; kh < kernelHeight; kh++)
        for (let kw = 0; kw < kernelWidth; kw++) {
          const [py, px] = [row! * stride[0]! + kh - pads[0]!, column! * stride[1]! + kw - pads[1]!];
          if (py < 0 || px < 0 || py >= height || px >= width) continue;
          total +=
            x.data[offset(x.shape, [n!, firstChannel + c, py, px])]! *
            w.data[offset(w.shape, [o!, c, kh, kw])]!;
        }
    return total;
  });
}

function pool(
  node: OnnxNode,
  x: FloatTensor,
  kernel: number[],
  join: (values: number[]) => number,
): FloatTensor {
  const [batch, channels, height, width] = x.shape as Four;
  const { shape, stride, pads } = places(node, [height, width], kernel);
  return generate([batch, channels, ...shape], ([n, c, row, column]) => {
    const list: number[] = [];
    for (let kh = 0; kh < kernel[0]!; kh++)
      for (let kw = 0; kw < kernel[1]!; kw++) {
        const [py, px] = [row! * stride[0]! + kh - pads[0]!, column! * stride[1]! + kw - pads[1]!];
        if (py >= 0 && px >= 0 && py < height && px < width)
          list.push(x.data[offset(x.shape, [n!, c!, py, px])]!);
      }
    return join(list);
  });
}

function places(node: OnnxNode, size: number[], kernel: number[]) {
  const stride = ints(node, "strides", [1, 1]);
  const auto = node.attributes.get("auto_pad");
  let pads = ints(node, "pads", [0, 0, 0, 0]);
  if (auto?.type === "string" && auto.value.startsWith("SAME")) {
    const total = size.map((side, i) =>
      Math.max(0, (Math.ceil(side / stride[i]!) - 1) * stride[i]! + kernel[i]! - side),
    );
    const begin = total.map((all) =>
      auto.value === "SAME_UPPER" ? Math.floor(all / 2) : Math.ceil(all / 2),
    );
    pads = [...begin, ...total.map((all, i) => all - begin[i]!)];
  }
  const shape = size.map(
    (side, i) => Math.floor((side + pads[i]! + pads[i + 2]! - kernel[i]!) / stride[i]!) + 1,
  );
  return { shape, stride, pads };
}

function generate(shape: number[], at: (index: number[]) => number): FloatTensor {
  const length = shape.reduce((product, size) => product * size, 1);
  const index = shape.map(() => 0);
  const data = Float64Array.from({ length }, () => {
    const value = at(index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
    return value;
  });
  return { shape, data };
}

function offset(shape: number[], index: number[]): number {
  return shape.reduce((total, size, axis) => total * size + index[axis]!, 0);
}

function sum(list: number[]): number {
  return list.reduce((total, value) => total + value, 0);
}

function int(node: OnnxNode, name: string, absent: number): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === "int" ? attribute.value : absent;
}

function ints(node: OnnxNode, name: string, absent: number[]): number[] {
  const attribute = node.attributes.get(name);
  return attribute?.type === "ints" ? attribute.value : absent;
}

/** Mean over the batch of −log softmax(z)[label]. */
export function crossEntropy({ shape, data }: FloatTensor, labels: readonly number[]): number {
  const [rows, classes] = shape as [number, number];
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const z = Array.from(data.subarray(row * classes, (row + 1) * classes));
    const max = Math.max(...z);
    loss += Math.log(sum(z.map((value) => Math.exp(value - max)))) + max - z[labels[row]!]!;
  }
  return loss / rows;
}

/** Mean of the squared differences. */
export function meanSquaredError({ data }: FloatTensor, targets: readonly number[]): number {
  return sum(Array.from(data, (value, i) => (value - targets[i]!) ** 2)) / data.length;
}
