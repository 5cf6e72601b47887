/** What a provider remembers of the workers of one job, over restarts. */
export interface WorkerRecords {
  isBarred(worker: string): boolean;
  bar(worker: string): void;
  /**
   * A result was taken: it is owed for to each of these from now on.
   * @param isChecked whether the provider has computed it as well; else it counts on the word of these workers alone
   */
  accepted(workers: readonly string[], step: number, isChecked: boolean): void;
  /** First step with a result that counts on the word of barred workers alone; undefined when there is none. */
  tainted(): number | undefined;
  /** Results from this step on that counted on the word of barred workers were computed again. */
  cleared(step: number): void;
}

/** Records that end with the process. */
export class MemoryRecords implements WorkerRecords {
  readonly #barred = new Set<string>();
  /** First step that counts on their word, by workers. */
  readonly #vouched = new Map<string, { workers: readonly string[]; step: number }>();
  /** Results taken, by worker. */
  readonly taken = new Map<string, number>();

  isBarred(worker: string): boolean {
    return this.#barred.has(worker);
  }

  bar(worker: string): void {
    this.#barred.add(worker);
  }

  accepted(workers: readonly string[], step: number, isChecked: boolean): void {
    for (const worker of workers) this.taken.set(worker, (this.taken.get(worker) ?? 0) + 1);
    if (isChecked) return;
    const key = [...workers].sort().join();
    const first = this.#vouched.get(key)?.step ?? step;
    this.#vouched.set(key, { workers, step: Math.min(step, first) });
  }

  tainted(): number | undefined {
    const steps = this.#suspects().map(([, { step }]) => step);
    return steps.length === 0 ? undefined : Math.min(...steps);
  }

  cleared(from: number): void {
    for (const [key, { step }] of this.#suspects()) if (step >= from) this.#vouched.delete(key);
  }

  #suspects() {
    return [...this.#vouched].filter(([, { workers }]) => workers.every((worker) => this.isBarred(worker)));
  }
}
