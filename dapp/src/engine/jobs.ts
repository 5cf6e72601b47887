import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { intervalOf } from "../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import {
  checkpointFile,
  checkpointLeaves,
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
import { fetchOrdered } from "./ordered.ts";
import type { CallContext } from "./protocol.ts";
import { leavesOf, stateOf } from "./stored-result.ts";
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
    const { job, data } = await fetchOrdered(input, context);
    const { order, compiled } = job;
    const { manifest, objects } = data;
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
    const files = filesOf(await fetchDataset(input.gateway, input.result, context));
    const leaves = leavesOf(files.get(resultFiles.leaves), order);
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
