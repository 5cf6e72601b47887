import type { ChallengeRecord } from "./challenge-record.ts";
import type { JobContext } from "./duty.ts";
import { SideBySide, type SideBySideOptions } from "./side-by-side.ts";

/** Jobs whose disputes are played at once: each has its dataset in memory. */
export const playsOfADuty = 4;
/** Milliseconds for which a job comes behind others after a failure, at least; else for as long as what failed took. */
const leastPause = 60_000;
/** Deadlines that are read in one round: whoever challenges says how many there are. */
const mostRead = 64;

export type PlaysParts = Pick<SideBySideOptions, "patience"> & Pick<JobContext, "contracts" | "log">;

export type PlayOptions = {
  /** Chain second by which the move has to be posted. */
  readonly deadline: bigint;
  /** Ends the work when nothing of its job is due any more. */
  readonly signal: AbortSignal;
};

type Dispute = Pick<ChallengeRecord, "jobId" | "game" | "challengeId" | "moves" | "graceEnds">;

/**
 * Plays the disputes of several jobs side by side, those of one job one after another: of all that are due, the one whose deadline
 * is nearest. A move whose data does not arrive holds up none of another job, and comes behind those for a while.
 */
export class Plays<D extends Dispute> {
  readonly #parts: PlaysParts;
  readonly #works: SideBySide<number>;
  /** Deadlines by round of a dispute, as the chain gave them. */
  readonly #deadlines = new Map<string, bigint>();
  /** Until when a job whose last move failed comes behind others, on the clock of the process. */
  readonly #behind = new Map<bigint, number>();
  /** What ends the work on a job that is under way. */
  readonly #playing = new Map<bigint, AbortController>();
  #due: D[] = [];

  constructor(parts: PlaysParts) {
    this.#parts = parts;
    this.#works = new SideBySide({ most: playsOfADuty, patience: parts.patience });
  }

  /**
   * Begins what there is room for, and waits for what is under way as long as patience goes. Work on a job of which nothing is due
   * any more is ended.
   *
   * @param due disputes in which this account is to move
   * @param play makes one move
   * @throws the first failure since the last round
   */
  async round(
    due: readonly D[],
    play: (dispute: D, options: PlayOptions) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const jobs = new Set(due.map(({ jobId }) => jobId));
    for (const [jobId, controller] of this.#playing) {
      if (!jobs.has(jobId)) controller.abort(new Error("it is over"));
    }
    for (const jobId of this.#behind.keys()) if (!jobs.has(jobId)) this.#behind.delete(jobId);
    await this.#readDeadlines(due);
    this.#due = [...due];
    for (let slot = 0; slot < playsOfADuty; slot++) this.#works.begin(slot, () => this.#serve(play, signal));
    await this.#works.look();
  }

  /** Waits until nothing is under way, once the signal of the rounds has ended it. */
  settled(): Promise<void> {
    return this.#works.settled();
  }

  /** @throws the first failure, once nothing is left to play */
  async #serve(
    play: (dispute: D, options: PlayOptions) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const failures: unknown[] = [];
    while (!signal.aborted) {
      const dispute = this.#take();
      if (dispute === undefined) break;
      const { jobId } = dispute;
      const over = new AbortController();
      this.#playing.set(jobId, over);
      const begun = performance.now();
      try {
        await play(dispute, {
          deadline: this.#deadlineOf(dispute),
          signal: AbortSignal.any([signal, over.signal]),
        });
        this.#behind.delete(jobId);
      } catch (error) {
        if (over.signal.aborted && !signal.aborted) continue;
        const now = performance.now();
        this.#behind.set(jobId, now + Math.max(leastPause, now - begun));
        failures.push(error);
      } finally {
        this.#playing.delete(jobId);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The next one of a job that nothing else is played of. */
  #take(): D | undefined {
    const free = this.#due.filter(({ jobId }) => !this.#playing.has(jobId));
    const now = performance.now();
    const behind = ({ jobId }: D) => (now < (this.#behind.get(jobId) ?? now) ? 1 : 0);
    const [next] = free.sort(
      (a, b) => behind(a) - behind(b) || Number(this.#deadlineOf(a) - this.#deadlineOf(b)),
    );
    if (next !== undefined) this.#due = this.#due.filter((each) => each !== next);
    return next;
  }

  /** What nobody has told yet comes first: it may be due any moment. */
  #deadlineOf(dispute: D): bigint {
    return dispute.graceEnds ?? this.#deadlines.get(roundOf(dispute)) ?? 0n;
  }

  /** Where they cannot be read disputes are played all the same, in another order. */
  async #readDeadlines(due: readonly D[]): Promise<void> {
    const rounds = new Set(due.map(roundOf));
    for (const round of this.#deadlines.keys()) if (!rounds.has(round)) this.#deadlines.delete(round);
    const unknown = due.filter((each) => each.graceEnds === undefined && !this.#deadlines.has(roundOf(each)));
    const { contracts, log } = this.#parts;
    try {
      await Promise.all(
        unknown.slice(0, mostRead).map(async (dispute) => {
          const deadline = await contracts[dispute.game].read.deadlineOf([dispute.challengeId]);
          this.#deadlines.set(roundOf(dispute), deadline);
        }),
      );
    } catch (error) {
      log.warn({ reason: (error as Error).message }, "deadlines of disputes could not be read");
    }
  }
}

function roundOf({ game, challengeId, moves }: Dispute): string {
  return `${game}:${challengeId}:${moves}`;
}
