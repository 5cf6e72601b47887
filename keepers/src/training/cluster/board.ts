import { randomInt } from "node:crypto";
import { mayBeOne } from "./names.ts";

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
  /** When it was put up. */
  readonly since: number;
  /** Who is to send the sums, and not their digest alone. */
  sender: string | undefined;
  done: boolean;
};

export type BoardOptions = {
  /** Workers that have to agree on a chunk. */
  readonly copies: number;
  /** Milliseconds; a parameter so that tests need not wait. */
  readonly now: () => number;
  /** Milliseconds that any worker gets for a chunk at least. */
  readonly patience: number;
};

/**
 * Results of a worker that may be undecided at a time. Half of that may wait for others; beyond, it gets only chunks that
 * its result makes complete.
 */
export const mostPending = 4;
/** A chunk goes to another worker when it takes this many times the mean. */
const slowFactor = 3;
/** Workers that one chunk is given to beyond its copies. */
const mostSpare = 2;
/** The limit is at most this many times the patience: workers that slow down together cannot raise it for ever. */
const mostPatience = 30;
/** Limits after which a chunk is the provider's, whoever says to be at it. */
const patientTurns = 6;
/** Part that the newest time has in the mean. */
const memory = 0.1;

/** Who computes what of a step: first what nobody has, then what somebody is late with. */
export class Board {
  readonly #options: BoardOptions;
  #chunks: Chunk[] = [];
  #next = 0;
  #mean: number | undefined;
  /** Last sign of life, by worker. */
  readonly #seen = new Map<string, number>();

  constructor(options: BoardOptions) {
    this.#options = options;
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
    const since = this.#options.now();
    this.#chunks = Array.from({ length: count }, (_, index) => ({
      id: this.#next++,
      index,
      given: new Map(),
      results: new Map(),
      since,
      sender: undefined,
      done: false,
    }));
  }

  /** Notes a sign of life. */
  greet(worker: string): void {
    this.#seen.set(worker, this.#options.now());
  }

  /** What this worker should compute; undefined while there is nothing for it. Whoever asks again has lost the answer. */
  take(worker: string): Chunk | undefined {
    this.greet(worker);
    const open = this.#open();
    const own = open.find(({ given, results }) => given.has(worker) && !results.has(worker));
    if (own !== undefined) return own;
    const chunk = this.#choose(worker, open);
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
    this.greet(worker);
    const time = this.#options.now() - chunk.given.get(worker)!;
    this.#mean = this.#mean === undefined ? time : this.#mean * (1 - memory) + time * memory;
    chunk.results.set(worker, result);
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
      if (!chunk.results.has(worker)) this.#release(chunk, worker);
    }
    this.#seen.delete(worker);
  }

  /** Forgets a worker altogether. */
  remove(worker: string): void {
    for (const chunk of this.#open()) {
      chunk.results.delete(worker);
      this.#release(chunk, worker);
    }
    this.#seen.delete(worker);
  }

  /**
   * What no workers can be expected to settle between them: the provider computes it itself. However workers behave, every
   * chunk is settled by them or ends up here after some time.
   * @param isDrawn whether a chunk that workers agree on is to be checked
   */
  orphan(isDrawn: (chunk: Chunk) => boolean): Chunk | undefined {
    const now = this.#options.now();
    const limit = this.#limit();
    const isAlone = [...this.#seen.values()].every((seen) => now - seen > this.#options.patience);
    return this.#open().find((chunk) => {
      const { given, results, since } = chunk;
      if (results.size > 0 && this.#isStuck(chunk, isDrawn)) return true;
      if (now - since > patientTurns * limit) return true;
      if (isAlone) return this.#isLate(chunk);
      return given.size > 0 && [...given.values()].every((at) => now - at > 2 * limit);
    });
  }

  /** Milliseconds until a chunk may be late. */
  get pause(): number {
    return Math.max(1, Math.ceil(this.#limit() / 4));
  }

  #open(): Chunk[] {
    return this.#chunks.filter(({ done }) => !done);
  }

  /** At random, so that workers which are in league do not choose where they meet. */
  #choose(worker: string, open: readonly Chunk[]): Chunk | undefined {
    const { copies } = this.#options;
    const pending = this.pending(worker);
    if (pending >= mostPending) return undefined;
    const free = open.filter(({ given, results }) => {
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

  #release(chunk: Chunk, worker: string): void {
    chunk.given.delete(worker);
    if (chunk.sender === worker) chunk.sender = undefined;
  }

  #isOverdue({ given, results }: Chunk, worker: string): boolean {
    if (results.has(worker)) return false;
    return this.#options.now() - given.get(worker)! > this.#limit();
  }

  #hasLate(chunk: Chunk): boolean {
    return [...chunk.given.keys()].some((worker) => this.#isOverdue(chunk, worker));
  }

  /** Whether nobody is at it in time. */
  #isLate(chunk: Chunk): boolean {
    return [...chunk.given.keys()].every((worker) => this.#isOverdue(chunk, worker));
  }

  #limit(): number {
    const { patience } = this.#options;
    return Math.min(Math.max(patience, slowFactor * (this.#mean ?? 0)), mostPatience * patience);
  }
}
