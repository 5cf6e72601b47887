import { bytesToHex } from "viem";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { operationOf } from "../../../keepers/src/core/exact/ops/table.ts";
import { elementsOf } from "../../../keepers/src/core/exact/packing.ts";
import { stateFileBytes } from "../../../keepers/src/core/exact/result-files.ts";
import { programRoot } from "../../../keepers/src/core/exact/tape/descriptor.ts";
import { termsOfSum } from "../../../keepers/src/core/exact/tape/facts.ts";
import type { Program } from "../../../keepers/src/core/exact/tape/types.ts";
import { compileModel as compile } from "../../../keepers/src/training/compiler/compile.ts";
import type { InputSpec } from "../../../keepers/src/training/compiler/options.ts";
import { checkMemory, estimateMemory } from "../../../keepers/src/training/executors/memory.ts";
import type { OnnxModel } from "../../../keepers/src/training/onnx/types.ts";
import { failureOf } from "./errors.ts";
import type { CompileInput, CompileVerdict } from "./methods.ts";
import { modelOf } from "./model-file.ts";
import { memoryLimit } from "./runtime.ts";

/**
 * Says whether a model can be trained as described, and what that takes; or what stands in the way, with the node of the
 * model where it is one.
 * @throws what the browser throws when the file cannot be read
 */
export async function compileModel(input: CompileInput): Promise<CompileVerdict> {
  const { model: given, input: samples, objectBytes, microBatches, ...options } = input;
  try {
    const model = await modelOf(given);
    const { program, parameters } = compile({ ...options, model, input: inputFor(model, samples) });
    const size = { objectBytes, microBatches };
    checkMemory(program, { ...size, memoryLimit });
    const [batch, reduction, optimizer] = program.tapes;
    const counts = parameters.map(({ onnxShape }) => elementsOf(onnxShape));
    return {
      accepted: true,
      programRoot: bytesToHex(programRoot(program)),
      parameters: parameters.map(({ name, onnxShape }) => ({ name, shape: onnxShape })),
      parameterCount: counts.reduce((sum, count) => sum + count, 0),
      nodes: [batch.length, reduction.length, optimizer.length],
      termsPerStep: microBatches * termsOf(program),
      memoryBytes: estimateMemory(program, size).total,
      stateBytes: stateFileBytes(program),
    };
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    const { message: reason, next, node, operator } = failureOf(error);
    return { accepted: false, reason, next, node, operator };
  }
}

/** Of several ways to see samples the one with as many axes as the model takes: without the batch, a row or an image. */
function inputFor({ graph }: OnnxModel, samples: CompileInput["input"]): InputSpec {
  const ways = "shape" in samples ? [samples] : samples;
  const axes = (graph.inputs[0]?.shape.length ?? 0) - 1;
  return ways.find(({ shape }) => shape.length === axes) ?? ways[0]!;
}

/** Terms of all sums of one micro-batch. */
function termsOf(program: Program): number {
  const [tape] = program.tapes;
  let total = 0;
  for (const node of tape) {
    if (operationOf(node.opcode).sums === undefined) continue;
    const inputs = node.inputs.map((input) => tape[input]!.output);
    total += elementsOf(node.output.shape) * termsOfSum(program, node, inputs);
  }
  return total;
}
