import { bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import { AssayError } from "../../core/errors.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { inputBytes } from "../../core/exact/ops/input.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { programRoot } from "../../core/exact/tape/descriptor.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { decodePackage, type JobPackage, packageDigest } from "../../core/market/package.ts";
import type { Order, Problem } from "../../core/market/types.ts";
import { type CompiledModel, compileModel } from "../../training/compiler/compile.ts";
import { checkMemory } from "../../training/executors/memory.ts";
import type { ExecutorOptions } from "../../training/executors/types.ts";
import { buildModel } from "../../training/models/built-in.ts";
import { defaultLimits } from "../../training/onnx/limits.ts";
import { readOnnx } from "../../training/onnx/read.ts";
import type { OnnxModel } from "../../training/onnx/types.ts";
import { stateRootOf } from "../../training/trace/commitments.ts";
import { requireStorable } from "../../training/trainer/program-file.ts";
import { OrderRefusedError } from "./errors.ts";
import { requireJobSize } from "./job-size.ts";

/** What everybody on chain can see of an order. */
export type PublishedOrder = {
  readonly order: Pick<Order, "problem">;
  readonly training: Hex;
  readonly package: Hex;
};

/** The program of an order, compiled here, and what it is trained with. */
export type JobProgram = {
  readonly package: JobPackage;
  readonly compiled: CompiledModel;
  readonly order: TrainingOrder;
  readonly options: ExecutorOptions;
};

export type MachineLimits = {
  readonly threads: number;
  /** Bytes that a training may take. */
  readonly memoryBytes: number;
};

/** Part of the memory that the weights in a file may take: the file, places of weights and their numbers lie beside them. */
const memoryOfWeights = 4;

/**
 * Compiles the program of an order from what was published, and holds it against what the order commits to.
 *
 * @param onnx the file of a model that is stored as a dataset
 * @throws OrderRefusedError that names what does not hold; ModelTooLargeError, what `onnx` throws
 */
export async function compilePublished(
  published: PublishedOrder,
  limits: MachineLimits,
  onnx: (datasetId: Hex) => Promise<Uint8Array>,
): Promise<JobProgram> {
  const { problem } = published.order;
  const bytes = hexToBytes(published.package);
  if (packageDigest(bytes) !== problem.programDigest) {
    throw new OrderRefusedError("package", "it does not hash to programDigest");
  }
  if (keccak256(published.training) !== problem.trainingHash) {
    throw new OrderRefusedError("training", "it does not hash to trainingHash");
  }
  const opened = refusing("package", () => decodePackage(bytes));
  const order = refusing("training", () => decodeOrder(published.training));
  refusing("training", () => requireJobSize(order));
  const model = await modelOf(opened, limits, onnx);
  const options: ExecutorOptions = {
    objectBytes: order.objectBytes,
    microBatches: order.microBatches,
    threads: limits.threads,
    memoryLimit: limits.memoryBytes,
  };
  // Before anything of the program's size is allocated, its first state too: drawn weights are not there until they are drawn.
  const drawn = refusing("package", () => compileModel({ ...opened, model, initialize: "seed" }));
  checkMemory(drawn.program, options);
  const isDrawn = (opened.initialize ?? (opened.model.kind === "built-in" ? "seed" : "model")) === "seed";
  const compiled = isDrawn ? drawn : refusing("package", () => compileModel({ ...opened, model }));
  refusing("package", () => requireStorable(compiled.program));
  requireProblem(problem, compiled.program, order);
  return { package: opened, compiled, order, options };
}

/** What an order says about its program. */
export function problemOf(program: Program): Pick<Problem, "nodeCounts" | "witnessNode" | "slots"> {
  const { tapes, witness, state } = program;
  return {
    nodeCounts: [tapes[0].length, tapes[1].length, tapes[2].length],
    witnessNode: witness,
    slots: state.length,
  };
}

async function modelOf(
  { model }: JobPackage,
  { memoryBytes }: Pick<MachineLimits, "memoryBytes">,
  onnx: (datasetId: Hex) => Promise<Uint8Array>,
): Promise<OnnxModel> {
  if (model.kind === "built-in") return refusing("package", () => buildModel(model.name, model.options));
  const bytes = await onnx(model.datasetId);
  const tensorBytes = Math.min(defaultLimits.tensorBytes, Math.floor(memoryBytes / memoryOfWeights));
  return refusing("model", () => readOnnx(bytes, { tensorBytes }));
}

function requireProblem(problem: Problem, program: Program, order: TrainingOrder): void {
  const root = bytesToHex(programRoot(program));
  const own = problemOf(program);
  const facts: [string, boolean][] = [
    ["programRoot", root === problem.programRoot && root === order.programRoot],
    ["nodeCounts", own.nodeCounts.every((count, tape) => count === problem.nodeCounts[tape])],
    ["witnessNode", own.witnessNode === problem.witnessNode],
    ["slots", own.slots === problem.slots],
    ["datasetId", order.datasetId === problem.datasetId],
    ["training", order.bits === program.bits && order.microBatch === program.microBatch],
    [
      "objectBytes",
      program.tapes[0].every((node) => node.opcode !== "INPUT" || inputBytes(node) <= order.objectBytes),
    ],
    ["initialRoot", stateRootOf(program, initialState(program, order.seed)) === order.initialRoot],
  ];
  const wrong = facts.find(([, holds]) => !holds);
  if (wrong !== undefined) throw new OrderRefusedError(wrong[0], "the package gives another one");
}

/** What comes out of bad input, in terms of the order. */
function refusing<T>(field: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof AssayError)) throw cause;
    throw new OrderRefusedError(field, cause.message, { cause, next: cause.next });
  }
}
