import type { PartialSums } from "../executors/parts.ts";

/** Some consecutive micro-batches of the step that is under way. */
export type Chunk = {
  /** Never used twice by one board. */
  readonly id: number;
  /** Position in its step. */
  readonly index: number;
  /** When each worker was given it, by worker. */
  readonly given: Map<string, number>;
  /** When it was put up. */
  readonly since: number;
  /** A result is being checked: nobody else needs to compute it. */
  checking: boolean;
  done?: Outcome;
};

export type Outcome = {
  readonly part: PartialSums;
  /** Who computed it; undefined for the provider itself. */
  readonly worker?: string;
  readonly checked: boolean;
};

export type BoardOptions = {
  /** Milliseconds; a parameter so that tests need not wait. */
  readonly now: () => number;
  /** Milliseconds that any worker gets for a chunk at least. */
  readonly patience: number;
};

/** A chunk goes to another worker when it takes this many times the mean. */
const slowFactor = 3;
/** Workers that one chunk is given to at most. */
const mostGiven = 3;
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

  get chunks(): readonly Chunk[] {
    return this.#chunks;
  }

  /** Puts up the chunks of a step. Those of the step before count no more. */
  begin(count: number): void {
    const since = this.#options.now();
    this.#chunks = Array.from({ length: count }, (_, index) => {
      return { id: this.#next++, index, given: new Map(), since, checking: false };
    });
  }

  /** Notes a sign of life. */
  greet(worker: string): void {
    this.#seen.set(worker, this.#options.now());
  }

  /** What this worker should compute; undefined while there is nothing for it. */
  take(worker: string): Chunk | undefined {
    const now = this.#options.now();
    this.greet(worker);
    // Whoever asks for work has none.
    this.release(worker);
    const open = this.#chunks.filter((chunk) => chunk.done === undefined && !chunk.checking);
    const chunk =
      open.find(({ given }) => given.size === 0) ??
      open.find((late) => late.given.size < mostGiven && this.#isLate(late, now));
    chunk?.given.set(worker, now);
    return chunk;
  }

  /** The chunk that a worker was given and nobody has done yet. */
  find(id: number, worker: string): Chunk | undefined {
    const chunk = this.#chunks.find((one) => one.id === id);
    if (chunk === undefined || chunk.done !== undefined || chunk.checking) return undefined;
    return chunk.given.has(worker) ? chunk : undefined;
  }

  /** Notes that a worker has come with a result, and how long it took. */
  arrived(chunk: Chunk, worker: string): void {
    this.greet(worker);
    const time = this.#options.now() - chunk.given.get(worker)!;
    this.#mean = this.#mean === undefined ? time : this.#mean * (1 - memory) + time * memory;
  }

  /** Takes back what a worker has not done: it is gone, or asks for something else. */
  release(worker: string): void {
    for (const { given, done } of this.#chunks) if (done === undefined) given.delete(worker);
  }

  /** Forgets a worker altogether. */
  remove(worker: string): void {
    this.release(worker);
    this.#seen.delete(worker);
  }

  /**
   * What no worker can be expected to do: the provider computes it itself. However workers behave, every chunk ends up here
   * after some time.
   */
  orphan(): Chunk | undefined {
    const now = this.#options.now();
    const limit = this.#limit();
    const alone = [...this.#seen.values()].every((seen) => now - seen > this.#options.patience);
    return this.#chunks.find((chunk) => {
      if (chunk.done !== undefined || chunk.checking) return false;
      if (now - chunk.since > patientTurns * limit) return true;
      const given = [...chunk.given.values()];
      if (alone) return this.#isLate(chunk, now);
      return given.length > 0 && given.every((since) => now - since > 2 * limit);
    });
  }

  /** Milliseconds until a chunk may be late. */
  get pause(): number {
    return Math.max(1, Math.ceil(this.#limit() / 4));
  }

  #isLate({ given }: Chunk, now: number): boolean {
    return [...given.values()].every((since) => now - since > this.#limit());
  }

  #limit(): number {
    const { patience } = this.#options;
    return Math.min(Math.max(patience, slowFactor * (this.#mean ?? 0)), mostPatience * patience);
  }
}
