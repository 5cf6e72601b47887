import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { turnOf } from "../jobs/challenge-record.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { makeMove } from "../jobs/mover.ts";
import { OpenRuns, type OpenRunsParts, runsOfADuty } from "../jobs/open-runs.ts";

/** Answers the challenges of its jobs, from the folders of their runs. */
export class Defender implements Duty {
  readonly name = "defending";
  readonly #parts: OpenRunsParts;
  readonly #runs: OpenRuns;

  constructor(parts: OpenRunsParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts, runsOfADuty);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, log } = this.#parts;
    const open = new Map(ledger.openJobs().map((job) => [job.jobId, job]));
    const challenges = ledger
      .openChallenges()
      .filter((challenge) => challenge.claim.provider === operator && ledger.isBound(challenge));
    await this.#runs.closeAllBut(new Set([...open.keys(), ...challenges.map(({ jobId }) => jobId)]));
    await forEach(challenges, async (challenge) => {
      const { jobId, challengeId, claim } = challenge;
      // Of a job that has failed elsewhere, the bonds of other commitments are still at stake.
      const job = open.get(jobId) ?? ledger.job(jobId);
      if (job === undefined || turnOf(challenge) !== "provider") return;
      const { disputed } = await this.#runs.get(job, signal);
      const run = claimedPart(disputed, claim);
      if (await makeMove(this.#parts, challenge, { role: "provider", run })) return;
      log.error({ jobId, challengeId }, "nothing that was computed answers this challenge");
    });
  }

  close(): Promise<void> {
    return this.#runs.closeAllBut(new Set());
  }
}
