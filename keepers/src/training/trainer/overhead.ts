import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { samplesOf, type TrainingOrder } from "../../core/exact/order.ts";
import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import type { ObjectSource } from "../data/types.ts";
import { scoreWitness } from "../evaluate/score.ts";
import type { TrainingSession } from "../executors/types.ts";
import { intervalHash, RunHasher } from "../trace/commitments.ts";
import { readSteps } from "./batches.ts";
import { LineLog } from "./line-log.ts";

/** Rounds at most, of which the quickest counts, and seconds after which none begins. */
const rounds = 5;
const mostSeconds = 2;
/** Micro-batches of a step that are read to measure it, and their bytes: at most, but for one. */
const mostMicroBatches = 16;
const mostBytes = 32 * 2 ** 20;

/** What is measured of a run. */
export type OverheadParameters = {
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly source: ObjectSource;
  /** Has run a step, whose witness this is. */
  readonly session: Pick<TrainingSession, "getState">;
  readonly witness: Tensor;
};

/**
 * Seconds that a step of a run takes here beside the engine: reading its samples, its witness, and its part of what ends an
 * interval. Whoever orders a run chooses samples that are many and small, and intervals of one step: all this may take longer than
 * the engine does.
 *
 * @throws what source and session throw
 */
export async function secondsBesideEngine(parameters: OverheadParameters): Promise<number> {
  const { order } = parameters;
  const scratch = await ScratchLog.open();
  try {
    const { read, witness, interval } = await quickest(parameters, scratch);
    return read + witness + interval / Math.min(order.interval, order.steps);
  } finally {
    await scratch.close();
  }
}

/** A log that is written to be measured. Where the machine has no room for it the rest is measured all the same. */
class ScratchLog {
  #folder: string | undefined;
  #log: LineLog<unknown> | undefined;
  #isFull = false;

  static async open(): Promise<ScratchLog> {
    const scratch = new ScratchLog();
    try {
      scratch.#folder = await mkdtemp(join(tmpdir(), "assay-overhead-"));
      scratch.#log = await LineLog.open<unknown>(join(scratch.#folder, "lines"), 0);
    } catch {
      // Nothing is written then.
    }
    return scratch;
  }

  async append(line: unknown): Promise<void> {
    if (this.#isFull) return;
    try {
      await this.#log?.append(line);
    } catch {
      this.#isFull = true;
    }
  }

  async close(): Promise<void> {
    await this.#log?.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Each by the quickest of a few rounds: the machine does other things as well. */
async function quickest(
  { program, order, source, session, witness }: OverheadParameters,
  log: Pick<ScratchLog, "append">,
): Promise<{ read: number; witness: number; interval: number }> {
  const { microBatch, microBatches, objectBytes, interval } = order;
  const fitting = Math.floor(mostBytes / (microBatch * objectBytes));
  const few = Math.min(microBatches, mostMicroBatches, Math.max(1, fitting));
  const drawn = samplesOf({ ...order, microBatches: few });
  const hasher = new RunHasher(program);
  const best = {
    read: Number.POSITIVE_INFINITY,
    witness: Number.POSITIVE_INFINITY,
    interval: Number.POSITIVE_INFINITY,
  };
  const until = performance.now() + mostSeconds * 1000;
  for (let round = 0; round < rounds && (round === 0 || performance.now() < until); round++) {
    const began = performance.now();
    const [objects] = await readSteps({ source, order: drawn }, round, round + 1);
    const wasRead = performance.now();
    const commitment = hasher.witness(witness);
    const { samples, lossSum, correct } = scoreWitness(program, witness, objects!, objectBytes);
    const wasSeen = performance.now();
    const commitments = Array.from({ length: Math.min(interval, order.steps) }, () => commitment);
    const stateRoot = hasher.state(await session.getState());
    const h = intervalHash(commitment, round, commitments);
    await log.append(commitments);
    await log.append({ step: round, stateRoot, h });
    await log.append({ step: round, samples, lossSum, correct });
    const ended = performance.now();
    best.read = Math.min(best.read, ((wasRead - began) * microBatches) / few / 1000);
    best.witness = Math.min(best.witness, (wasSeen - wasRead) / 1000);
    best.interval = Math.min(best.interval, (ended - wasSeen) / 1000);
  }
  return best;
}
