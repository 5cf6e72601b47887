import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { trainJob } from "../jobs/job-run.ts";
import { makeMove } from "../jobs/mover.ts";
import { type OpenRun, OpenRuns } from "../jobs/open-runs.ts";

/** Plays the challenges that it has opened, from what is on chain and from its own run. */
export class Disputant implements Duty {
  readonly name = "disputing";
  readonly #parts: JobContext & ComputeParts;
  readonly #runs: OpenRuns;
  /** Runs that are known to have come to their end. */
  readonly #trained = new WeakSet<OpenRun>();

  constructor(parts: JobContext & ComputeParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const open = new Map(ledger.openJobs().map((job) => [job.jobId, job]));
    await this.#runs.closeAllBut(new Set(open.keys()));
    await forEach(ledger.openChallenges(), async (challenge) => {
      const job = open.get(challenge.jobId);
      if (job === undefined || challenge.challenger !== operator) return;
      if (turnOf(challenge) === "challenger") await this.#play(job, challenge, signal);
    });
  }

  close(): Promise<void> {
    return this.#runs.closeAllBut(new Set());
  }

  async #play(job: JobRecord, challenge: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const run = await this.#runs.get(job, signal);
    if (!this.#trained.has(run)) {
      await trainJob(this.#parts, run, { signal });
      this.#trained.add(run);
    }
    const player = {
      role: "challenger" as const,
      own: run.disputed,
      answers: challenge.answers,
    };
    if (await makeMove(this.#parts, challenge, player)) return;
    const { jobId, challengeId } = challenge;
    log.error({ jobId, challengeId }, "nothing that was posted in this challenge is wrong");
  }
}
