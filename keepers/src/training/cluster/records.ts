/** What a provider remembers of the workers of one job, over restarts. */
export interface WorkerRecords {
  isBarred(worker: string): boolean;
  bar(worker: string): void;
  /** First step of which a result of the worker was taken unchecked; undefined when every one was checked. */
  firstUnchecked(worker: string): number | undefined;
  /** A result was taken: it is owed for from now on. */
  accepted(worker: string, step: number, checked: boolean): void;
}

/** Records that end with the process. */
export class MemoryRecords implements WorkerRecords {
  readonly #barred = new Set<string>();
  readonly #unchecked = new Map<string, number>();
  /** Results taken, by worker. */
  readonly taken = new Map<string, number>();

  isBarred(worker: string): boolean {
    return this.#barred.has(worker);
  }

  bar(worker: string): void {
    this.#barred.add(worker);
  }

  firstUnchecked(worker: string): number | undefined {
    return this.#unchecked.get(worker);
  }

  accepted(worker: string, step: number, checked: boolean): void {
    this.taken.set(worker, (this.taken.get(worker) ?? 0) + 1);
    if (!checked) this.#unchecked.set(worker, Math.min(step, this.#unchecked.get(worker) ?? step));
  }
}
