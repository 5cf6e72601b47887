import { randomBytes } from "node:crypto";
import { bytesToHex, type Hex } from "viem";
import { type Checkable, chooseJobs } from "../../core/market/choose-jobs.ts";
import type { State } from "../../storage/state/state.ts";

/** Which jobs this challenger looks at, and what it found. */
export const watchSchema = {
  name: "challenger",
  migrations: [
    `CREATE TABLE challenger_seed (seed TEXT NOT NULL) STRICT;
     CREATE TABLE challenger_jobs (
       job_id TEXT PRIMARY KEY,
       cost REAL NOT NULL,
       verdict TEXT NOT NULL CHECK (verdict IN ('open', 'skipped', 'right', 'wrong', 'unreadable'))
     ) STRICT;`,
    // What did not fit the budget at first sight was never looked at again.
    "DELETE FROM challenger_jobs WHERE verdict = 'skipped'",
  ],
} as const;

/** What a look at a job has come to. */
export type Verdict = "open" | "skipped" | "right" | "wrong" | "unreadable";

/**
 * The jobs that are looked at, within a budget; what was decided stays decided. What does not fit beside the others waits until it
 * does, as long as it can be challenged: anybody can have jobs committed to that take the budget up for a while.
 */
export class WatchList {
  readonly #state: State;
  readonly #seed: Hex;

  constructor(state: State) {
    this.#state = state;
    const known = state.get("SELECT seed FROM challenger_seed")?.seed as Hex | undefined;
    this.#seed = known ?? bytesToHex(randomBytes(32));
    if (known === undefined) state.run("INSERT INTO challenger_seed (seed) VALUES (?)", this.#seed);
  }

  verdict(jobId: bigint): Verdict | undefined {
    const row = this.#state.get("SELECT verdict FROM challenger_jobs WHERE job_id = ?", String(jobId));
    return row?.verdict as Verdict | undefined;
  }

  /**
   * Takes up new jobs as far as the budget reaches beside those that are being looked at.
   *
   * @param jobs all that can be looked at: any other one takes up no room, whatever became of it
   */
  add(jobs: readonly Checkable[], budget: number): void {
    const fresh = jobs.filter(({ jobId }) => this.verdict(jobId) === undefined);
    if (fresh.length === 0) return;
    const busy = jobs
      .filter(({ jobId }) => this.verdict(jobId) === "open")
      .reduce((sum, { cost }) => sum + cost, 0);
    const chosen = new Set(chooseJobs(fresh, budget - busy, this.#seed, budget));
    this.#state.transaction(() => {
      for (const { jobId, cost } of fresh) {
        if (!chosen.has(jobId)) continue;
        this.#state.run(
          "INSERT INTO challenger_jobs (job_id, cost, verdict) VALUES (?, ?, 'open')",
          String(jobId),
          cost,
        );
      }
    });
  }

  decide(jobId: bigint, verdict: Verdict): void {
    this.#state.run("UPDATE challenger_jobs SET verdict = ? WHERE job_id = ?", verdict, String(jobId));
  }
}
