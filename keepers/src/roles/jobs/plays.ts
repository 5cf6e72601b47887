import type { ChallengeRecord } from "./challenge-record.ts";
import { forEach } from "./each.ts";
import { SideBySide, type SideBySideOptions } from "./side-by-side.ts";

/** Jobs whose disputes are played at once: each has its dataset in memory, and maybe an engine. */
export const playsOfADuty = 4;

/**
 * Plays the disputes of several jobs side by side, those of one job one after another. A move whose data does not arrive, or that
 * takes long to compute, holds up none of another job; what was played longest ago comes first.
 */
export class Plays<Record extends Pick<ChallengeRecord, "jobId">> {
  readonly #works: SideBySide<bigint>;
  /** What ends the work on a job that is under way; the job that was begun longest ago comes first. */
  readonly #begun = new Map<bigint, AbortController>();

  constructor({ patience }: Pick<SideBySideOptions, "patience"> = {}) {
    this.#works = new SideBySide({ most: playsOfADuty, patience });
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
    due: readonly Record[],
    play: (dispute: Record, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const jobs = Map.groupBy(due, ({ jobId }) => jobId);
    for (const [jobId, controller] of this.#begun) {
      if (jobs.has(jobId)) continue;
      controller.abort(new Error("it is over"));
      this.#begun.delete(jobId);
    }
    const waiting = [...jobs.keys()].filter((jobId) => !this.#works.has(jobId));
    const order = [...this.#begun.keys()];
    waiting.sort((a, b) => order.indexOf(a) - order.indexOf(b));
    for (const jobId of waiting.slice(0, this.#works.room)) {
      const over = new AbortController();
      this.#begun.delete(jobId);
      this.#begun.set(jobId, over);
      const ends = AbortSignal.any([signal, over.signal]);
      this.#works.begin(jobId, async () => {
        try {
          await forEach(jobs.get(jobId)!, (dispute) => play(dispute, ends));
        } catch (error) {
          if (!over.signal.aborted || signal.aborted) throw error;
        }
      });
    }
    await this.#works.look();
  }

  /** Waits until nothing is under way, once the signal of the rounds has ended it. */
  settled(): Promise<void> {
    return this.#works.settled();
  }
}
