/**
 * The forward model between ONNX and tape: images are [N, H, W, C], everything else is [N, D]; every operation yields
 * one value, which has the operation's index.
 */

export type Shape = readonly number[];
export type Four = readonly [number, number, number, number];

/** A window that slides over an image: kernel and stride as [height, width], pads as [top, left, bottom, right]. */
export type Window = {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pads: Four;
};

/**
 * An order of a parameter's elements: how it comes about, not the places themselves. A few bytes of a model may declare
 * a parameter that no memory holds; it is refused before there is anything of its size.
 */
export type ElementOrder = {
  readonly elements: number;
  /** Another order as `shape`, its axes permuted; the elements' own order without it. */
  readonly permuted?: {
    readonly order: ElementOrder;
    readonly shape: Shape;
    readonly axes: readonly number[];
  };
};

/** A trainable parameter in the tape's layout. */
export type Parameter = {
  /** Name of the ONNX initialiser or graph input. */
  readonly name: string;
  readonly onnxShape: Shape;
  readonly shape: Shape;
  /** Element i of the tape's layout is element elementOrder(order)[i] of the ONNX tensor. */
  readonly order: ElementOrder;
  /** Products of one output of its layer: bounds the initialisation. */
  readonly fanIn: number;
  /** Values of the ONNX file, in ONNX order. */
  readonly values: Float32Array | undefined;
};

export type Op = {
  /** The ONNX node it comes from, in words for an error. */
  readonly label: string;
  readonly shape: Shape;
} & (
  | { readonly kind: "input" }
  | {
      readonly kind: "linear";
      readonly x: number;
      readonly weight: Parameter;
      readonly bias: Parameter | undefined;
      readonly relu: boolean;
    }
  | {
      readonly kind: "conv";
      readonly x: number;
      readonly weight: Parameter;
      readonly bias: Parameter | undefined;
      readonly window: Window;
      readonly groups: number;
      /** Side and stride of a maximum taken over the sums; 1: none. */
      readonly pool: number;
      readonly relu: boolean;
    }
  | { readonly kind: "add"; readonly x: number; readonly y: number; readonly relu: boolean }
  | { readonly kind: "relu"; readonly x: number }
  | { readonly kind: "maxPool"; readonly x: number; readonly window: Window }
  | { readonly kind: "averagePool"; readonly x: number; readonly window: Window }
  /** As opcode RELAYOUT: seen as `view`, axes permuted, seen as `shape`. */
  | { readonly kind: "relayout"; readonly x: number; readonly view: Four; readonly axes: Four }
);

export type OpOf<K extends Op["kind"]> = Extract<Op, { kind: K }>;

/** Operations in order of computation; the first is the input. */
export type Graph = { readonly ops: readonly Op[]; readonly output: number };

/** Indices of the values that an operation reads. */
export function operands(op: Op): readonly number[] {
  if (op.kind === "input") return [];
  return op.kind === "add" ? [op.x, op.y] : [op.x];
}

/** How often each value is read; the output counts once more. */
export function countUses({ ops, output }: Graph): number[] {
  const uses = ops.map(() => 0);
  for (const op of ops) for (const x of operands(op)) uses[x]!++;
  uses[output]!++;
  return uses;
}

/** Places of a window over an image of this size, [height, width]. */
export function windowPlaces(
  [height, width]: readonly [number, number],
  { kernel, stride, pads }: Window,
): [number, number] {
  return [
    Math.floor((height + pads[0] + pads[2] - kernel[0]) / stride[0]) + 1,
    Math.floor((width + pads[1] + pads[3] - kernel[1]) / stride[1]) + 1,
  ];
}
