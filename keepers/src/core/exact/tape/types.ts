/** Mantissa bits of a profile: E8 or E16. */
export type MantissaBits = 8 | 16;

/** Stored element types; the codes are those of `docs/exact-ops.md`, section 2. */
export const dtypes = { I8: 0, I16: 1, I32: 2, I64: 3, U8: 4, U32: 5 } as const;
export type Dtype = keyof typeof dtypes;

/** Shape (rank 1 to 4), element type and how many trailing axes form a row; elements are in row-major order. */
export type Layout = { readonly dtype: Dtype; readonly shape: readonly number[]; readonly rowAxes: number };

/** Codes of `docs/exact-ops.md`, section 4. */
export const opcodes = {
  INPUT: 1,
  LOAD: 2,
  STORE: 3,
  RELAYOUT: 4,
  REQUANTIZE: 5,
  SHIFT: 6,
  MATMUL: 7,
  CONV: 8,
  CONV_POOL_INDEX: 9,
  CONV_INPUT_GRAD: 10,
  CONV_WEIGHT_GRAD: 11,
  ROW_SUM: 12,
  ROW_MAX: 13,
  ADD: 14,
  RELU: 15,
  GATE: 16,
  MAX_POOL: 17,
  MAX_POOL_INDEX: 18,
  MAX_POOL_GRAD: 19,
  AVERAGE_POOL: 20,
  AVERAGE_POOL_GRAD: 21,
  EXP: 22,
  SOFTMAX_GRAD: 23,
  MSE_GRAD: 24,
  ACCUMULATE: 25,
  SGD_MOMENTUM: 26,
  SGD_WEIGHT: 27,
} as const;
export type Opcode = keyof typeof opcodes;

/** Bits of the `flags` attribute. */
export const flags = { bias: 1, gate: 2, relu: 4, fixed: 8, quantize: 16 } as const;

/** Names of the attributes of every opcode, in the order in which a descriptor holds them. */
export const attributeNames = {
  INPUT: ["offset", "encoding", "multiply", "add", "exponent", "classes"],
  LOAD: ["space", "slot"],
  STORE: ["space", "slot"],
  RELAYOUT: ["view0", "view1", "view2", "view3", "axis0", "axis1", "axis2", "axis3"],
  REQUANTIZE: [],
  SHIFT: ["exponent"],
  MATMUL: ["flags", "exponent"],
  CONV: [
    "flags",
    "exponent",
    "strideH",
    "strideW",
    "padTop",
    "padLeft",
    "padBottom",
    "padRight",
    "groups",
    "pool",
  ],
  CONV_POOL_INDEX: [
    "flags",
    "exponent",
    "strideH",
    "strideW",
    "padTop",
    "padLeft",
    "padBottom",
    "padRight",
    "groups",
    "pool",
  ],
  CONV_INPUT_GRAD: [
    "flags",
    "exponent",
    "strideH",
    "strideW",
    "padTop",
    "padLeft",
    "padBottom",
    "padRight",
    "groups",
  ],
  CONV_WEIGHT_GRAD: [
    "exponent",
    "strideH",
    "strideW",
    "padTop",
    "padLeft",
    "padBottom",
    "padRight",
    "groups",
  ],
  ROW_SUM: ["flags", "exponent"],
  ROW_MAX: [],
  ADD: ["flags"],
  RELU: [],
  GATE: [],
  MAX_POOL: ["kernelH", "kernelW", "strideH", "strideW", "padTop", "padLeft", "padBottom", "padRight"],
  MAX_POOL_INDEX: ["kernelH", "kernelW", "strideH", "strideW", "padTop", "padLeft", "padBottom", "padRight"],
  MAX_POOL_GRAD: [
    "flags",
    "kernelH",
    "kernelW",
    "strideH",
    "strideW",
    "padTop",
    "padLeft",
    "padBottom",
    "padRight",
  ],
  AVERAGE_POOL: ["kernelH", "kernelW", "strideH", "strideW", "padTop", "padLeft", "padBottom", "padRight"],
  AVERAGE_POOL_GRAD: [
    "flags",
    "kernelH",
    "kernelW",
    "strideH",
    "strideW",
    "padTop",
    "padLeft",
    "padBottom",
    "padRight",
  ],
  EXP: [],
  SOFTMAX_GRAD: ["flags", "probabilityBits"],
  MSE_GRAD: [],
  ACCUMULATE: ["slot"],
  SGD_MOMENTUM: ["momentum", "momentumShift", "weightDecay", "weightDecayShift"],
  SGD_WEIGHT: ["learningRateShift"],
} as const satisfies Record<Opcode, readonly string[]>;

export type Attributes<O extends Opcode> = Record<(typeof attributeNames)[O][number], number>;

/** One operation of a tape. `inputs` are indices of earlier nodes of the same tape. */
export type TapeNode<O extends Opcode = Opcode> = {
  [K in O]: {
    readonly opcode: K;
    readonly inputs: readonly number[];
    readonly output: Layout;
    readonly attributes: Readonly<Attributes<K>>;
  };
}[O];

/** Slot spaces of LOAD, STORE and ACCUMULATE. */
export const spaces = { state: 0, microBatchGradient: 1, stepGradient: 2 } as const;

/** How the first value of a state slot comes about. */
export type Initializer =
  | { readonly kind: "zero" }
  /** `docs/exact-ops.md`, section 3: uniform within ±⌊√(2^56 / fanIn)⌋. */
  | { readonly kind: "uniform"; readonly fanIn: number }
  | { readonly kind: "given"; readonly mantissas: Int32Array };

/** A tensor of the state. `name` is for people; the commitment is by position. */
export type Slot = {
  readonly name: string;
  readonly role: "weight" | "momentum";
  readonly layout: Layout;
  readonly exponent: number;
  readonly initializer: Initializer;
};

/** What one training step runs. */
export type Program = {
  readonly bits: MantissaBits;
  /** Samples of one micro-batch, a power of two. */
  readonly microBatch: number;
  readonly state: readonly Slot[];
  /** Layouts of the gradient slots (spaces 1 and 2); all I32 at −26. */
  readonly gradients: readonly Layout[];
  /** Micro-batch, reduction and optimiser tape. */
  readonly tapes: readonly [readonly TapeNode[], readonly TapeNode[], readonly TapeNode[]];
  /** Node of tape 0 whose tensor is the witness of a step. */
  readonly witness: number;
  /** Node of tape 0 that holds the labels or targets, and the loss that is minimised. */
  readonly target: number;
  readonly loss: "softmax-cross-entropy" | "mean-squared-error";
};

/** Mantissas of a tensor, as numbers (every one is below 2^53 in magnitude), and its exponent. */
export type Tensor = {
  readonly layout: Layout;
  readonly exponent: number;
  readonly mantissas: Int8Array | Int16Array | Int32Array | Uint8Array | Uint32Array | Float64Array;
};
