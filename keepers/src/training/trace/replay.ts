import type { Hex } from "viem";
import { AssayError, exitCode } from "../../core/errors.ts";
import { intervalOf, samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { learningRateAt } from "../../core/exact/schedule.ts";
import type { ObjectSource } from "../data/types.ts";
import type { Executor, ExecutorOptions, StepInput } from "../executors/types.ts";
import { BatchReader, stepsAtATime } from "../trainer/batches.ts";
import { leafAt, type RunLogs, readLogs } from "../trainer/progress.ts";
import type { RunFolder } from "../trainer/run-folder.ts";
import { claimantOf } from "./claimant.ts";
import { intervalHash, RunHasher } from "./commitments.ts";
import type { TraceEntry } from "./entry.ts";
import { type Difference, findDifference } from "./find.ts";
import { checkpointAt, nearestState } from "./nearest-state.ts";
import { verifyRecord } from "./record.ts";

/** A run's trace is not as long as its order asks for, or its files contradict each other. */
export class TraceError extends AssayError {
  override readonly name: string = "TraceError";

  constructor(message: string) {
    super(message, {
      exitCode: exitCode.badInput,
      next: "Let the run finish with --resume, or restore its files.",
    });
  }
}

/** What re-executing an interval gave. */
export type IntervalReplay = {
  readonly interval: number;
  readonly firstStep: number;
  readonly steps: number;
  readonly claimed: { readonly stateRoot: Hex; readonly h: Hex };
  readonly found: { readonly stateRoot: Hex; readonly h: Hex };
  readonly matches: boolean;
  /** Whether the signature of the interval's record is the worker's; undefined when it is not signed. */
  readonly signatureHolds?: boolean;
  /** Where it goes wrong, when it does not match. */
  readonly difference?: Difference;
};

export type ReplayParameters = {
  readonly run: RunFolder;
  readonly executor: Executor;
  readonly options: ExecutorOptions;
  readonly source: ObjectSource;
  /** Intervals that are wanted: `first` (included) to `end` (excluded). All that the trace holds by default. */
  readonly first?: number;
  readonly end?: number;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: number) => void;
};

/**
 * Executes intervals of a run again and compares them with what the run's trace claims. It begins at the newest checkpoint
 * before them that agrees with the trace, or at the first state, and stops at the first interval that does not match,
 * which it takes apart: see `findDifference`.
 *
 * @throws TraceError when the trace does not hold the intervals
 */
export async function* replay(parameters: ReplayParameters): AsyncGenerator<IntervalReplay> {
  const { run, executor, options, source, signal, onStep } = parameters;
  const { order, program } = run;
  requireData(run, source);
  const logs = await readLogs(run);
  const { first = 0, end = logs.trace.length - 1 } = parameters;
  requireTrace(run, logs, end);
  // Opened before anything is allocated for the program: it refuses one that memory does not hold.
  const session = await executor.open(program, options);
  try {
    const hasher = new RunHasher(program);
    const reader = new BatchReader({ source, order: samplesOf(order) });
    const start = await startOf(run, logs, first);
    const last = Math.min(order.steps, end * order.interval);
    const chunkEnd = (from: number) =>
      Math.min(last, from + stepsAtATime(order), from - (from % order.interval) + order.interval);
    const inputOf = (objects: Uint8Array, step: number): StepInput => ({
      objects,
      learningRate: learningRateAt(order.schedule, step),
    });
    const input = async (step: number): Promise<StepInput> => {
      const [objects] = await reader.take(step, step + 1);
      return inputOf(objects!, step);
    };
    let before = start.state;
    await session.setState(before);
    for (let interval = start.interval; interval < end; interval++) {
      const { firstStep, steps } = intervalOf(order, interval);
      const witnesses: Hex[] = [];
      for (let step = firstStep; step < firstStep + steps; ) {
        signal?.throwIfAborted();
        const to = chunkEnd(step);
        const batches = await reader.take(step, to);
        if (to < last) reader.prefetch(to, chunkEnd(to));
        const outputs = await session.run(batches.map((objects, i) => inputOf(objects, step + i)));
        for (const { witness } of outputs) witnesses.push(hasher.witness(witness));
        step = to;
        onStep?.(step);
      }
      const after = await session.getState();
      const found = { stateRoot: hasher.state(after), h: intervalHash(run.secret, interval, witnesses) };
      const claimed = logs.trace[interval + 1]!;
      const matches = found.stateRoot === claimed.stateRoot && found.h === claimed.h;
      if (matches && interval < first) {
        before = after;
        continue;
      }
      const difference = matches
        ? undefined
        : await findDifference({
            program,
            executor,
            options,
            claimant: folderClaimant(run, logs),
            from: firstStep,
            to: firstStep + steps,
            state: before,
            input,
          });
      yield {
        interval,
        firstStep,
        steps,
        claimed: { stateRoot: claimed.stateRoot, h: claimed.h },
        found,
        matches,
        signatureHolds: await signatureHolds(run, interval, logs.trace[interval]!, claimed),
        difference,
      };
      if (!matches) return;
      before = after;
    }
  } finally {
    await session.close();
  }
}

