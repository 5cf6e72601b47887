import { createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Program } from "../../core/exact/tape/types.ts";
import { checkState, checkStep } from "../executors/check.ts";
import { EngineError } from "../executors/errors.ts";
import {
  addInto,
  type PartialSums,
  type PartsExecutor,
  type SumsSession,
  type UpdateSession,
} from "../executors/parts.ts";
import type { ExecutorOptions, StepInput, StepOutput, TrainingSession } from "../executors/types.ts";
import { Board, type Chunk } from "./board.ts";
import { BarredWorkerError, TaintedRunError } from "./errors.ts";
import { SumsForm } from "./forms.ts";
import type { WorkerRecords } from "./records.ts";
import { Snapshots } from "./snapshots.ts";

export type ClusterOptions = {
  /** Micro-batches of a chunk, a power of two, at most M. */
  readonly chunkSize: number;
  /** Part of the results, from 0 to 1, that the provider computes again before it takes them. */
  readonly checkShare: number;
  /** Draws which ones; workers must not know it. */
  readonly secret: Uint8Array;
  readonly records: WorkerRecords;
  /** Absolute number of the first step after `setState`. */
  readonly firstStep: number;
  /** Milliseconds that a worker gets for a chunk at least, before another gets it too. */
  readonly patience?: number;
  readonly now?: () => number;
  readonly signal?: AbortSignal;
};

/** Work for one worker. */
export type Task = {
  readonly chunk: number;
  /** SHA-256 of what tape 0 reads of the state. */
  readonly state: string;
  /** The digest that `bytes` are a difference to; undefined when they are the whole. */
  readonly since: string | undefined;
  /** Empty when the worker holds the state. */
  readonly bytes: Uint8Array;
  readonly objects: Uint8Array;
};

/** What became of a result: "late" when nobody waits for it any more. */
export type Verdict = "accepted" | "late" | "wrong";

const defaultPatience = 2_000;

type Taken = {
  readonly step: number;
  readonly chunk: number;
  readonly worker: string;
  readonly bytes: Uint8Array;
};

/**
 * A training session whose micro-batches strangers compute. The gradient of a step is a plain sum of integers, so who
 * computed which part, in which order and how often, changes no bit. The provider adds up, makes the step, computes what no
 * worker does, and computes a share of the results again: see `docs/jobs.md`, "Workers", for what that guarantees.
 */
export class ClusterSession implements TrainingSession {
  readonly program: Program;
  readonly sums: SumsForm;
  readonly #options: ClusterOptions;
  readonly #engine: ExecutorOptions;
  readonly #local: SumsSession;
  readonly #update: UpdateSession;
  readonly #board: Board;
  readonly #snapshots: Snapshots;
  readonly #waiting = new Set<() => void>();
  #state: readonly Int32Array[] | undefined;
  #objects: Uint8Array | undefined;
  /** Absolute number of the step that is under way. */
  #step: number;
  /** What the call that is under way has taken unchecked. */
  #taken: Taken[] = [];
  /** Workers that were caught since the last look at what they gave before. */
  #caught: string[] = [];
  /** The engine computes one thing at a time. */
  #busy: Promise<unknown> = Promise.resolve();
  #progress: (() => void) | undefined;
  #closed = false;

  private constructor(
    program: Program,
    engine: ExecutorOptions,
    options: ClusterOptions,
    parts: { local: SumsSession; update: UpdateSession },
  ) {
    this.program = program;
    this.sums = new SumsForm(program, options.chunkSize);
    this.#engine = engine;
    this.#options = options;
    this.#local = parts.local;
    this.#update = parts.update;
    this.#snapshots = new Snapshots(program);
    this.#step = options.firstStep;
    const { now = Date.now, patience = defaultPatience } = options;
    this.#board = new Board({ now, patience });
  }

  static async open(
    executor: PartsExecutor,
    program: Program,
    engine: ExecutorOptions,
    options: ClusterOptions,
  ): Promise<ClusterSession> {
    const update = await executor.openUpdate(program, engine);
    try {
      const local = await executor.openSums(program, { ...engine, microBatches: options.chunkSize });
      return new ClusterSession(program, engine, options, { local, update });
    } catch (error) {
      await update.close();
      throw error;
    }
  }

