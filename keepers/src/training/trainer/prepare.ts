import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingOrder } from "../../core/exact/order.ts";
import type { SampleOrder } from "../../core/exact/random/order.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { type CompiledModel, compileModel } from "../compiler/compile.ts";
import { TrainingConfigError } from "../config/errors.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { resolveCompilation } from "../config/resolve.ts";
import type { DatasetConfig } from "../config/schema.ts";
import { DatasetError } from "../data/errors.ts";
import { type GatheredObjects, gatherObjects } from "../data/gather.ts";
import type { ObjectSequence, ObjectSource } from "../data/types.ts";
import { allSamples, type Samples } from "../evaluate/evaluate.ts";
import { labelField } from "../evaluate/target.ts";
import { checkMemory } from "../executors/memory.ts";
import type { ExecutorOptions } from "../executors/types.ts";
import { readOnnx } from "../onnx/read.ts";
import type { OnnxModel } from "../onnx/types.ts";
import { countSteps } from "./count-steps.ts";

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
  /** Closes the sources. */
  close(): Promise<void>;
};

export type PrepareParameters = {
  readonly config: LoadedConfig;
  /** Of the run, for objects that memory does not hold. */
  readonly folder: string;
  /** Opens what the configuration names as a dataset. */
  readonly open: (dataset: Omit<DatasetConfig, "split">) => Promise<ObjectSequence>;
  readonly signal?: AbortSignal;
  /** Objects read. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
};

/**
 * Opens the dataset, compiles the model, counts steps. Everything that the configuration can have wrong is found here.
 *
 * @throws TrainingConfigError, DatasetError, ModelTooLargeError, BadInputError for a model; what `open` throws
 */
export async function prepare(parameters: PrepareParameters): Promise<Prepared> {
  const { config, folder, open } = parameters;
  const sequence = await open(config.dataset);
  const compiled = compileModel(resolveCompilation(config, sequence, await readModel(config)));
  const { program } = compiled;
  const options: ExecutorOptions = {
    objectBytes: sequence.objectSize,
    microBatches: config.microBatches,
    threads: config.threads,
    memoryLimit: config.memoryMiB * mebibyte,
  };
  checkMemory(program, options);
  const gathered = await gather(parameters, sequence, program, join(folder, "objects.spool"));
  const { source } = gathered;
  try {
    const { samples, ...counted } = countSteps(
      config,
      {
        count: source.count,
        objectBytes: source.objectBytes,
        objectRoot: gathered.objectRoot,
        datasetId: sequence.datasetId,
      },
      program,
    );
    const second = await openValidation(parameters, program, source);
    return {
      name: sequence.name,
      compiled,
      options,
      source,
      validation: second === undefined ? keptApart(source, samples) : allSamples(second),
      ...counted,
      async close() {
        await Promise.all([source.close(), second?.close()]);
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readModel({ model }: LoadedConfig): Promise<OnnxModel | undefined> {
  if (model.kind !== "onnx") return undefined;
  const bytes = await readFile(model.path).catch((cause: unknown) => {
    throw new TrainingConfigError(`The key model.path is refused: ${model.path} cannot be read.`, { cause });
  });
  return readOnnx(bytes);
}

/** Validation samples of a split; undefined when there are none. */
function keptApart(source: ObjectSource, samples: SampleOrder): Samples | undefined {
  if (samples.validationCount === 0) return undefined;
  return { source, count: samples.validationCount, index: (sample) => samples.validation(sample) };
}

async function gather(
  { config, signal, onProgress }: PrepareParameters,
  sequence: ObjectSequence,
  program: Program,
  spool: string,
): Promise<GatheredObjects> {
  return await gatherObjects(sequence, {
    spool,
    memoryBytes: (config.memoryMiB * mebibyte) / objectShare,
    label: labelField(program),
    signal,
    onProgress,
  });
}

/** The second dataset, where the configuration names one. */
async function openValidation(
  parameters: PrepareParameters,
  program: Program,
  { objectBytes }: ObjectSource,
): Promise<ObjectSource | undefined> {
  const { config, folder, open } = parameters;
  if (config.validation === undefined) return undefined;
  const sequence = await open(config.validation);
  if (sequence.objectSize !== objectBytes) {
    throw new DatasetError(
      `${sequence.name} has objects of ${sequence.objectSize} bytes, the training data of ${objectBytes}.`,
      { next: "Validate on data in the same form." },
    );
  }
  return (await gather(parameters, sequence, program, join(folder, "validation.spool"))).source;
}
