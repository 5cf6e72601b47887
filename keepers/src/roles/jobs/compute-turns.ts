import type { JobContext } from "./duty.ts";
import type { InTurn } from "./shortest-first.ts";

/** What is to be computed for a dispute. */
export type Turn = {
  /** Chain second by which it has to be posted. */
  readonly deadline: bigint;
  /** The run that it is computed from. Closed, it opens its engine again when it computes again. */
  readonly run: { close(): Promise<void> };
  /** Ends the wait; work that has begun looks at it itself. */
  readonly signal: AbortSignal;
};

type Waiting = { readonly deadline: bigint; readonly begin: () => void };

/**
 * Computes one thing at a time, first what is due first. Disputes wait side by side for data and for each other's moves, but each
 * of their programs may take all the memory that one may: only the run that computed last keeps its engine open.
 */
export class ComputeTurns {
  readonly #log: Pick<JobContext["log"], "warn">;
  readonly #waiting = new Set<Waiting>();
  #isBusy = false;
  #last: Turn["run"] | undefined;

  /** @param log is told of engines that do not close */
  constructor(log: Pick<JobContext["log"], "warn">) {
    this.#log = log;
  }

  /** What does each part of some work when it is its turn. It throws the reason of the signal before a part has begun. */
  of(turn: Turn): InTurn {
    return (part) => this.#take(turn, part);
  }

  async #take<T>(turn: Turn, part: () => Promise<T>): Promise<T> {
    await this.#wait(turn);
    try {
      if (this.#last !== turn.run) {
        const before = this.#last;
        this.#last = turn.run;
        await this.#rest(before);
      }
      return await part();
    } finally {
      this.#isBusy = false;
      this.#next();
    }
  }

  /** An engine that fails to close concerns its own run, and not the work that comes after it. */
  async #rest(run: Turn["run"] | undefined): Promise<void> {
    try {
      await run?.close();
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, "the engine of a dispute did not close");
    }
  }

  #wait({ deadline, signal }: Turn): Promise<void> {
    return new Promise((done, failed) => {
      signal.throwIfAborted();
      const stop = () => {
        this.#waiting.delete(waiting);
        failed(signal.reason);
      };
      const begin = () => {
        signal.removeEventListener("abort", stop);
        done();
      };
      const waiting = { deadline, begin };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.add(waiting);
      this.#next();
    });
  }

  #next(): void {
    if (this.#isBusy) return;
    const [first] = [...this.#waiting].sort((a, b) => Number(a.deadline - b.deadline));
    if (first === undefined) return;
    this.#waiting.delete(first);
    this.#isBusy = true;
    first.begin();
  }
}
