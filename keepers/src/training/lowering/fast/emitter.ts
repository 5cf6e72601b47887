import { attribute, type GraphBuilder } from "../../onnx/builder.ts";
import { elementCount, type OnnxArrays, type OnnxAttribute, type OnnxDtype } from "../../onnx/types.ts";

/** A value of the graph with its static shape; the integers of a carrier type unless it is a mask or an index. */
export type Value = { readonly name: string; readonly shape: readonly number[]; readonly type: OnnxDtype };

/** Floating-point types that carry integers. */
export type Carrier = "float32" | "float64";

/**
 * Adds nodes to one graph and keeps track of shapes. Reshapes are made once and collapse: a view of a view is a view of
 * the original, as every node costs about a microsecond.
 */
export class Emitter {
  readonly graph: GraphBuilder;
  readonly #views = new Map<string, Value>();
  readonly #bases = new Map<string, Value>();

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  /** A node with one output. */
  op(
    opType: string,
    inputs: readonly Value[],
    shape: readonly number[],
    type: OnnxDtype = inputs[0]!.type,
    attributes: Record<string, OnnxAttribute> = {},
    domain = "",
  ): Value {
    const name = this.graph.op(
      opType,
      inputs.map((input) => input.name),
      attributes,
      { domain },
    );
    return { name, shape, type };
  }

  constant<D extends OnnxDtype>(data: OnnxArrays[D], shape: readonly number[], type: D): Value {
    return { name: this.graph.constant(data, shape, type), shape, type };
  }

  /** A carrier constant; a vector unless a shape is given. */
  numbers(values: readonly number[], type: OnnxDtype, shape: readonly number[] = [values.length]): Value {
    switch (type) {
      case "float32":
        return this.constant(Float32Array.from(values), shape, type);
      case "float64":
        return this.constant(Float64Array.from(values), shape, type);
      case "int32":
        return this.constant(Int32Array.from(values), shape, type);
      default:
        return this.constant(BigInt64Array.from(values, BigInt), shape, "int64");
    }
  }

  indices(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Value {
    return this.constant(BigInt64Array.from(Array.from(values), BigInt), shape, "int64");
  }

  filled(value: number, type: Carrier, shape: readonly number[]): Value {
    return this.numbers(new Array<number>(elementCount(shape)).fill(value), type, shape);
  }

  reshape(value: Value, shape: readonly number[]): Value {
    const base = this.#bases.get(value.name) ?? value;
    if (sameShape(base.shape, shape)) return base;
    const key = `${base.name} ${shape}`;
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const view = this.op("Reshape", [base, this.indices(shape)], shape, base.type);
    this.#views.set(key, view);
    this.#bases.set(view.name, base);
    return view;
  }

  flat(value: Value): Value {
    return this.reshape(value, [elementCount(value.shape)]);
  }

  cast(value: Value, type: OnnxDtype): Value {
    if (value.type === type) return value;
    const codes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 } as Record<
      OnnxDtype,
      number
    >;
    return this.op("Cast", [value], value.shape, type, { to: attribute.int(codes[type]) });
  }

  /** Element-wise with broadcasting. */
  binary(opType: string, a: Value, b: Value, type: OnnxDtype = a.type): Value {
    return this.op(opType, [a, b], broadcast(a.shape, b.shape), type);
  }

  unary(opType: string, a: Value): Value {
    return this.op(opType, [a], a.shape);
  }

  add = (a: Value, b: Value) => this.binary("Add", a, b);
  sub = (a: Value, b: Value) => this.binary("Sub", a, b);
  mul = (a: Value, b: Value) => this.binary("Mul", a, b);

  /** Limits to [−limit, limit]. */
  clamp(a: Value, limit: number): Value {
    const [low, high] = [-limit, limit].map((v) => this.numbers([v], a.type, []));
    return this.op("Clip", [a, low!, high!], a.shape);
  }

  /** Rows of `value` by a constant index; the result has the index's shape in the place of axis 0. */
  gather(value: Value, index: Value): Value {
    return this.op("Gather", [value, index], [...index.shape, ...value.shape.slice(1)], value.type, {
      axis: attribute.int(0),
    });
  }

  /** Matrix product over the last two axes, leading axes broadcast. */
  matmul(a: Value, b: Value): Value {
    const lead = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    return this.op("MatMul", [a, b], [...lead, a.shape.at(-2)!, b.shape.at(-1)!]);
  }

