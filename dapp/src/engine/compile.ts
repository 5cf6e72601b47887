import { bytesToHex } from "viem";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { operationOf } from "../../../keepers/src/core/exact/ops/table.ts";
import { elementsOf } from "../../../keepers/src/core/exact/packing.ts";
import { stateFileBytes } from "../../../keepers/src/core/exact/result-files.ts";
import { programRoot } from "../../../keepers/src/core/exact/tape/descriptor.ts";
import { termsOfSum } from "../../../keepers/src/core/exact/tape/facts.ts";
import type { Program } from "../../../keepers/src/core/exact/tape/types.ts";
import { compileModel as compile } from "../../../keepers/src/training/compiler/compile.ts";
import { checkMemory, estimateMemory } from "../../../keepers/src/training/executors/memory.ts";
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
  const { model: given, objectBytes, microBatches, ...options } = input;
  try {
    const model = await modelOf(given);
    const { program, parameters } = compile({ ...options, model });
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
