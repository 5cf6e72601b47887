import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import { AssayError } from "../../core/errors.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import {
  checkpointFile,
  checkpointLeaves,
  decodeLeaves,
  decodeState,
  encodeLeaves,
  encodeState,
  leavesFileBytes,
  mostCheckpoints,
  type OpenedLeaf,
  resultFiles,
  stateFileBytes,
} from "../../core/exact/result-files.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { writeWhole } from "../../training/files.ts";
import { stateRootOf, traceRootOf } from "../../training/trace/commitments.ts";
import { WrongResultError } from "./errors.ts";
import { type InTimeOptions, inTime } from "./in-time.ts";
import type { CommittedResult } from "./job-record.ts";
import type { JobStorage } from "./job-storage.ts";

/** A result in a folder, ready to be stored. */
export type WrittenResult = { readonly folder: string; readonly leavesDigest: Hex };

/**
 * Writes the folder that is stored as a job's result; the same run always gives the same bytes.
 *
 * @param checkpoints states at some leaves
 */
export async function writeResult(
  folder: string,
  program: Program,
  state: readonly Int32Array[],
  leaves: readonly OpenedLeaf[],
  checkpoints: ReadonlyMap<number, readonly Int32Array[]> = new Map(),
): Promise<WrittenResult> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const file = encodeLeaves(leaves);
  await writeWhole(join(folder, resultFiles.state), encodeState(program, state));
  await writeWhole(join(folder, resultFiles.leaves), file);
  for (const [leaf, each] of checkpoints)
    await writeWhole(join(folder, checkpointFile(leaf)), encodeState(program, each));
  return { folder, leavesDigest: sha256(file) };
}

export type ReadResultParameters = {
  readonly storage: JobStorage;
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly result: CommittedResult;
  /** Folder to fetch into; what is in it goes away. */
  readonly folder: string;
  readonly signal?: AbortSignal;
};

/** A result as it was stored. Of what is not there, or not what was committed to, nothing is given. */
export type FetchedResult = {
  readonly state: Int32Array[] | undefined;
  readonly leaves: readonly OpenedLeaf[] | undefined;
};

/**
 * Fetches the result of a job and holds each file against the commitment.
 *
 * @throws what storage throws: then nobody can be blamed
 */
export async function fetchResult(parameters: ReadResultParameters): Promise<FetchedResult> {
  const { storage, program, order, result, folder, signal } = parameters;
  const target = join(folder, "result");
  await storage.folder({
    datasetId: result.resultId,
    target,
    // A provider names its result: what it owns may be what the job is trained on, and the download of that must stay.
    directory: join(folder, "result-downloads"),
    mostBytes: (1 + mostCheckpoints) * stateFileBytes(program) + leavesFileBytes(order.steps, order.interval),
    signal,
  });
  return {
    state: stateOf(await bytesOf(target, resultFiles.state), program, result),
    leaves: leavesOf(await bytesOf(target, resultFiles.leaves), order, result),
  };
}

/**
 * The result of a job as far as it can be had: what {@link fetchResult} gives, or undefined when that fails or takes too long.
 *
 * @throws the reason of the signal, when it was aborted, and nothing else
 */
export async function obtainResult(
  parameters: Omit<ReadResultParameters, "signal">,
  within: InTimeOptions,
): Promise<FetchedResult | undefined> {
  return await inTime((signal) => fetchResult({ ...parameters, signal }), within);
}

/** The leaves that an earlier {@link fetchResult} has left in the folder; undefined when they are not those of the commitment. */
export async function keptLeaves({
  order,
  result,
  folder,
}: Pick<ReadResultParameters, "order" | "result" | "folder">): Promise<readonly OpenedLeaf[] | undefined> {
  return leavesOf(await readFile(leavesPath(folder)).catch(() => undefined), order, result);
}

/** Where {@link fetchResult} leaves the leaves of a result. */
export function leavesPath(folder: string): string {
  return join(folder, "result", resultFiles.leaves);
}

/**
 * The last state of a job: from the files of its result, or where these cannot be had from the bytes that its bundles begin with,
 * for which nobody has to give a manifest.
 *
 * @throws WrongResultError when it is not stored, or has another root; what storage throws
 */
export async function fetchState(parameters: ReadResultParameters): Promise<Int32Array[]> {
  const { resultId, stateRoot } = parameters.result;
  const state = await storedState(parameters);
  if (state !== undefined) return state;
  throw new WrongResultError(resultId, `it holds no state with the root ${stateRoot}`);
}

async function storedState(parameters: ReadResultParameters): Promise<Int32Array[] | undefined> {
  try {
    const { state } = await fetchResult(parameters);
    if (state !== undefined) return state;
  } catch (error) {
    parameters.signal?.throwIfAborted();
    if (!(error instanceof AssayError)) throw error;
  }
  const { storage, program, result, signal } = parameters;
  const count = stateFileBytes(program);
  const { bytes } = await storage.stream({ datasetId: result.resultId, count, signal });
  return stateOf(bytes, program, result);
}

export type PublishedStateParameters = Pick<ReadResultParameters, "program" | "order" | "folder"> & {
  /** Leaves of the trace, held against the commitment. */
  readonly leaves: readonly OpenedLeaf[];
  /** Told of a leaf whose state was not stored, or is not the one that the leaf names. */
  readonly onWrong?: (leaf: number) => void;
};

/**
 * The newest state after `step` steps or fewer that was stored with a result which {@link fetchResult} has fetched.
 *
 * @returns undefined when there is none that its leaf bears out: then everything begins at the first state
 */
export async function publishedState(
  { program, order, folder, leaves, onWrong }: PublishedStateParameters,
  step: number,
): Promise<{ readonly step: number; readonly state: Int32Array[] } | undefined> {
  for (const leaf of checkpointLeaves(order).reverse()) {
    const at = leaf * order.interval;
    if (at > step) continue;
    const bytes = await bytesOf(join(folder, "result"), checkpointFile(leaf));
    const state = stateOf(bytes, program, leaves[leaf]!);
    if (state !== undefined) return { step: at, state };
    onWrong?.(leaf);
  }
  return undefined;
}

async function bytesOf(folder: string, name: string): Promise<Uint8Array | undefined> {
  return await readFile(join(folder, name)).catch(() => undefined);
}

function stateOf(
  bytes: Uint8Array | undefined,
  program: Program,
  { stateRoot }: Pick<CommittedResult, "stateRoot">,
) {
  if (bytes?.length !== stateFileBytes(program)) return undefined;
  try {
    const state = decodeState(program, bytes);
    return stateRootOf(program, state) === stateRoot ? state : undefined;
  } catch {
    return undefined;
  }
}

function leavesOf(bytes: Uint8Array | undefined, order: TrainingOrder, result: CommittedResult) {
  if (bytes?.length !== leavesFileBytes(order.steps, order.interval)) return undefined;
  const leaves = decodeLeaves(bytes, order);
  return traceRootOf(leaves, order) === result.traceRoot ? leaves : undefined;
}

function sha256(bytes: Uint8Array): Hex {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`;
}
