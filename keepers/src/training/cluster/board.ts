import { randomInt } from "node:crypto";
import { mayBeOne } from "./names.ts";
import type { Pace } from "./pace.ts";
import { Rests } from "./rests.ts";

/** What a worker says that a chunk gives. */
export type Result = {
  /** SHA-256 of the sums in their one encoding, in 64 hexadecimal digits. */
  readonly digest: string;
  /** The encoding; of each chunk one worker sends it. */
  readonly bytes?: Uint8Array;
};

/** Some consecutive micro-batches of the step that is under way. */
export type Chunk = {
  /** Never used twice by one board. */
  readonly id: number;
  /** Position in its step. */
  readonly index: number;
  /** When each worker was given it, by worker. */
  readonly given: Map<string, number>;
  /** By worker; each of them was given it. */
  readonly results: Map<string, Result>;
  /** Who is to send the sums, and not their digest alone. */
  sender: string | undefined;
  /** Whether the provider computes it at the moment: nobody else is given it. */
  isOwn: boolean;
  done: boolean;
};

export type BoardOptions = {
  /** Workers that have to agree on a chunk. */
  readonly copies: number;
  /** Milliseconds; a parameter so that tests need not wait. */
  readonly now: () => number;
  /** Milliseconds since its last sign of life after which a worker counts as gone. */
  readonly patience: number;
  /** How long workers are waited for. */
  readonly pace: Pace;
};

/**
 * Results of a worker that may be undecided at a time. Half of that may wait for others; beyond, it gets only chunks that
 * its result makes complete.
 */
export const mostPending = 4;
/** Workers that one chunk is given to beyond its copies. */
const mostSpare = 2;
/** Workers whose last sign of life is remembered: several times as many as a provider has seats for. */
export const mostSeen = 1_024;