  async setState(state: readonly Int32Array[]): Promise<void> {
    checkState(this.program, state);
    this.#state = state.map((values) => values.slice());
    this.#step = this.#options.firstStep;
  }

  async getState(): Promise<Int32Array[]> {
    return this.#current().map((values) => values.slice());
  }

  /** @throws TaintedRunError when a worker was caught of which earlier calls took results unchecked */
  async run(inputs: readonly StepInput[]): Promise<StepOutput[]> {
    for (const input of inputs) checkStep(this.program, this.#engine, input);
    const first = this.#step;
    const states = [this.#current()];
    const outputs: StepOutput[] = [];
    this.#taken = [];
    try {
      while (outputs.length < inputs.length) {
        const at = outputs.length;
        const input = inputs[at]!;
        const state = states[at]!;
        this.#step = first + at;
        const { sums, witness } = await this.#makeStep(state, input);
        const wrong = await this.#recheck(first, states, inputs);
        if (wrong !== undefined) {
          states.length = wrong + 1;
          outputs.length = wrong;
          continue;
        }
        states.push(await this.#update.next(state, sums, input.learningRate));
        outputs.push({ witness });
      }
    } catch (error) {
      this.#step = first;
      throw error;
    } finally {
      this.#objects = undefined;
      this.#board.begin(0);
    }
    this.#state = states.at(-1)!;
    this.#step = first + inputs.length;
    return outputs;
  }

  /**
   * Work for a worker, once there is some.
   * @param holds digest of the newest state that it has
   * @throws BarredWorkerError; the reason of the signal
   */
  async take(worker: string, holds: string | undefined, signal: AbortSignal): Promise<Task> {
    for (;;) {
      if (this.#closed) throw new EngineError("cluster", "the session is closed");
      if (this.#options.records.isBarred(worker)) throw new BarredWorkerError(worker);
      signal.throwIfAborted();
      this.#board.greet(worker);
      const objects = this.#objects;
      const chunk = objects === undefined ? undefined : this.#board.take(worker);
      if (chunk !== undefined) {
        return {
          chunk: chunk.id,
          ...this.#snapshots.since(holds),
          objects: this.#part(objects!, chunk.index),
        };
      }
      await this.#wait(signal);
    }
  }

  /** Whether a worker was given a chunk that is still wanted. */
  wants(worker: string, chunk: number): boolean {
    return this.#board.find(chunk, worker) !== undefined;
  }

  /** Takes a result over, or finds that it is wrong; then its worker gets no more work. */
  async deliver(worker: string, id: number, part: PartialSums): Promise<Verdict> {
    const { records } = this.#options;
    const chunk = this.#board.find(id, worker);
    if (chunk === undefined || records.isBarred(worker)) return "late";
    this.#board.arrived(chunk, worker);
    const checked = this.#isDrawn(id);
    const step = this.#step;
    if (checked) {
      chunk.checking = true;
      const own = await this.#compute(this.#snapshots.current, this.#part(this.#objects!, chunk.index));
      if (!this.#isSame(own, part)) {
        chunk.done = { part: own, checked: true };
        this.#catch(worker);
        return "wrong";
      }
    }
    chunk.done = { part, worker, checked };
    if (!checked) {
      this.#taken.push({ step, chunk: chunk.index, worker, bytes: this.sums.encode(part) });
    }
    records.accepted(worker, step, checked);
    this.#progress?.();
    return "accepted";
  }

  /** A worker sent what no honest one sends. */
  refuse(worker: string): void {
    this.#catch(worker);
  }

  /** A worker went away: what it had goes to others at once. */
  leave(worker: string): void {
    this.#board.remove(worker);
    this.#wake();
    this.#progress?.();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake();
    await this.#busy.catch(() => undefined);
    await Promise.all([this.#local.close(), this.#update.close()]);
  }

  /** The sums of one step, and its witness. */
  async #makeStep(state: readonly Int32Array[], { objects }: StepInput): Promise<PartialSums> {
    const { signal } = this.#options;
    this.#snapshots.set(state);
    this.#objects = objects;
    this.#board.begin(this.#engine.microBatches / this.#options.chunkSize);
    this.#wake();
    while (this.#board.chunks.some(({ done }) => done === undefined)) {
      signal?.throwIfAborted();
      const chunk = this.#board.orphan();
      if (chunk === undefined) await this.#pause();
      else await this.#computeChunk(chunk, state, objects);
    }
    const parts = this.#board.chunks.map(({ done }) => done!.part);
    const sums = parts[0]!.sums.map((values) => values.slice());
    for (const part of parts.slice(1)) {
      for (const [slot, sum] of sums.entries()) addInto(sum, part.sums[slot]!);
    }
    return { sums, witness: parts.at(-1)!.witness };
  }

  async #computeChunk(chunk: Chunk, state: readonly Int32Array[], objects: Uint8Array): Promise<void> {
    const part = await this.#compute(state, this.#part(objects, chunk.index));
    // A worker may have been faster; what it gave counts, as it will be paid for it.
    if (chunk.done === undefined && !chunk.checking) chunk.done = { part, checked: true };
  }

  /**
   * Computes again what workers that were caught gave in this call, from its first step on.
   * @returns the place of the first step that has to be made again
   */
  async #recheck(
    first: number,
    states: readonly (readonly Int32Array[])[],
    inputs: readonly StepInput[],
  ): Promise<number | undefined> {
    const { records } = this.#options;
    for (const worker of this.#caught) {
      const before = records.firstUnchecked(worker);
      if (before !== undefined && before < first) throw new TaintedRunError(worker, before);
    }
    this.#caught = [];
    const suspects = this.#taken.filter(({ worker }) => records.isBarred(worker));
    for (const suspect of suspects) {
      const { step, chunk, bytes } = suspect;
      const at = step - first;
      const own = await this.#compute(states[at]!, this.#part(inputs[at]!.objects, chunk));
      if (Buffer.compare(this.sums.encode(own), bytes) !== 0) {
        this.#taken = this.#taken.filter((taken) => taken.step < step);
        return at;
      }
      this.#taken = this.#taken.filter((taken) => taken !== suspect);
    }
    return undefined;
  }

  #catch(worker: string): void {
    const { records } = this.#options;
    if (!records.isBarred(worker)) {
      records.bar(worker);
      this.#caught.push(worker);
    }
    this.#board.remove(worker);
    this.#wake();
    this.#progress?.();
  }

  #isSame(own: PartialSums, other: PartialSums): boolean {
    return Buffer.compare(this.sums.encode(own), this.sums.encode(other)) === 0;
  }

  /** Drawn when the result is there, from what workers do not know. */
  #isDrawn(chunk: number): boolean {
    const { secret, checkShare } = this.#options;
    const digest = createHmac("sha256", secret).update(`${this.#step}:${chunk}`).digest();
    return digest.readUInt32LE(0) / 2 ** 32 < checkShare;
  }

  #compute(state: readonly Int32Array[], objects: Uint8Array): Promise<PartialSums> {
    const computed = this.#busy.then(() => this.#local.compute(state, objects));
    this.#busy = computed.catch(() => undefined);
    return computed;
  }

  #part(objects: Uint8Array, index: number): Uint8Array {
    const bytes = (objects.length * this.#options.chunkSize) / this.#engine.microBatches;
    return objects.subarray(index * bytes, (index + 1) * bytes);
  }

  #current(): readonly Int32Array[] {
    if (this.#state === undefined) throw new EngineError("cluster", "no state was set");
    return this.#state;
  }

  /** Until something happens, or somebody may be late. */
  async #pause(): Promise<void> {
    const done = new AbortController();
    const signals = [done.signal, this.#options.signal].filter((signal) => signal !== undefined);
    const timer = delay(this.#board.pause, undefined, { signal: AbortSignal.any(signals) }).catch(
      () => undefined,
    );
    const moved = new Promise<void>((resolve) => {
      this.#progress = resolve;
    });
    await Promise.race([moved, timer]);
    done.abort();
    this.#progress = undefined;
    // Whoever waits for work may now have what another is late with.
    this.#wake();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async #wait(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = () => {
        this.#waiting.delete(wake);
        reject(signal.reason);
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
