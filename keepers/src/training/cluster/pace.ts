export type PaceOptions = {
  /** Milliseconds; a parameter so that tests need not wait. */
  readonly now: () => number;
  /** Milliseconds that are waited for a worker as long as the provider does not know how long itself takes. */
  readonly patience: number;
  /** Milliseconds that a step takes the provider alone, where that was measured; else it is learnt from what it computes. */
  readonly ownStep?: number;
};

/** A chunk is overdue when it takes this many times what the quickest worker takes: others can have it sooner. */
const slowFactor = 3;
/**
 * A chunk is overdue after this part of the provider's time for the whole step, however long workers take: half a step lost
 * for every step is the most that an order's time allows (`problemOfTime`), and a worker that much slower helps little.
 */
const stepShare = 1 / 2;
/** But a worker may be half as quick as the provider: a step may have two chunks, or one. */
const leastSpeed = 1 / 2;
/** Milliseconds that any chunk gets: a round trip around the world, and some hundred kilobytes over a home line. */
const leastWait = 500;
/** The provider begins with chunks that nobody has when no result has come for this many of its own times for a chunk… */
const quietFactor = 2;
/** … and this many milliseconds: round trips are no silence, where chunks take less. */
const leastQuiet = 100;
/**
 * Part of the provider's own time that workers may cost it in the long run: well below the half at which a job would be late
 * that its provider has just time enough for.
 */
export const lossShare = 1 / 4;
/**
 * Milliseconds that they may cost it beyond that: otherwise the first hiccup would cost honest workers their chunks. However
 * short a job is, the time beside its steps (`problemOfTime`) covers it.
 */
export const mostCredit = 5_000;
/** Patience after which a step is the provider's, as long as it does not know how long itself takes. */
const blindTurns = 2;
/** Part that the newest time has in a mean. */
const memory = 0.1;

const mean = (before: number | undefined, time: number) =>
  before === undefined ? time : before * (1 - memory) + time * memory;

/**
 * How long a provider waits for workers. What it computes itself is the measure, as no worker can lengthen that; the times of
 * workers only shorten it. Whatever workers do, together they cost it no more than a part of its own time: it keeps an
 * account of what it has lost, and waits for nobody while that is overdrawn.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #step: number | undefined;
  /** The provider's own milliseconds for a chunk. */
  #own: number | undefined;
  /** Mean time for a chunk, by worker. */
  readonly #means = new Map<string, number>();
  /** Least of them. */
  #quickest: number | undefined;
  /** Milliseconds that may still be lost. */
  #credit = mostCredit;
  #chunks = 1;
  #began = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#step = options.ownStep;
  }

  /** Milliseconds that a step takes the provider alone; undefined while it does not know. */
  get ownStep(): number | undefined {
    return this.#own === undefined ? this.#step : this.#own * this.#chunks;
  }

  /** A step begins, cut into so many chunks. */
  begin(chunks: number): void {
    this.#chunks = chunks;
    this.#began = this.#options.now();
  }

  /** The step is done: what it took beyond the provider's own time is lost, and a part of that time is granted anew. */
  end(): void {
    const own = this.ownStep;
    if (own === undefined) return;
    const lost = this.#elapsed - own;
    this.#credit = Math.min(mostCredit, this.#credit + lossShare * own - lost);
  }

  /** The provider took so long for a chunk. */
  computed(time: number): void {
    this.#own = mean(this.#own ?? this.#ownChunk, time);
  }

  /** A worker took so long for a chunk. */
  delivered(worker: string, time: number): void {
    this.#means.set(worker, mean(this.#means.get(worker), time));
    this.#quickest = Math.min(...this.#means.values());
  }

  /** What a worker took says nothing any more. */
  forget(worker: string): void {
    this.#means.delete(worker);
    this.#quickest = this.#means.size === 0 ? undefined : Math.min(...this.#means.values());
  }

  /** Milliseconds after which a chunk is overdue. */
  get limit(): number {
    const { patience } = this.#options;
    const [own, step] = [this.#ownChunk, this.ownStep];
    if (own === undefined || step === undefined) return patience;
    const fair = own / leastSpeed;
    const most = Math.max(leastWait, stepShare * step, fair);
    if (this.#quickest === undefined) return most;
    return Math.min(most, Math.max(patience, fair, slowFactor * this.#quickest));
  }

  /** Milliseconds without a result after which the provider begins with chunks that nobody has. */
  get quiet(): number {
    const own = this.#ownChunk;
    return own === undefined ? this.#options.patience : Math.max(leastQuiet, quietFactor * own);
  }

  /** Whether workers have cost as much as they may: the provider does whatever is left as if there were none. */
  get isOverdrawn(): boolean {
    const own = this.ownStep;
    if (own === undefined) return this.#elapsed > blindTurns * this.#options.patience;
    return this.#credit <= 0 || this.#elapsed > own + this.#credit;
  }

  get #ownChunk(): number | undefined {
    return this.#own ?? (this.#step === undefined ? undefined : this.#step / this.#chunks);
  }

  get #elapsed(): number {
    return this.#options.now() - this.#began;
  }
}
