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
import { Board, type Chunk, type Result } from "./board.ts";
import { BadPartError, BarredWorkerError, TaintedRunError } from "./errors.ts";
import { SumsForm } from "./forms.ts";
import { Pace } from "./pace.ts";
import type { WorkerRecords } from "./records.ts";
import { Snapshots } from "./snapshots.ts";

export type ClusterOptions = {
  /** Micro-batches of a chunk, a power of two, at most M. */
  readonly chunkSize: number;
  /** Workers that have to agree on a chunk before it is taken on their word. */
  readonly copies: number;
  /** Part of the chunks, from 0 to 1, that the provider computes as well before it takes what workers agree on. */
  readonly checkShare: number;
  /** Draws which ones; workers must not know it. */
  readonly secret: Uint8Array;
  readonly records: WorkerRecords;
  /** Absolute number of the first step after `setState`. */
  readonly firstStep: number;
  /** Milliseconds that a step takes the provider alone, so that it knows from the first step on how long workers are worth waiting for. */
  readonly ownStep?: number;
  /**
   * Whether the step that is under way has to be made by the provider alone, and all after it, as there is no time left to
   * lose; it is asked again and again until it says so.
   * @param ownStep milliseconds that a step takes the provider alone, as far as it is known
   */
  readonly mustHurry?: (step: number, ownStep: number | undefined) => boolean;
  /** Milliseconds that a worker is waited for as long as the provider does not know what a chunk takes itself. */
  readonly patience?: number;
  readonly now?: () => number;
  readonly signal?: AbortSignal;
  readonly observer?: ClusterObserver;
};

/** What became of a result: it was agreed on, or the provider computed the same, or something else. */
export type Outcome = "agreed" | "checked" | "wrong";

/** Hears what a cluster does. */
export type ClusterObserver = {
  result(outcome: Outcome): void;
  /** The provider computed a chunk itself: no workers settled it, or it was drawn. */
  computed(): void;
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
  /** Whether the sums are wanted; else their digest is enough. */
  readonly isSender: boolean;
};

/** "late": nobody waits for the result any more; "pending": others, or the provider, have to say the same first. */
export type Verdict = "accepted" | "pending" | "late";

const defaultPatience = 2_000;

/** What counts on the word of workers alone. */
type Taken = {
  readonly step: number;
  readonly chunk: number;
  readonly workers: readonly string[];
  readonly digest: string;
};

/**
 * A training session whose micro-batches strangers compute. The gradient of a step is a plain sum of integers, so who
 * computed which part, in which order and how often, changes no bit. A chunk counts when several workers give the same
 * bits for it. The provider adds up, makes the step, computes what they do not settle, and a share of what they agree on:
 * see `docs/jobs.md`, "Workers", for what that guarantees.
 */
export class ClusterSession implements TrainingSession {
  readonly program: Program;
  readonly sums: SumsForm;
  readonly #options: ClusterOptions;
  readonly #engine: ExecutorOptions;
  readonly #local: SumsSession;
  readonly #update: UpdateSession;
  readonly #board: Board;
  readonly #pace: Pace;
  readonly #now: () => number;
  readonly #snapshots: Snapshots;
  readonly #waiting = new Set<() => void>();
  #state: readonly Int32Array[] | undefined;
  #objects: Uint8Array | undefined;
  /** Absolute number of the step that is under way. */
  #step: number;
  /** Of the chunks that are done, and the witness of the last one. */
  #sums: readonly Float64Array[] = [];
  #witness: PartialSums["witness"] | undefined;
  /** What the call that is under way has taken unchecked. */
  #taken: Taken[] = [];
  /** Whether a worker was caught since the last look at what they gave before. */
  #hasCaught = false;
  /** The engine computes one thing at a time. */
  #busy: Promise<unknown> = Promise.resolve();
  #progress: (() => void) | undefined;
  #closed = false;
  /** Whether the provider goes on alone. */
  #isHurried = false;

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
    const { now = () => performance.now(), patience = defaultPatience, ownStep } = options;
    const { copies, checkShare } = options;
    this.#now = now;
    const pace = new Pace({ now, patience, ownStep });
    this.#pace = pace;
    // Where everything is checked, agreement adds nothing.
    this.#board = new Board({ now, patience, pace, copies: checkShare >= 1 ? 1 : copies });
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

