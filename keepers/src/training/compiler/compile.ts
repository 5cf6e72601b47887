import { log2Exact } from "../../core/exact/format.ts";
import { limits } from "../../core/exact/limits.ts";
import { dtypeBytes } from "../../core/exact/packing.ts";
import { VoidProgramError } from "../../core/exact/tape/errors.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { validateProgram } from "../../core/exact/tape/validate.ts";
import type { OnnxModel } from "../onnx/types.ts";
import { emitBackward } from "./backward.ts";
import { CompileError, VoidModelError } from "./errors.ts";
import { differentiableOps, emitForward } from "./forward.ts";
import { fuse } from "./fuse.ts";
import type { Graph } from "./graph.ts";
import { hoistConstants } from "./hoist.ts";
import { importModel } from "./import/import.ts";
import { emitLabels, emitSamples, emitValues } from "./inputs.ts";
import { emitMeanSquaredError, emitSoftmaxCrossEntropy } from "./loss.ts";
import { optimizerTape, reductionTape } from "./optimizer.ts";
import type { CompileOptions, LabelSpec, TargetSpec } from "./options.ts";
import { parametersOf, stateSlots, toOnnxValues } from "./state.ts";
import { TapeBuilder } from "./tape-builder.ts";

/** Where a parameter of the model lies in the state, and the way back. */
export type CompiledParameter = {
  /** Name of the ONNX initialiser, or of the graph input that has no values. */
  readonly name: string;
  /** Slot of the state that holds it. */
  readonly slot: number;
  readonly onnxShape: readonly number[];
  /** Values in ONNX order of the slot's mantissas, each rounded to float32 once. */
  toOnnx(mantissas: Int32Array): Float32Array;
};

export type CompiledModel = {
  readonly program: Program;
  /** In the order of their slots. */
  readonly parameters: readonly CompiledParameter[];
  /**
   * The forward model as it was given, tensors of Constant nodes made initialisers. Its data input takes
   * (raw·multiply + add)·2^exponent.
   */
  readonly onnx: OnnxModel;
};

/**
 * Makes a training program of a forward model: fusion, reverse-mode differentiation, SGD.
 * @throws UnsupportedOperatorError, CompileError naming what stands in the way and the remedy. A program whose sums
 * could leave their carrier, or whose elements could not be opened in a dispute, is refused so too.
 */
export function compile(options: CompileOptions): Program {
  return compileModel(options).program;
}

/** As {@link compile}, with what an export of the trained parameters needs. */
export function compileModel(options: CompileOptions): CompiledModel {
  const { model, bits, microBatch, input, target, loss, optimizer, initialize } = options;
  if (bits !== 8 && bits !== 16)
    throw new CompileError(`profile E${bits} does not exist`, { next: "Use E8 or E16: bits 8 or 16." });
  if (
    !Number.isInteger(microBatch) ||
    microBatch < 1 ||
    microBatch > limits.microBatch ||
    log2Exact(microBatch) === undefined
  )
    throw new CompileError(
      `a micro-batch has ${microBatch} samples, which is no power of two up to ${limits.microBatch}`,
      {
        next: "Use a power of two, for instance 64.",
      },
    );
  const graph = fuse(importModel({ model, microBatch, input }), bits);
  const crossEntropy = loss === "softmax-cross-entropy";
  checkTarget(graph, loss, target);
  const tape = new TapeBuilder(bits);
  tape.comesFrom("the samples");
  const samples = emitSamples(tape, input, graph.ops[0]!.shape);
  tape.comesFrom("the targets");
  const wanted =
    "classes" in target
      ? emitLabels(tape, target, microBatch)
      : emitValues(tape, target, graph.ops[graph.output]!.shape, "targets");
  const differentiable = differentiableOps(graph);
  const emitted = emitForward({ tape, graph, samples, differentiable, logits: crossEntropy });
  const output = emitted[graph.output]!.tensor;
  const emitLoss = crossEntropy ? emitSoftmaxCrossEntropy : emitMeanSquaredError;
  tape.comesFrom("the loss");
  const { witness, gradient } = emitLoss(tape, output, wanted);
  emitBackward({ tape, graph, emitted, differentiable, gradient });
  const parameters = parametersOf(graph);
  const { state, gradients } = stateSlots(parameters, initialize);
  const program: Program = {
    bits,
    microBatch,
    state,
    gradients,
    tapes: [tape.nodes, reductionTape(gradients), optimizerTape(gradients, optimizer)],
    witness,
    target: wanted,
    loss,
  };
  requireValid(program, tape);
  return {
    program,
    parameters: parameters.map((parameter, slot) => ({
      name: parameter.name,
      slot,
      onnxShape: parameter.onnxShape,
      toOnnx: (mantissas) => toOnnxValues(parameter, mantissas),
    })),
    onnx: hoistConstants(model),
  };
}

/** The checker's verdict in terms of the model: which of its nodes stands behind the node of the tape. */
function requireValid(program: Program, tape: TapeBuilder): void {
  try {
    validateProgram(program);
  } catch (error) {
    if (!(error instanceof VoidProgramError)) throw error;
    const { place, message, next } = error;
    const origin = place.tape === 0 && place.node !== undefined ? `${tape.originOf(place.node)}: ` : "";
    const options = { ...(next === undefined ? {} : { next }), cause: error };
    throw new VoidModelError(`${origin}${message}`, program, place, options);
  }
}

function checkTarget({ ops, output }: Graph, loss: CompileOptions["loss"], target: TargetSpec): void {
  const values = ops[output]!.shape[1]!;
  if (!ops.some(({ kind }) => kind === "linear" || kind === "conv"))
    throw new CompileError("the model has no parameters", {
      next: "Give a model with a Gemm, MatMul or Conv.",
    });
  if (loss === "mean-squared-error") {
    if (!("classes" in target)) return;
    throw new CompileError("mean squared error needs values as targets, the dataset gives labels", {
      next: "Train with softmax cross-entropy, or give targets with multiply, add and exponent.",
    });
  }
  if (!("classes" in target))
    throw new CompileError("softmax cross-entropy needs labels as targets, the dataset gives values", {
      next: "Train with mean squared error, or give labels with their number of classes.",
    });
  const { classes } = target satisfies LabelSpec;
  if (classes !== values || classes < 2)
    throw new CompileError(`${ops[output]!.label} puts out ${values} logits for ${classes} classes`, {
      next: "The model's output needs one logit for each of at least two classes.",
    });
  const mostClasses = limits.openingBytes / dtypeBytes.I32;
  if (classes > mostClasses)
    throw new CompileError(
      `softmax cross-entropy over ${classes} classes: a row of logits must open at once`,
      {
        next: `Use at most ${mostClasses} classes.`,
      },
    );
}
