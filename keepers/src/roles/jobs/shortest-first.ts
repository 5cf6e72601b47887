/** Does a part of some work when nothing else is done. */
export type InTurn = <T>(part: () => Promise<T>) => Promise<T>;

type Entered = { readonly cost: number; begin: (() => void) | undefined };

/**
 * Does one part of some work at a time, first of what takes least: what takes long stands still while something shorter is
 * there, and goes on from where it was.
 */
export class ShortestFirst {
  /** In the order in which they came. */
  readonly #entered = new Set<Entered>();
  #isBusy = false;

  /** @param cost of all of the work's parts; only parts wait for others, and others for them */
  async run<T>(cost: number, work: (inTurn: InTurn) => Promise<T>): Promise<T> {
    const own: Entered = { cost, begin: undefined };
    this.#entered.add(own);
    try {
      return await work((part) => this.#do(own, part));
    } finally {
      this.#entered.delete(own);
      this.#next();
    }
  }

  async #do<T>(own: Entered, part: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      own.begin = begin;
      this.#next();
    });
    try {
      return await part();
    } finally {
      this.#isBusy = false;
      this.#next();
    }
  }

  #next(): void {
    if (this.#isBusy) return;
    const [least] = [...this.#entered].sort((a, b) => a.cost - b.cost);
    // Between two of its parts it is waited for: else others would take every second turn.
    if (least?.begin === undefined) return;
    const { begin } = least;
    least.begin = undefined;
    this.#isBusy = true;
    begin();
  }
}
