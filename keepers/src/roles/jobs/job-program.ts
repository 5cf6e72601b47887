import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import { gatherObjects } from "../../training/data/gather.ts";
import { ObjectSet } from "../../training/data/object-set.ts";
import type { ObjectSource } from "../../training/data/types.ts";
import { labelField } from "../../training/evaluate/target.ts";
import { OrderRefusedError } from "./errors.ts";
import { type JobStorage, onlyFile } from "./job-storage.ts";
import {
  compilePublished,
  type JobProgram,
  type MachineLimits,
  type PublishedOrder,
} from "./published-program.ts";

/** A job that can be computed here: program, and the dataset, checked against its root. */
export type OpenJob = JobProgram & {
  readonly source: ObjectSource;
  /** Objects of the dataset whose label is no class. */
  readonly mislabelled: ObjectSet;
  /** Closes the source. */
  close(): Promise<void>;
};

export type JobParameters = {
  readonly storage: JobStorage;
  /** For downloads, and for objects that memory does not hold. */
  readonly folder: string;
  readonly limits: MachineLimits;
  readonly signal?: AbortSignal;
  /** Whether a label that is no class is only noted; refused otherwise. */
  readonly takesMislabelled?: boolean;
};

/** Largest ONNX file of an order, in bytes. */
const mostModelBytes = 2 ** 30;
/** Part of the memory in which objects are kept; the rest is the engine's. */
export const objectShare = 4;

/**
 * Compiles the program of an order from what was published, fetching its model where that is stored.
 *
 * @throws OrderRefusedError that names what does not hold; ModelTooLargeError, what storage throws
 */
export function compileJob(published: PublishedOrder, parameters: JobParameters): Promise<JobProgram> {
  return compilePublished(published, parameters.limits, (datasetId) => fetchOnnx(datasetId, parameters));
}

/**
 * Fetches the dataset of a compiled job and checks every object against the order's root.
 *
 * @throws OrderRefusedError; what storage throws
 */
export async function openJob(
  job: JobProgram,
  { storage, folder, limits, signal, takesMislabelled = false }: JobParameters,
): Promise<OpenJob> {
  const { order, compiled } = job;
  const sequence = await storage.objects(order.datasetId!, join(folder, "downloads"), signal);
  if (sequence.objectSize !== order.objectBytes) {
    throw new OrderRefusedError(
      "training",
      `objects have ${sequence.objectSize} bytes, not ${order.objectBytes}`,
    );
  }
  const mislabelled = new ObjectSet();
  const { source, objectRoot } = await gatherObjects(sequence, {
    spool: join(folder, "objects.spool"),
    memoryBytes: limits.memoryBytes / objectShare,
    label: labelField(compiled.program),
    ...(takesMislabelled && { onMislabelled: (index) => mislabelled.add(index) }),
    signal,
  });
  if (objectRoot !== order.objectRoot || source.count !== order.objects) {
    await source.close();
    throw new OrderRefusedError("training", "its objects are not those of the dataset");
  }
  return { ...job, source, mislabelled, close: () => source.close() };
}

/** The bytes of a model that is stored as a dataset. */
async function fetchOnnx(datasetId: Hex, { storage, folder, signal }: JobParameters): Promise<Uint8Array> {
  // It appears there whole, and only then: a provider that has locked the job depends on its holders no more.
  const target = join(folder, `model-${datasetId}`);
  // Its author may name the same dataset as model and as data: the download of one goes away, that of the other stays.
  const directory = join(folder, "model-downloads");
  if (!(await isThere(target))) {
    await storage.folder({ datasetId, target, directory, mostBytes: mostModelBytes, signal });
  }
  return await readFile(await onlyFile(target));
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
