import type { MantissaBits } from "../../core/exact/tape/types.ts";
import type { OnnxModel } from "../onnx/types.ts";

/** How raw numbers lie in an object, little-endian; the codes are those of opcode INPUT in `docs/exact-ops.md`. */
export const encodings = { u8: 0, i8: 1, i16: 2, i32: 3 } as const;
export type Encoding = keyof typeof encodings;

/** Numbers of an object that become a tensor: value = (raw·multiply + add)·2^exponent. */
export type ValueSpec = {
  /** First byte inside an object. */
  readonly offset: number;
  readonly encoding: Encoding;
  /** Integers; i32 takes only multiply = 1 and add = 0. */
  readonly multiply: number;
  readonly add: number;
  readonly exponent: number;
};

/** The samples: `shape` is that of one sample as it lies in an object, without the batch. */
export type InputSpec = ValueSpec & {
  readonly layout: "NCHW" | "NHWC" | "flat";
  readonly shape: readonly number[];
};

/** Class labels for softmax cross-entropy, one raw number in [0, classes) per object. */
export type LabelSpec = {
  readonly offset: number;
  readonly encoding: Encoding;
  readonly classes: number;
};

/** Labels, or for mean squared error as many values as the model puts out, in its order. */
export type TargetSpec = LabelSpec | ValueSpec;

/** SGD: v' = g + v·momentum/2^momentumShift + w·weightDecay/2^weightDecayShift; the learning rate is a schedule of the order. */
export type OptimizerSpec = {
  /** Unsigned 16 bit. */
  readonly momentum: number;
  /** Unsigned 16 bit; 0 by default. Applies to every parameter, as in PyTorch. */
  readonly weightDecay?: number;
  /** 16 by default, each. */
  readonly momentumShift?: number;
  readonly weightDecayShift?: number;
  readonly learningRateShift?: number;
};

export type CompileOptions = {
  /** The forward model, with float32 weights or none, without loss. */
  readonly model: OnnxModel;
  readonly bits: MantissaBits;
  /** Samples of one micro-batch, a power of two. */
  readonly microBatch: number;
  readonly input: InputSpec;
  readonly target: TargetSpec;
  readonly loss: "softmax-cross-entropy" | "mean-squared-error";
  readonly optimizer: OptimizerSpec;
  /**
   * Where first weights come from: `model` takes the values of the ONNX file and refuses parameters without, `seed`
   * draws all of them. By default those with values keep them and the others are drawn.
   */
  readonly initialize?: "seed" | "model";
};