/** The root over objects does not say how many there are: one that is absent stands for as many as it likes. */
function requireData({ path, order }: RunFolder, { count, objectBytes, name }: ObjectSource): void {
  if (count === order.objects && objectBytes === order.objectBytes) return;
  throw new TraceError(
    `${name} has ${count} objects of ${objectBytes} bytes; the run of ${path} names ${order.objects} of ${order.objectBytes}.`,
  );
}

function requireTrace({ path, order }: RunFolder, { trace, witnesses }: RunLogs, end: number): void {
  if (trace.length === 0) throw new TraceError(`${path} holds no trace.`);
  if (end > trace.length - 1 || end > witnesses.length) {
    throw new TraceError(`The trace of ${path} reaches to interval ${trace.length - 2}, not to ${end - 1}.`);
  }
  if (trace[0]!.stateRoot !== order.initialRoot)
    throw new TraceError(`The trace of ${path} begins at another state.`);
  for (const [leaf, { step }] of trace.entries()) {
    if (leafAt({ order }, step) !== leaf)
      throw new TraceError(`Leaf ${leaf} of the trace of ${path} is of step ${step}.`);
  }
}

/** Where replaying an interval begins: a checkpoint that agrees with the trace, or the first state. */
async function startOf(
  run: RunFolder,
  { trace }: RunLogs,
  interval: number,
): Promise<{ interval: number; state: readonly Int32Array[] }> {
  const found = await nearestState(run, trace, interval * run.order.interval);
  if (found === undefined) return { interval: 0, state: initialState(run.program, run.order.seed) };
  return { interval: leafAt(run, found.step)!, state: found.state };
}

function folderClaimant(run: RunFolder, { trace, witnesses }: RunLogs) {
  const { interval } = run.order;
  const leafOf = (step: number) => leafAt(run, step + 1);
  return claimantOf({
    program: run.program,
    root(step) {
      const leaf = leafOf(step);
      return leaf === undefined ? undefined : trace[leaf]?.stateRoot;
    },
    witness: (step) => witnesses[Math.floor(step / interval)]?.[step % interval],
    state: async (step) => (await checkpointAt(run, step + 1))?.state,
  });
}

async function signatureHolds(
  { order, domain }: RunFolder,
  interval: number,
  before: TraceEntry,
  { stateRoot, h, signed }: TraceEntry,
): Promise<boolean | undefined> {
  if (signed === undefined) return undefined;
  const facts = { interval, rootBefore: before.stateRoot, rootAfter: stateRoot, witnessHash: h };
  return (await verifyRecord(signed, domain, order, facts)) !== undefined;
}