/** Who computes what of a step: first what nobody has, then what somebody is late with. */
export class Board {
  readonly #options: BoardOptions;
  #chunks: Chunk[] = [];
  #next = 0;
  /** When the step began, or the last result of it came. */
  #moved = 0;
  /** Last sign of life, by worker; the newest come last. */
  readonly #seen = new Map<string, number>();
  readonly #rests: Rests;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#rests = new Rests(options.now);
  }

  get isDone(): boolean {
    return this.#chunks.every(({ done }) => done);
  }

  /** Results that are under way or undecided. */
  get outstanding(): number {
    return this.#open().reduce((sum, { given }) => sum + given.size, 0);
  }

  /** Puts up the chunks of a step. Those of the step before count no more. */
  begin(count: number): void {
    this.#moved = this.#options.now();
    this.#rests.prune();
    this.#chunks = Array.from({ length: count }, (_, index) => ({
      id: this.#next++,
      index,
      given: new Map(),
      results: new Map(),
      sender: undefined,
      isOwn: false,
      done: false,
    }));
  }

  /** Workers that are remembered now. */
  get remembered(): number {
    return this.#seen.size;
  }

  /** Notes a sign of life. */
  greet(worker: string): void {
    // Set again, so that the map's order is that of the last sign. Names are free, and not all that go away say so.
    this.#seen.delete(worker);
    this.#seen.set(worker, this.#options.now());
    if (this.#seen.size > mostSeen) this.#seen.delete(this.#seen.keys().next().value!);
  }

  /** What this worker should compute; undefined while there is nothing for it. Whoever asks again has lost the answer. */
  take(worker: string): Chunk | undefined {
    this.greet(worker);
    const open = this.#open();
    const own = open.find(({ given, results }) => given.has(worker) && !results.has(worker));
    if (own !== undefined) return own;
    const chunk = this.#rests.rests(worker) ? undefined : this.#choose(worker, open);
    if (chunk === undefined) return undefined;
    chunk.given.set(worker, this.#options.now());
    if (chunk.sender === undefined || this.#isOverdue(chunk, chunk.sender)) chunk.sender = worker;
    return chunk;
  }

  /** The chunk that a worker was given, in the step that is under way. */
  find(id: number, worker: string): Chunk | undefined {
    return this.#chunks.find((chunk) => chunk.id === id && chunk.given.has(worker));
  }

  /** Results of a worker that are undecided. */
  pending(worker: string): number {
    return this.#open().filter(({ results }) => results.has(worker)).length;
  }

  /** Notes that a worker has come with a result, and how long it took. */
  arrived(chunk: Chunk, worker: string, result: Result): void {
    const { now, pace } = this.#options;
    this.greet(worker);
    if (this.#isOverdue(chunk, worker)) this.#rests.missed(worker, pace.limit);
    else this.#rests.kept(worker);
    pace.delivered(worker, now() - chunk.given.get(worker)!);
    this.#moved = now();
    chunk.results.set(worker, result);
  }

  /** A worker that was to send the sums of a chunk brought none: as good as late, and others have it. */
  shirked(chunk: Chunk, worker: string): void {
    this.greet(worker);
    this.#rests.missed(worker, this.#options.pace.limit);
    this.#release(chunk, worker);
  }

  /** Nothing more is wanted of a chunk: who was given it and is late with it has held it up. */
  settle(chunk: Chunk): void {
    chunk.done = true;
    for (const worker of chunk.given.keys()) this.#blame(chunk, worker);
  }

  /** Whether as many workers as have to say the same of a chunk, and one of them has sent it. */
  isAgreed({ results }: Chunk): boolean {
    const all = [...results.values()];
    return (
      all.length >= this.#options.copies &&
      all.some(({ bytes }) => bytes !== undefined) &&
      all.every(({ digest }) => digest === all[0]!.digest)
    );
  }

  /** A worker is gone: what it has not done is taken back, what it brought counts. */
  leave(worker: string): void {
    for (const chunk of this.#open()) {
      if (!chunk.given.has(worker) || chunk.results.has(worker)) continue;
      this.#blame(chunk, worker);
      this.#release(chunk, worker);
    }
    this.#forget(worker);
  }

  /** Forgets a worker altogether. */
  remove(worker: string): void {
    for (const chunk of this.#open()) {
      chunk.results.delete(worker);
      this.#release(chunk, worker);
    }
    this.#forget(worker);
  }

  /**
   * What the provider should compute itself: what workers cannot settle between them or are late with; what nobody is at, once
   * they are slow to come for it, so that its engine does not stand still beside work that it could do; and anything at all when
   * it waits no more. However workers behave, every chunk is settled by them or ends up here in a bounded time.
   * @param isDrawn whether a chunk that workers agree on is to be checked
   * @param isHurried whether nobody is waited for
   */
  orphan(isDrawn: (chunk: Chunk) => boolean, isHurried: boolean): Chunk | undefined {
    const { now, pace, patience } = this.#options;
    const open = this.#open();
    const stuck = open.find((chunk) => chunk.results.size > 0 && this.#isStuck(chunk, isDrawn));
    if (stuck !== undefined) return stuck;
    const late = open.find((chunk) => this.#isHeld(chunk) && this.#isLate(chunk));
    if (late !== undefined) return late;
    const isAlone = [...this.#seen].every(([worker, at]) => {
      return now() - at > patience || this.#rests.rests(worker);
    });
    const waits = !isHurried && !pace.isOverdrawn;
    // The last ones: workers are given any, and where they are as quick they come first.
    const free = open.findLast((chunk) => !this.#isHeld(chunk));
    if (free !== undefined && (!waits || isAlone || now() - this.#moved > pace.quiet)) return free;
    if (waits) return undefined;
    // Of what workers have the oldest: what comes yet is likelier to be among the others.
    const lastGiven = ({ given }: Chunk) => Math.max(...given.values());
    return open.reduce((one, other) => (lastGiven(other) < lastGiven(one) ? other : one));
  }

  /** Milliseconds until something may be late. */
  get pause(): number {
    const { limit, quiet } = this.#options.pace;
    return Math.max(1, Math.ceil(Math.min(limit, quiet) / 4));
  }

  #open(): Chunk[] {
    return this.#chunks.filter(({ done }) => !done);
  }

  /** At random, so that workers which are in league do not choose where they meet. */
  #choose(worker: string, open: readonly Chunk[]): Chunk | undefined {
    const { copies } = this.#options;
    const pending = this.pending(worker);
    if (pending >= mostPending) return undefined;
    const free = open.filter(({ given, results, isOwn }) => {
      if (isOwn) return false;
      if (pending >= mostPending / 2 && results.size + 1 < copies) return false;
      return results.size < copies && ![...given.keys()].some((other) => mayBeOne(worker, other));
    });
    const wanted = free.filter(({ given }) => given.size < copies);
    const late = free.filter((chunk) => chunk.given.size < copies + mostSpare && this.#hasLate(chunk));
    const chosen = wanted.length > 0 ? wanted : late;
    return chosen.length === 0 ? undefined : chosen[randomInt(chosen.length)];
  }

  /** Whether results differ, or are complete and cannot be taken as they are, or nobody is there to complete them. */
  #isStuck(chunk: Chunk, isDrawn: (chunk: Chunk) => boolean): boolean {
    const { given, results } = chunk;
    const [first, ...others] = [...results.values()];
    if (others.some(({ digest }) => digest !== first!.digest)) return true;
    if (results.size >= this.#options.copies) return !this.isAgreed(chunk) || isDrawn(chunk);
    if (given.size > results.size) return false;
    return ![...this.#seen.keys()].some((other) => [...given.keys()].every((one) => !mayBeOne(one, other)));
  }

  #forget(worker: string): void {
    this.#seen.delete(worker);
    this.#options.pace.forget(worker);
  }

  #blame(chunk: Chunk, worker: string): void {
    if (this.#isOverdue(chunk, worker)) this.#rests.missed(worker, this.#options.pace.limit);
  }

  #release(chunk: Chunk, worker: string): void {
    chunk.given.delete(worker);
    if (chunk.sender === worker) chunk.sender = undefined;
  }

  #isOverdue({ given, results }: Chunk, worker: string): boolean {
    if (results.has(worker)) return false;
    return this.#options.now() - given.get(worker)! > this.#options.pace.limit;
  }

  #hasLate(chunk: Chunk): boolean {
    return [...chunk.given.keys()].some((worker) => this.#isOverdue(chunk, worker));
  }

  /** Whether a worker has it and has not come back with it. */
  #isHeld({ given, results }: Chunk): boolean {
    return given.size > results.size;
  }

  /** Whether all who have it are late. */
  #isLate(chunk: Chunk): boolean {
    const { given, results } = chunk;
    return [...given.keys()].every((worker) => results.has(worker) || this.#isOverdue(chunk, worker));
  }
}
