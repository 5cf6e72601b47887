/**
 * Milliseconds that a process gets for a proof at least. A proof takes 6 to 8 s on two quiet cores (bench/RESULTS.md) and was seen
 * to take over a minute where others kept them busy: this is four times as much. Audits are answered within an hour: two processes
 * that hang one after the other cost a quarter of that, and leave the rest to the proof.
 */
const leastTime = 300_000;

/** Milliseconds after which a proof answers no audit any more: the window for answers of an epoch. */
const mostTime = 3_600_000;

/** How many times what proofs were measured to take one may take. */
const slack = 4;

/** Proofs whose times are remembered: a machine that was busy once is not busy for ever. */
const remembered = 8;

/**
 * How long proofs of one circuit may take before their process counts as hanging. Proofs are slow where a machine is small and
 * busy, and to end one that would have been made helps nobody: the limit follows the slowest of the proofs that were made lately,
 * and doubles each time that it was not enough, until one is made. So no proof that can be made within the window of an audit is
 * ended again and again.
 */
export class TimeLimit {
  readonly #least: number;
  readonly #measured: number[] = [];
  #overruns = 0;

  /** @param least milliseconds that are given whatever was measured */
  constructor(least: number = leastTime) {
    this.#least = least;
  }

  /** Milliseconds for the next proof, from the moment that its process is asked for it. */
  get milliseconds(): number {
    const usual = Math.max(this.#least, slack * Math.max(0, ...this.#measured));
    return Math.min(usual * 2 ** this.#overruns, mostTime);
  }

  /** A proof was made in time, in so many milliseconds. */
  made(milliseconds: number): void {
    this.#overruns = 0;
    this.#measured.push(milliseconds);
    if (this.#measured.length > remembered) this.#measured.shift();
  }

  /** A process had its time and gave no answer. */
  overrun(): void {
    this.#overruns++;
  }
}
