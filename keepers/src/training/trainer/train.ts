import { join } from "node:path";
import type { Hex } from "viem";
import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { learningRateAt } from "../../core/exact/schedule.ts";
import type { Tensor } from "../../core/exact/tape/types.ts";
import type { ObjectSource } from "../data/types.ts";
import { scoreWitness } from "../evaluate/score.ts";
import type { StepInput, TrainingSession } from "../executors/types.ts";
import { intervalHash, RunHasher, stateRootOf, traceRootOf } from "../trace/commitments.ts";
import { firstEntry, type TraceEntry } from "../trace/entry.ts";
import { type RecordSigner, signRecord } from "../trace/record.ts";
import { BatchReader, stepsAtATime } from "./batches.ts";
import { pruneCheckpoints, writeCheckpoint } from "./checkpoint.ts";
import { type CheckpointError, RunFolderError } from "./errors.ts";
import { LineLog } from "./line-log.ts";
import type { EpochMetrics, Score, StepMetrics } from "./metrics.ts";
import { MetricsLog } from "./metrics-log.ts";
import { findResumption, leafAt, type MetricsLine, type Progress } from "./progress.ts";
import { type RunFolder, runFiles } from "./run-folder.ts";
import { lockRun } from "./run-lock.ts";

/** What happens while a run trains. */
export type TrainingEvent =
  | { readonly kind: "resumed"; readonly step: number; readonly damaged: readonly CheckpointError[] }
  | ({ readonly kind: "steps"; readonly of: number } & StepMetrics)
  | ({ readonly kind: "epoch" } & EpochMetrics)
  | { readonly kind: "checkpoint"; readonly step: number; readonly path: string; readonly stateRoot: Hex };

export type TrainParameters = {
  readonly run: RunFolder;
  readonly session: TrainingSession;
  readonly source: ObjectSource;
  /** Scores a state on what is not trained on. */
  readonly validate?: (state: readonly Int32Array[]) => Promise<Score>;
  readonly checkpoint: {
    /** Steps between two checkpoints; rounded up to whole intervals. */
    readonly every: number;
    /** Steps, at the end of intervals, after which there is one besides. */
    readonly at?: readonly number[];
    /** How many of the newest stay; all by default. */
    readonly keep?: number;
  };
  /** Steps after which this call ends, at the end of an interval; the run's last step by default. */
  readonly until?: number;
  /** Signs the Proof-of-Learning record of each interval. */
  readonly signer?: RecordSigner;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainingEvent) => void;
};

export type TrainResult = {
  readonly state: Int32Array[];
  readonly stateRoot: Hex;
  readonly traceRoot: Hex;
  readonly steps: readonly StepMetrics[];
  readonly epochs: readonly EpochMetrics[];
  /** Steps that were done before this call. */
  readonly resumedFrom: number;
};

/**
 * Trains a run to its last step, or as far as it is told to, from its newest good checkpoint if there is one. After a crash at any point the next call
 * goes on and puts out the same bits: a checkpoint appears only when the logs up to its step are on the disk.
 *
 * @throws RunFolderError while another process trains it; what the session, the source and the disk throw; the last
 *   checkpoint stays
 */
export async function train(parameters: TrainParameters): Promise<TrainResult> {
  const lock = lockRun(parameters.run.path);
  try {
    const trainer = await Trainer.start(parameters);
    try {
      return await trainer.run();
    } finally {
      await trainer.close();
    }
  } finally {
    lock.release();
  }
}

type RunFiles = {
  readonly trace: LineLog<TraceEntry>;
  readonly witnesses: LineLog<Hex[]>;
  readonly metrics: LineLog<MetricsLine>;
};

class Trainer {
  readonly #parameters: TrainParameters;
  /** By leaf. */
  readonly #leaves: TraceEntry[];
  readonly #files: RunFiles;
  readonly #metrics: MetricsLog;
  readonly #reader: BatchReader;
  readonly #hasher: RunHasher;
  readonly #first: number;
  #step: number;
  #state: Int32Array[];
  /** Of the interval that is under way. */
  #pending: Hex[] = [];

