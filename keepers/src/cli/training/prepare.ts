import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesToHex } from "viem";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { sampleOrder } from "../../core/exact/random/order.ts";
import { programRoot } from "../../core/exact/tape/descriptor.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { type CompiledModel, compileModel } from "../../training/compiler/compile.ts";
import { parseFraction } from "../../training/config/decimal.ts";
import { TrainingConfigError } from "../../training/config/errors.ts";
import { scheduleOf } from "../../training/config/hyper-parameters.ts";
import { resolveCompilation } from "../../training/config/resolve.ts";
import { DatasetError } from "../../training/data/errors.ts";
import { type GatheredObjects, gatherObjects } from "../../training/data/gather.ts";
import type { ObjectSequence, ObjectSource } from "../../training/data/types.ts";
import { allSamples, type Samples } from "../../training/evaluate/evaluate.ts";
import { labelField } from "../../training/evaluate/target.ts";
import { checkMemory } from "../../training/executors/memory.ts";
import type { ExecutorOptions } from "../../training/executors/types.ts";
import { readOnnx } from "../../training/onnx/read.ts";
import type { OnnxModel } from "../../training/onnx/types.ts";
import { stateRootOf } from "../../training/trace/commitments.ts";
import { seedBytes } from "../../training/trainer/plan.ts";
import type { CommandContext } from "../context.ts";
import type { LoadedConfig } from "./load-config.ts";
import { openObjects } from "./open-dataset.ts";

/** Objects that are held in memory; the rest of what training may take is the engine's. */
const objectShare = 4;
const mebibyte = 2 ** 20;

/** A training that is ready to begin, but for its interval. */
export type Prepared = {
  readonly name: string;
  readonly compiled: CompiledModel;
  readonly options: ExecutorOptions;
  readonly source: ObjectSource;
  /** What validates; undefined when nothing does. */
  readonly validation: Samples | undefined;
  readonly order: Omit<TrainingOrder, "interval">;
  readonly stepsPerEpoch: number;
};

/**
 * Opens the dataset, compiles the model, counts steps. Everything that the configuration can have wrong is found here.
 *
 * @param folder of the run, for objects that memory does not hold
 */
export async function prepare(
  context: CommandContext,
  config: LoadedConfig,
  folder: string,
): Promise<Prepared> {
  const sequence = await openObjects(context, config.dataset);
  const compiled = compileModel(resolveCompilation(config, sequence, await readModel(config)));
  const { program } = compiled;
  const options: ExecutorOptions = {
    objectBytes: sequence.objectSize,
    microBatches: config.microBatches,
    threads: config.threads,
    memoryLimit: config.memoryMiB * mebibyte,
  };
  checkMemory(program, options);
  const { source, objectRoot } = await gather(
    context,
    config,
    sequence,
    program,
    join(folder, "objects.spool"),
  );
  const counts = countsOf(config, source.count);
  const samples = sampleOrder({
    ...counts,
    microBatch: config.microBatch,
    microBatches: config.microBatches,
  });
  const steps = config.steps ?? config.epochs! * samples.stepsPerEpoch;
  const validation = await openValidation(context, config, program, source, folder);
  return {
    name: sequence.name,
    compiled,
    options,
    source,
    validation:
      validation ??
      (samples.validationCount === 0
        ? undefined
        : { source, count: samples.validationCount, index: (sample) => samples.validation(sample) }),
    order: {
      bits: program.bits,
      programRoot: bytesToHex(programRoot(program)),
      initialRoot: stateRootOf(program, initialState(program, counts.seed)),
      objectRoot,
      ...counts,
      objectBytes: source.objectBytes,
      microBatch: config.microBatch,
      microBatches: config.microBatches,
      steps,
      schedule: scheduleOf(config.learningRate, { steps, stepsPerEpoch: samples.stepsPerEpoch }),
    },
    stepsPerEpoch: samples.stepsPerEpoch,
  };
}

async function readModel({ model }: LoadedConfig): Promise<OnnxModel | undefined> {
  if (model.kind !== "onnx") return undefined;
  const bytes = await readFile(model.path).catch((cause: unknown) => {
    throw new TrainingConfigError(`The key model.path is refused: ${model.path} cannot be read.`, { cause });
  });
  return readOnnx(bytes);
}

function countsOf({ dataset: { split }, seed }: LoadedConfig, objects: number) {
  const base = { seed: seedBytes(seed), objects };
  if (split === undefined) return { ...base, train: objects };
  const { numerator, denominator } = parseFraction(split.train)!;
  const train = denominator === 0n ? 0 : Number((BigInt(objects) * numerator) / denominator);
  if (train < 1 || train >= objects) {
    throw new TrainingConfigError(
      `The key dataset.split.train is refused: ${split.train} of ${objects} objects leaves nothing to train on or to validate with.`,
    );
  }
  return { ...base, train, splitSeed: seedBytes(split.seed ?? seed) };
}

async function gather(
  { output, signal }: CommandContext,
  { memoryMiB }: LoadedConfig,
  sequence: ObjectSequence,
  program: Program,
  spool: string,
): Promise<GatheredObjects> {
  return await gatherObjects(sequence, {
    spool,
    memoryBytes: (memoryMiB * mebibyte) / objectShare,
    label: labelField(program),
    signal,
    onProgress: (done, total) => output.progress({ stage: "read", done, total, unit: "objects" }),
  });
}

async function openValidation(
  context: CommandContext,
  config: LoadedConfig,
  program: Program,
  { objectBytes }: ObjectSource,
  folder: string,
): Promise<Samples | undefined> {
  if (config.validation === undefined) return undefined;
  const sequence = await openObjects(context, config.validation);
  if (sequence.objectSize !== objectBytes) {
    throw new DatasetError(
      `${sequence.name} has objects of ${sequence.objectSize} bytes, the training data of ${objectBytes}.`,
      { next: "Validate on data in the same form." },
    );
  }
  const { source } = await gather(context, config, sequence, program, join(folder, "validation.spool"));
  context.onClose(() => source.close());
  return allSamples(source);
}
