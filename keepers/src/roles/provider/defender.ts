import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeTurns } from "../jobs/compute-turns.ts";
import type { Duty } from "../jobs/duty.ts";
import { makeMove } from "../jobs/mover.ts";
import { OpenRuns, type OpenRunsParts } from "../jobs/open-runs.ts";
import { type PlayOptions, Plays, playsOfADuty } from "../jobs/plays.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";

export type DefenderParts = OpenRunsParts &
  Pick<SideBySideOptions, "patience"> & {
    /** Shared by all duties of a keeper that play disputes. */
    readonly turns: ComputeTurns;
  };

/** Answers the challenges of its jobs, from the folders of their runs. */
export class Defender implements Duty {
  readonly name = "defending";
  readonly #parts: DefenderParts;
  readonly #runs: OpenRuns;
  readonly #plays: Plays<ChallengeRecord>;

  constructor(parts: DefenderParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts, playsOfADuty);
    this.#plays = new Plays(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, log, turns } = this.#parts;
    const open = new Map(ledger.openJobs().map((job) => [job.jobId, job]));
    const challenges = ledger
      .openChallenges()
      .filter((challenge) => challenge.claim.provider === operator && ledger.isBound(challenge));
    await this.#runs.closeAllBut(new Set([...open.keys(), ...challenges.map(({ jobId }) => jobId)]));
    const due = challenges.filter((challenge) => turnOf(challenge) === "provider");
    const play = async (challenge: ChallengeRecord, { deadline, signal: over }: PlayOptions) => {
      const { jobId, challengeId, claim } = challenge;
      // Of a job that has failed elsewhere, the bonds of other commitments are still at stake.
      const job = open.get(jobId) ?? ledger.job(jobId);
      if (job === undefined) return;
      await this.#runs.use(job, signal, async ({ disputed }) => {
        const run = claimedPart(disputed, claim);
        const inTurn = turns.of({ deadline, run: disputed, signal: over });
        if (await makeMove(this.#parts, challenge, { role: "provider", run }, inTurn)) return;
        log.error({ jobId, challengeId }, "nothing that was computed answers this challenge");
      });
    };
    await this.#plays.round(due, play, signal);
  }

  async close(): Promise<void> {
    await this.#plays.settled();
    await this.#runs.closeAllBut(new Set());
  }
}