  private constructor(
    parameters: TrainParameters,
    start: { step: number; state: Int32Array[]; logs: Progress },
    files: RunFiles,
  ) {
    const { steps } = parameters.run.order;
    const order = samplesOf(parameters.run.order);
    this.#parameters = parameters;
    this.#leaves = start.logs.trace;
    this.#files = files;
    this.#metrics = new MetricsLog(files.metrics, start.logs.metrics, {
      steps,
      stepsPerEpoch: order.stepsPerEpoch,
    });
    this.#reader = new BatchReader({ source: parameters.source, order });
    this.#hasher = new RunHasher(parameters.run.program);
    this.#first = start.step;
    this.#step = start.step;
    this.#state = start.state;
  }

  static async start(parameters: TrainParameters): Promise<Trainer> {
    const { run, session, onEvent } = parameters;
    const found = await findResumption(run);
    const state = found?.checkpoint.state ?? initialState(run.program, run.order.seed);
    const step = found?.checkpoint.step ?? 0;
    if (step === 0 && stateRootOf(run.program, state) !== run.order.initialRoot) {
      throw new RunFolderError(`${run.path}: the program does not give the first state that the run names.`);
    }
    await session.setState(state);
    const logs = found?.logs ?? { trace: [], metrics: [] };
    const at = (name: string) => join(run.path, name);
    const trainer = new Trainer(
      parameters,
      { step, state, logs },
      {
        trace: await LineLog.open(at(runFiles.trace), logs.trace.length),
        // A line for each interval: one fewer than leaves, as long as there are any.
        witnesses: await LineLog.open(at(runFiles.witnesses), Math.max(0, logs.trace.length - 1)),
        metrics: await LineLog.open(at(runFiles.metrics), logs.metrics.length),
      },
    );
    try {
      if (found === undefined) await trainer.#begin();
      else onEvent?.({ kind: "resumed", step, damaged: found.damaged });
    } catch (error) {
      await trainer.close();
      throw error;
    }
    return trainer;
  }

  async run(): Promise<TrainResult> {
    const { run, signal, until = run.order.steps } = this.#parameters;
    while (this.#step < until) {
      signal?.throwIfAborted();
      await this.#chunk(this.#chunkEnd(this.#step));
    }
    const leaves = this.#leaves;
    const { steps, epochs } = this.#metrics;
    return {
      state: this.#state,
      stateRoot: leaves.at(-1)!.stateRoot,
      traceRoot: traceRootOf(leaves, { ...run.order, steps: this.#step }),
      steps,
      epochs,
      resumedFrom: this.#first,
    };
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#files).map((file) => file.close()));
  }

  /** Leaf 0 and the checkpoint that replays begin at. */
  async #begin(): Promise<void> {
    const entry = firstEntry(this.#parameters.run.order.initialRoot);
    this.#leaves.push(entry);
    await this.#files.trace.append(entry);
    await this.#checkpoint(entry.stateRoot);
  }

  /** A chunk ends with an interval, the epochs that a line tells of, or when its objects are many. */
  #chunkEnd(from: number): number {
    const { order } = this.#parameters.run;
    const { steps, interval } = order;
    const next = (multiple: number) => (Math.floor(from / multiple) + 1) * multiple;
    return Math.min(steps, next(interval), next(this.#metrics.stride), from + stepsAtATime(order));
  }

  async #chunk(to: number): Promise<void> {
    const { run, session } = this.#parameters;
    const { order } = run;
    const began = performance.now();
    const batches = await this.#reader.take(this.#step, to);
    if (to < order.steps) this.#reader.prefetch(to, this.#chunkEnd(to));
    const inputs = batches.map((objects, i): StepInput => {
      return { objects, learningRate: learningRateAt(order.schedule, this.#step + i) };
    });
    const outputs = await session.run(inputs);
    const witnesses = outputs.map(({ witness }) => witness);
    for (const witness of witnesses) this.#pending.push(this.#hasher.witness(witness));
    this.#step = to;
    const seen = this.#tally(inputs, witnesses);
    this.#metrics.see({ ...seen, seconds: (performance.now() - began) / 1000 });
    if (leafAt(run, to) !== undefined) await this.#endInterval();
    const epochsEnd = this.#metrics.endsEpochs(to);
    const due = leafAt(run, to) !== undefined && this.#checkpointDue(to);
    if (epochsEnd || due || this.#metrics.isDue(to)) await this.#writeSteps();
    if (epochsEnd) await this.#endEpochs();
    if (due) await this.#checkpoint(this.#leaves.at(-1)!.stateRoot);
  }

  #tally(inputs: readonly StepInput[], witnesses: readonly Tensor[]): Omit<StepMetrics, "seconds"> {
    const { program, order } = this.#parameters.run;
    const last = (order.microBatches - 1) * order.microBatch * order.objectBytes;
    let samples = 0;
    let lossSum = 0;
    let correct: number | undefined;
    for (const [i, witness] of witnesses.entries()) {
      const tally = scoreWitness(program, witness, inputs[i]!.objects.subarray(last), order.objectBytes);
      samples += tally.samples;
      lossSum += tally.lossSum;
      if (tally.correct !== undefined) correct = (correct ?? 0) + tally.correct;
    }
    return { step: this.#step, samples, lossSum, correct };
  }

  async #endInterval(): Promise<void> {
    const { run, session, signer } = this.#parameters;
    const witnesses = this.#pending;
    this.#pending = [];
    const before = this.#leaves.at(-1)!;
    this.#state = await session.getState();
    const stateRoot = this.#hasher.state(this.#state);
    const index = this.#leaves.length - 1;
    const h = intervalHash(run.secret, index, witnesses);
    const facts = { interval: index, rootBefore: before.stateRoot, rootAfter: stateRoot, witnessHash: h };
    const signed = signer === undefined ? undefined : await signRecord(signer, run.order, facts);
    const entry: TraceEntry = { step: this.#step, stateRoot, h, signed };
    this.#leaves.push(entry);
    await this.#files.witnesses.append(witnesses);
    await this.#files.trace.append(entry);
  }

  #checkpointDue(step: number): boolean {
    const { run, checkpoint, until } = this.#parameters;
    const { interval, steps } = run.order;
    const { at = [] } = checkpoint;
    const every = Math.ceil(checkpoint.every / interval) * interval;
    return step % every === 0 || step === steps || step === until || at.includes(step);
  }

  async #writeSteps(): Promise<void> {
    const { run, onEvent } = this.#parameters;
    const seen = await this.#metrics.writeSteps();
    if (seen !== undefined) onEvent?.({ kind: "steps", of: run.order.steps, ...seen });
  }

  async #endEpochs(): Promise<void> {
    const { validate, session, onEvent } = this.#parameters;
    const began = performance.now();
    const validation = await validate?.(await session.getState());
    const seconds = (performance.now() - began) / 1000;
    const metrics = await this.#metrics.writeEpochs(this.#step, validation, seconds);
    onEvent?.({ kind: "epoch", ...metrics });
  }

  async #checkpoint(stateRoot: Hex): Promise<void> {
    const { run, checkpoint, onEvent } = this.#parameters;
    await Promise.all(Object.values(this.#files).map((file) => file.sync()));
    const folder = join(run.path, runFiles.checkpoints);
    const { programRoot } = run.order;
    const path = await writeCheckpoint(folder, {
      programRoot,
      trainingHash: run.trainingHash,
      step: this.#step,
      stateRoot,
      state: this.#state,
    });
    if (checkpoint.keep !== undefined) await pruneCheckpoints(folder, checkpoint.keep);
    onEvent?.({ kind: "checkpoint", step: this.#step, path, stateRoot });
  }
}
