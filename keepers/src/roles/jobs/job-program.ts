import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesToHex, type Hex, hexToBytes, keccak256 } from "viem";
import { AssayError } from "../../core/errors.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { programRoot } from "../../core/exact/tape/descriptor.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { decodePackage, type JobPackage, packageDigest } from "../../core/market/package.ts";
import type { Order, Problem } from "../../core/market/types.ts";
import { type CompiledModel, compileModel } from "../../training/compiler/compile.ts";
import { gatherObjects } from "../../training/data/gather.ts";
import type { ObjectSource } from "../../training/data/types.ts";
import { labelField } from "../../training/evaluate/target.ts";
import { checkMemory } from "../../training/executors/memory.ts";
import type { ExecutorOptions } from "../../training/executors/types.ts";
import { buildModel } from "../../training/models/built-in.ts";
import { readOnnx } from "../../training/onnx/read.ts";
import type { OnnxModel } from "../../training/onnx/types.ts";
import { stateRootOf } from "../../training/trace/commitments.ts";
import { OrderRefusedError } from "./errors.ts";
import { type JobStorage, onlyFile } from "./job-storage.ts";

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

/** A job that can be computed here: program, and the dataset, checked against its root. */
export type OpenJob = JobProgram & {
  readonly source: ObjectSource;
  /** Closes the source. */
  close(): Promise<void>;
};

export type MachineLimits = {
  readonly threads: number;
  /** Bytes that a training may take. */
  readonly memoryBytes: number;
};

export type JobParameters = {
  readonly storage: JobStorage;
  /** For downloads, and for objects that memory does not hold. */
  readonly folder: string;
  readonly limits: MachineLimits;
  readonly signal?: AbortSignal;
};

/** Largest ONNX file of an order, in bytes. */
const mostModelBytes = 2 ** 30;
/** Part of the memory in which objects are kept; the rest is the engine's. */
export const objectShare = 4;

/**
 * Compiles the program of an order from what was published, and holds it against what the order commits to.
 *
 * @throws OrderRefusedError that names what does not hold; ModelTooLargeError, what storage throws
 */
export async function compileJob(published: PublishedOrder, parameters: JobParameters): Promise<JobProgram> {
  const { limits } = parameters;
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
  const onnx = await modelOf(opened, parameters);
  const compiled = refusing("package", () => compileModel({ ...opened, model: onnx }));
  const options: ExecutorOptions = {
    objectBytes: order.objectBytes,
    microBatches: order.microBatches,
    threads: limits.threads,
    memoryLimit: limits.memoryBytes,
  };
  // Before anything of the program's size is allocated, its first state too.
  checkMemory(compiled.program, options);
  requireProblem(problem, compiled.program, order);
  return { package: opened, compiled, order, options };
}

/**
 * Fetches the dataset of a compiled job and checks every object against the order's root.
 *
 * @throws OrderRefusedError; what storage throws
 */
export async function openJob(
  job: JobProgram,
  { storage, folder, limits, signal }: JobParameters,
): Promise<OpenJob> {
  const { order, compiled } = job;
  const sequence = await storage.objects(order.datasetId!, join(folder, "downloads"), signal);
  if (sequence.objectSize !== order.objectBytes) {
    throw new OrderRefusedError(
      "training",
      `objects have ${sequence.objectSize} bytes, not ${order.objectBytes}`,
    );
  }
  const { source, objectRoot } = await gatherObjects(sequence, {
    spool: join(folder, "objects.spool"),
    memoryBytes: limits.memoryBytes / objectShare,
    label: labelField(compiled.program),
    signal,
  });
  if (objectRoot !== order.objectRoot || source.count !== order.objects) {
    await source.close();
    throw new OrderRefusedError("training", "its objects are not those of the dataset");
  }
  return { ...job, source, close: () => source.close() };
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
  { storage, folder, signal }: JobParameters,
): Promise<OnnxModel> {
  if (model.kind === "built-in") return refusing("package", () => buildModel(model.name, model.options));
  const target = join(folder, "model");
  await storage.folder({
    datasetId: model.datasetId,
    target,
    directory: join(folder, "downloads"),
    mostBytes: mostModelBytes,
    signal,
  });
  const bytes = await readFile(await onlyFile(target));
  return refusing("model", () => readOnnx(bytes));
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
