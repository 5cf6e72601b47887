import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { samplesOf } from "../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import {
  checkpointFile,
  checkpointLeaves,
  resultFiles,
} from "../../../keepers/src/core/exact/result-files.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import { evaluateExact, type Samples } from "../../../keepers/src/training/evaluate/evaluate.ts";
import type { Executor } from "../../../keepers/src/training/executors/types.ts";
import { stateRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import { fetchDataset, filesOf } from "./fetch.ts";
import { checkTrace } from "./interval.ts";
import type {
  OpenCurve,
  OrderedInput,
  Score,
  ScoredState,
  ScoredStates,
  ScoreStatesInput,
} from "./methods.ts";
import { fetchOrdered } from "./ordered.ts";
import type { CallContext } from "./protocol.ts";
import { executor } from "./runtime.ts";
import { breathe } from "./serve.ts";
import { leavesOf, stateOf } from "./stored-result.ts";

/** Samples of each kind that a state is scored on, at most: a curve is drawn while somebody waits for it. */
const mostSamples = 2_048;

type Opened = {
  readonly job: JobProgram;
  readonly keptApart: Samples | undefined;
  readonly trainedOn: Samples;
};

type Checked = { readonly step: number; readonly state: readonly Int32Array[] };

/** Trainings whose published states are scored, one after another, as they come. */
export class Curves {
  readonly #curves = new Map<number, Opened>();
  #next = 1;

  /** @throws FetchError for what cannot be had; OrderRefusedError, BadInputError for what is not what it should be */
  async open(input: OrderedInput, context: CallContext): Promise<OpenCurve> {
    const { job, data } = await fetchOrdered(input, context);
    const { order } = job;
    const places = samplesOf(order);
    const source = new MemoryObjects("the dataset", order.objectBytes, data.objects);
    const counts = {
      keptApart: Math.min(mostSamples, places.validationCount),
      trainedOn: Math.min(mostSamples, order.train),
    };
    const curve = this.#next++;
    this.#curves.set(curve, {
      job,
      keptApart:
        counts.keptApart === 0
          ? undefined
          : { source, count: counts.keptApart, index: (i) => places.validation(i) },
      trainedOn: { source, count: counts.trainedOn, index: (i) => places.training(i) },
    });
    return { curve, steps: order.steps, ...counts };
  }

  /**
   * Scores the first state, or the states that are stored with a commitment. Leaves are held against the root of the
   * commitment's trace, states against their leaves; what does not hold is not scored.
   * @throws FetchError for what cannot be had; BadInputError for a curve that is not open
   */
  async score({ curve, of }: ScoreStatesInput, context: CallContext): Promise<ScoredStates> {
    const opened = this.#curves.get(curve);
    if (opened === undefined) throw new BadInputError(`There is no open curve ${curve}.`);
    const { job } = opened;
    const wrong: string[] = [];
    const checked: Checked[] = [];
    if (of.kind === "first") {
      checked.push({ step: 0, state: initialState(job.compiled.program, job.order.seed) });
    } else {
      const files = filesOf(await fetchDataset(of.gateway, of.result, context));
      const run = { ...job.order, steps: of.steps };
      const leaves = leavesOf(files.get(resultFiles.leaves), run);
      const trace = leaves === undefined ? undefined : checkTrace(leaves, of.traceRoot, run);
      if (leaves === undefined || !trace!.holds) {
        wrong.push(`The trace up to step ${of.steps}. ${trace?.how ?? "It is not stored."}`);
        return { states: [], wrong };
      }
      const named = checkpointLeaves(run).map((leaf) => [leaf, checkpointFile(leaf)] as const);
      // Checkpoints of instalments hold no state but their last one.
      const between = named.filter(([, file]) => files.has(file));
      for (const [leaf, file] of [...between, [leaves.length - 1, resultFiles.state] as const]) {
        const step = Math.min(leaf * run.interval, run.steps);
        const state = stateOf(files.get(file), job, leaves[leaf]!.stateRoot);
        if (state === undefined)
          wrong.push(`The state after step ${step} is not the one that the trace names.`);
        else checked.push({ step, state });
      }
    }
    const states: ScoredState[] = [];
    for (const each of checked)
      states.push(await scoreState(opened, each, [states.length, checked.length], context));
    return { states, wrong };
  }
}

async function scoreState(
  { job, keptApart, trainedOn }: Opened,
  { step, state }: Checked,
  [at, states]: readonly [number, number],
  { signal, progress }: CallContext,
): Promise<ScoredState> {
  const { compiled, options } = job;
  const { program } = compiled;
  const perState = trainedOn.count + (keptApart?.count ?? 0);
  let done = at * perState;
  const paced: Executor = {
    ...executor,
    async predict(...given) {
      await breathe(signal);
      const witness = await executor.predict(...given);
      done = Math.min((at + 1) * perState, done + program.microBatch);
      progress({ stage: "computing", done, total: states * perState, unit: "samples" });
      return witness;
    },
  };
  const score = async (samples: Samples): Promise<Score> => {
    const { loss, accuracy } = await evaluateExact(paced, program, state, samples, options);
    return { loss, ...(accuracy !== undefined && { accuracy }) };
  };
  return {
    step,
    stateRoot: stateRootOf(program, state),
    ...(keptApart !== undefined && { keptApart: await score(keptApart) }),
    trainedOn: await score(trainedOn),
  };
}
