import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { intervalOf } from "../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import {
  checkpointFile,
  checkpointLeaves,
  decodeLeaves,
  decodeState,
  type OpenedLeaf,
  resultFiles,
} from "../../../keepers/src/core/exact/result-files.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import { stateRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import { fetchDataset, filesOf } from "./fetch.ts";
import { checkTrace, computeInterval } from "./interval.ts";
import type { Check, FetchedJob, FetchJobInput, IntervalVerdict } from "./methods.ts";
import type { OpenModels } from "./models.ts";
import { openProgram } from "./program.ts";
import type { CallContext } from "./protocol.ts";
import { programHolds } from "./verify.ts";

type Opened = {
  readonly job: JobProgram;
  readonly objects: Uint8Array;
  readonly checks: readonly Check[];
  readonly leaves: readonly OpenedLeaf[] | undefined;
  /** States that are stored and have their leaves' roots, by leaf; the first one, which the order's seed gives, among them. */
  readonly states: ReadonlyMap<number, readonly Int32Array[]>;
};

/** Jobs whose program, data and result were fetched and checked, so that parts of them can be computed again. */
export class FetchedJobs {
  readonly #models: OpenModels;
  readonly #jobs = new Map<number, Opened>();
  #next = 1;

  constructor(models: OpenModels) {
    this.#models = models;
  }

  /**
   * Fetches what a job consists of through a gateway, and holds it against what the provider committed to.
   * @throws FetchError for what cannot be had; OrderRefusedError, BadInputError for what is not what it should be
   */
  async open(input: FetchJobInput, context: CallContext): Promise<FetchedJob> {
    const { gateway, published, dataset, model } = input;
    const onnx =
      model === undefined ? undefined : onlyFile(filesOf(await fetchDataset(gateway, model, context)));
    const job = await openProgram({ published, onnx });
    const { order, compiled } = job;
    const { manifest, objects } = await fetchDataset(gateway, dataset, context);
    const isOrdered = manifest.objectRoot === order.objectRoot && manifest.objectCount === order.objects;
    if (!isOrdered) throw new BadInputError("The dataset is not the one that the order names.");
    const checks: Check[] = [
      programHolds(job),
      {
        name: "objects",
        holds: true,
        how: `All ${order.objects} objects were fetched and hashed. Their root is the order's.`,
        claimed: order.objectRoot,
        found: manifest.objectRoot as `0x${string}`,
      },
    ];
    const files = filesOf(await fetchDataset(gateway, input.result, context));
    const leaves = leavesOf(files.get(resultFiles.leaves), job);
    if (leaves !== undefined) checks.push(checkTrace(leaves, input.traceRoot, order));
    const trusted = leaves !== undefined && checks.at(-1)!.holds ? leaves : undefined;
    const states = new Map([[0, initialState(compiled.program, order.seed)]]);
    if (trusted !== undefined) {
      for (const leaf of checkpointLeaves(order)) {
        const state = stateOf(files.get(checkpointFile(leaf)), job, trusted[leaf]!.stateRoot);
        if (state !== undefined) states.set(leaf, state);
      }
    }
    const last = stateOf(files.get(resultFiles.state), job, input.stateRoot);
    const id = this.#next++;
    this.#jobs.set(id, { job, objects, checks, leaves: trusted, states });
    return {
      job: id,
      steps: order.steps,
      intervals: Math.ceil(order.steps / order.interval),
      stepsPerInterval: order.interval,
      objects: order.objects,
      checks,
      hasLeaves: trusted !== undefined,
      known: [...states.keys()],
      model: last === undefined ? undefined : this.#models.add(job, last, objects),
    };
  }

  /** Computes an interval again from the nearest state before it that is stored. @throws BadInputError */
  async verify(
    { job: id, interval }: { job: number; interval: number },
    context: CallContext,
  ): Promise<IntervalVerdict> {
    const opened = this.#jobs.get(id);
    if (opened === undefined) throw new BadInputError(`There is no fetched job ${id}.`);
    const { job, objects, checks, leaves, states } = opened;
    const { order } = job;
    intervalOf(order, interval);
    if (leaves === undefined)
      throw new BadInputError("The provider did not store the trace, so there is nothing to compare with.");
    const leaf = Math.max(...[...states.keys()].filter((known) => known <= interval));
    const known = { leaf, state: states.get(leaf)! };
    const how =
      leaf === 0
        ? "It begins with the first state, which the order's seed gives."
        : `It begins with the state at leaf ${leaf}, which is stored; every weight of it was hashed.`;
    const start: Check = {
      name: "known state",
      holds: true,
      how,
      claimed: leaves[leaf]!.stateRoot,
      found: stateRootOf(job.compiled.program, known.state),
    };
    const source = new MemoryObjects("the dataset", order.objectBytes, objects);
    return await computeInterval(
      { job, source, leaves, interval, known, checks: [...checks, start] },
      context,
    );
  }
}

function leavesOf(bytes: Uint8Array | undefined, { order }: JobProgram): OpenedLeaf[] | undefined {
  try {
    return bytes === undefined ? undefined : decodeLeaves(bytes, order);
  } catch (error) {
    if (error instanceof BadInputError) return undefined;
    throw error;
  }
}

/** A stored state, where it has the root that somebody stands for. */
function stateOf(
  bytes: Uint8Array | undefined,
  { compiled: { program } }: JobProgram,
  stateRoot: string,
): Int32Array[] | undefined {
  try {
    const state = bytes === undefined ? undefined : decodeState(program, bytes);
    return state !== undefined && stateRootOf(program, state) === stateRoot ? state : undefined;
  } catch (error) {
    if (error instanceof BadInputError) return undefined;
    throw error;
  }
}

function onlyFile(files: ReadonlyMap<string, Uint8Array>): Blob {
  const [first, ...others] = files.values();
  if (first === undefined || others.length > 0)
    throw new BadInputError(`The model's dataset holds ${files.size} files, not one.`);
  return new Blob([first as Uint8Array<ArrayBuffer>]);
}