  /** @throws TaintedRunError when workers were caught on whose word alone earlier calls took results */
  async run(inputs: readonly StepInput[]): Promise<StepOutput[]> {
    for (const input of inputs) checkStep(this.program, this.#engine, input);
    const first = this.#step;
    const states = [this.#current()];
    const outputs: StepOutput[] = [];
    this.#taken = [];
    try {
      for (;;) {
        const wrong = await this.#recheck(first, states, inputs);
        if (wrong !== undefined) {
          states.length = wrong + 1;
          outputs.length = wrong;
        }
        const at = outputs.length;
        if (at === inputs.length) break;
        const input = inputs[at]!;
        const state = states[at]!;
        this.#step = first + at;
        const { sums, witness } = await this.#makeStep(state, input);
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
      const objects = this.#isHurried ? undefined : this.#objects;
      const chunk = objects === undefined ? undefined : this.#board.take(worker);
      if (chunk !== undefined) {
        return {
          chunk: chunk.id,
          ...this.#snapshots.since(holds),
          objects: this.#part(objects!, chunk.index),
          isSender: chunk.sender === worker,
        };
      }
      await this.#wait(signal);
    }
  }

  /** Whether a worker was given a chunk of which it still has to say something. */
  wants(worker: string, id: number): boolean {
    const chunk = this.#board.find(id, worker);
    return chunk !== undefined && !chunk.done && !chunk.results.has(worker);
  }

  /** Results of a worker that are neither taken nor refused. */
  pending(worker: string): number {
    return this.#board.pending(worker);
  }

  /** Results that may still come in or be taken. */
  get outstanding(): number {
    return this.#board.outstanding;
  }

  /** Takes a result in. What it is worth is settled by others of the same chunk, or by the provider. */
  deliver(worker: string, id: number, result: Result): Verdict {
    const { records } = this.#options;
    const chunk = this.#board.find(id, worker);
    if (chunk === undefined || this.#isHurried || records.isBarred(worker)) return "late";
    const isWanted = this.wants(worker, id);
    if (isWanted && chunk.sender === worker && result.bytes === undefined) {
      // Its digest alone would be right, and have the provider compute the chunk and pay for it.
      this.#board.shirked(chunk, worker);
      this.#wake();
    } else if (isWanted) {
      this.#board.arrived(chunk, worker, result);
      if (this.#board.isAgreed(chunk) && !this.#isDrawn(chunk)) this.#agree(chunk);
      this.#progress?.();
      this.#wake();
    }
    if (!chunk.results.has(worker)) return "late";
    return chunk.done ? "accepted" : "pending";
  }

  /** A worker sent what no honest one sends. */
  refuse(worker: string): void {
    // There is no time any more to do again what it vouched for before, and nothing is taken from it any more.
    if (!this.#isHurried) this.#catch(worker);
  }

  /** A worker went away: what it had goes to others at once. */
  leave(worker: string): void {
    this.#board.leave(worker);
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
    const { signal, mustHurry } = this.#options;
    this.#snapshots.set(state);
    this.#objects = objects;
    this.#sums = this.sums.zero();
    const chunks = this.#engine.microBatches / this.#options.chunkSize;
    this.#pace.begin(chunks);
    this.#board.begin(chunks);
    this.#wake();
    while (!this.#board.isDone) {
      signal?.throwIfAborted();
      this.#isHurried ||= mustHurry?.(this.#step, this.#pace.ownStep) === true;
      const chunk = this.#board.orphan((one) => this.#isDrawn(one), this.#isHurried);
      if (chunk === undefined) await this.#pause();
      else await this.#judge(chunk, state, objects);
    }
    this.#pace.end();
    return { sums: this.#sums, witness: this.#witness! };
  }

  /** Takes what workers agree on, if it can be a result at all. */
  #agree(chunk: Chunk): void {
    const sent = [...chunk.results.values()].find(({ bytes }) => bytes !== undefined)!;
    let part: PartialSums;
    try {
      part = this.sums.decode(sent.bytes!);
    } catch (error) {
      if (!(error instanceof BadPartError)) throw error;
      // Nonsense is no digest of anything: who agrees on it is caught when the provider computes the chunk.
      for (const [worker, result] of chunk.results)
        chunk.results.set(worker, { ...result, bytes: undefined });
      return;
    }
    const workers = [...chunk.results.keys()];
    this.#taken.push({ step: this.#step, chunk: chunk.index, workers, digest: sent.digest });
    this.#add(chunk, part);
    this.#accept(workers, "agreed");
  }

  /** Computes a chunk here: whoever said the same is right. */
  async #judge(chunk: Chunk, state: readonly Int32Array[], objects: Uint8Array): Promise<void> {
    chunk.isOwn = true;
    const part = await this.#compute(state, this.#part(objects, chunk.index));
    // The workers may have been faster; what they agreed on counts, as they are paid for it.
    if (chunk.done) return;
    this.#add(chunk, part);
    if (chunk.results.size === 0) return;
    const own = this.sums.digest(this.sums.encode(part));
    for (const [worker, { digest }] of [...chunk.results]) {
      if (digest === own) this.#accept([worker], "checked");
      else this.#catch(worker);
    }
    // Whoever had as many results waiting as it may have has fewer now.
    this.#wake();
  }

  #add(chunk: Chunk, { sums, witness }: PartialSums): void {
    this.#board.settle(chunk);
    for (const [slot, sum] of this.#sums.entries()) addInto(sum, sums[slot]!);
    if ((chunk.index + 1) * this.#options.chunkSize === this.#engine.microBatches) this.#witness = witness;
  }

  #accept(workers: readonly string[], outcome: "agreed" | "checked"): void {
    const { records, observer } = this.#options;
    records.accepted(workers, this.#step, outcome === "checked");
    for (const _ of workers) observer?.result(outcome);
  }

  /**
   * Computes again what counts on the word of barred workers alone, from the first step of this call on.
   * @returns the place of the first step that has to be made again
   */
  async #recheck(
    first: number,
    states: readonly (readonly Int32Array[])[],
    inputs: readonly StepInput[],
  ): Promise<number | undefined> {
    if (!this.#hasCaught) return undefined;
    const { records } = this.#options;
    const before = records.tainted();
    if (before !== undefined && before < first) throw new TaintedRunError(before);
    this.#hasCaught = false;
    const suspects = this.#taken.filter(({ workers }) => workers.every((worker) => records.isBarred(worker)));
    for (const suspect of suspects) {
      const { step, chunk, digest } = suspect;
      const at = step - first;
      const own = await this.#compute(states[at]!, this.#part(inputs[at]!.objects, chunk));
      if (this.sums.digest(this.sums.encode(own)) !== digest) {
        this.#taken = this.#taken.filter((taken) => taken.step < step);
        this.#hasCaught = true;
        return at;
      }
      this.#taken = this.#taken.filter((taken) => taken !== suspect);
    }
    records.cleared(first);
    return undefined;
  }

  #catch(worker: string): void {
    const { records } = this.#options;
    this.#options.observer?.result("wrong");
    records.bar(worker);
    this.#hasCaught = true;
    this.#board.remove(worker);
    this.#wake();
    this.#progress?.();
  }

  /** Drawn from what workers do not know. */
  #isDrawn({ id }: Chunk): boolean {
    const { secret, checkShare } = this.#options;
    const digest = createHmac("sha256", secret).update(`${this.#step}:${id}`).digest();
    return digest.readUInt32LE(0) / 2 ** 32 < checkShare;
  }

  #compute(state: readonly Int32Array[], objects: Uint8Array): Promise<PartialSums> {
    this.#options.observer?.computed();
    const computed = this.#busy.then(async () => {
      const began = this.#now();
      const part = await this.#local.compute(state, objects);
      this.#pace.computed(this.#now() - began);
      return part;
    });
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