  /** a·b of matrices, either one transposed, plus c. */
  gemm(a: Value, b: Value, transA: boolean, transB: boolean, c?: Value): Value {
    const shape = [a.shape[transA ? 1 : 0]!, b.shape[transB ? 0 : 1]!];
    return this.op("Gemm", c === undefined ? [a, b] : [a, b, c], shape, a.type, {
      transA: attribute.int(Number(transA)),
      transB: attribute.int(Number(transB)),
    });
  }

  /** a·bᵀ over the last two axes; equal leading axes. ONNX Runtime's own operator for float32, which needs no copy. */
  matmulTransposed(a: Value, b: Value): Value {
    const shape = [...a.shape.slice(0, -1), b.shape.at(-2)!];
    if (elementCount(a.shape.slice(0, -2)) === 1) {
      const [x, y] = [a, b].map((v) => this.reshape(v, v.shape.slice(-2)));
      return this.reshape(this.gemm(x!, y!, false, true), shape);
    }
    if (a.type === "float32") {
      return this.op("FusedMatMul", [a, b], shape, a.type, { transB: attribute.int(1) }, "com.microsoft");
    }
    const rank = b.shape.length;
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return this.matmul(a, this.transpose(b, perm));
  }

  transpose(a: Value, perm: readonly number[]): Value {
    return this.op(
      "Transpose",
      [a],
      perm.map((axis) => a.shape[axis]!),
      a.type,
      { perm: attribute.ints(perm) },
    );
  }

  /** Reduction over `axes`, or over everything to a vector of one element. */
  reduce(
    kind: "ReduceMax" | "ReduceMin" | "ReduceSum",
    a: Value,
    axes: readonly number[] | "all",
    keep = false,
  ): Value {
    if (axes === "all") return this.reduce(kind, this.flat(a), [0], true);
    const shape = a.shape.flatMap((size, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [size]));
    const keepdims = { keepdims: attribute.int(Number(keep)) };
    return kind === "ReduceSum"
      ? this.op(kind, [a, this.indices(axes)], shape, a.type, keepdims)
      : this.op(kind, [a], shape, a.type, { axes: attribute.ints(axes), ...keepdims });
  }

  concat(values: readonly Value[], axis: number): Value {
    if (values.length === 1) return values[0]!;
    const shape = values[0]!.shape.map((size, i) =>
      i === axis ? values.reduce((sum, value) => sum + value.shape[axis]!, 0) : size,
    );
    return this.op("Concat", values, shape, values[0]!.type, { axis: attribute.int(axis) });
  }

  /** Pieces of a vector, one after another. */
  split(value: Value, sizes: readonly number[]): Value[] {
    if (sizes.length === 1) return [value];
    const names = this.graph.op(
      "Split",
      [value.name, this.indices(sizes).name],
      { axis: attribute.int(0) },
      { outputs: sizes.length },
    );
    return names.map((name, i) => ({ name, shape: [sizes[i]!], type: value.type }));
  }

  /** [from, to) along each of `axes`. */
  slice(value: Value, axes: readonly number[], from: readonly number[], to: readonly number[]): Value {
    if (axes.every((axis, i) => from[i] === 0 && to[i] === value.shape[axis])) return value;
    const shape = [...value.shape];
    axes.forEach((axis, i) => {
      shape[axis] = to[i]! - from[i]!;
    });
    return this.op("Slice", [value, this.indices(from), this.indices(to), this.indices(axes)], shape);
  }

  /** Zeros around. */
  pad(value: Value, before: readonly number[], after: readonly number[]): Value {
    if ([...before, ...after].every((size) => size === 0)) return value;
    const shape = value.shape.map((size, axis) => size + before[axis]! + after[axis]!);
    return this.op("Pad", [value, this.indices([...before, ...after])], shape);
  }

  /**
   * x·scale + offset: each a vector of one element, or one for each block along axis 1 of x [1, blocks, …].
   * BatchNormalization with mean 0 and variance 1 is the one operator that computes it in a single pass; both operations
   * must be exact for the values at hand.
   */
  affine(x: Value, scale: Value, offset: Value): Value {
    const blocks = scale.shape[0]!;
    const row = this.reshape(x, [1, blocks, elementCount(x.shape) / blocks]);
    const [zero, one] = [0, 1].map((v) => this.numbers(new Array<number>(blocks).fill(v), x.type)) as [
      Value,
      Value,
    ];
    const y = this.op("BatchNormalization", [row, scale, offset, zero, one], row.shape, x.type, {
      epsilon: attribute.float(0),
    });
    return this.reshape(y, x.shape);
  }

  /** ⌊x·scale + offset⌋ in two passes: see {@link affine}. */
  floorAffine(x: Value, scale: Value, offset: Value): Value {
    return this.unary("Floor", this.affine(x, scale, offset));
  }
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    return x === 1 ? y : x;
  });
}
