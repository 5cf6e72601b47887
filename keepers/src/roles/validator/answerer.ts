import { bytesToHex } from "viem";
import { statementTree } from "../../core/attestation/statement.ts";
import { type AccusationRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeTurns } from "../jobs/compute-turns.ts";
import type { ComputeParts, Duty, FetchParts } from "../jobs/duty.ts";
import { IntervalRuns } from "../jobs/interval-runs.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { makeMove } from "../jobs/mover.ts";
import { type PlayOptions, Plays } from "../jobs/plays.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import type { CheckBook } from "./check-book.ts";
import type { Committees, CommitteesParts } from "./committees.ts";
import { signedLeaves } from "./signed-leaves.ts";

export type AnswererParts = CommitteesParts &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "patience"> & {
    readonly all: Committees;
    readonly book: CheckBook;
    /** Shared by all duties of a keeper that play disputes. */
    readonly turns: ComputeTurns;
  };

/** Answers accusations of what this validator has signed: from its own run, the leaves of the trace, and its statement. */
export class Answerer implements Duty {
  readonly name = "answering";
  readonly #parts: AnswererParts;
  readonly #runs: IntervalRuns;
  readonly #plays: Plays<AccusationRecord>;

  constructor(parts: AnswererParts) {
    this.#parts = parts;
    this.#runs = new IntervalRuns(parts);
    this.#plays = new Plays(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const own = ledger
      .openAccusations()
      .filter(({ claim, outcome }) => claim.provider === operator && outcome === undefined);
    await this.#runs.closeAllBut(new Set(own.map(({ jobId }) => jobId)));
    const due = own.filter((accusation) => turnOf(accusation) === "provider");
    const play = async (accusation: AccusationRecord, options: PlayOptions) => {
      const job = ledger.job(accusation.jobId);
      if (job !== undefined) await this.#answer(job, accusation, signal, options);
    };
    await this.#plays.round(due, play, signal);
  }

  async close(): Promise<void> {
    await this.#plays.settled();
    await this.#runs.closeAllBut(new Set());
  }

  async #answer(
    job: JobRecord,
    accusation: AccusationRecord,
    signal: AbortSignal,
    { deadline, signal: over }: PlayOptions,
  ): Promise<void> {
    const { all, log, turns } = this.#parts;
    const { jobId, attempt, position, challengeId, interval } = accusation;
    const draw = await all.draw(job, attempt);
    const leaves = draw && signedLeaves(this.#parts, draw);
    const index = leaves?.findIndex(
      (leaf) => leaf.position === position && leaf.interval === Number(interval),
    );
    if (draw === undefined || leaves === undefined || index === undefined || index === -1) {
      log.error(
        { jobId, challengeId },
        "the statement that was signed is gone: this accusation cannot be answered",
      );
      return;
    }
    const signed = statementTree(draw, leaves)
      .proof(index)
      .map((sibling) => bytesToHex(sibling));
    await this.#runs.use(job, Number(interval), signal, async (run) => {
      const inTurn = turns.of({ deadline, run, signal: over });
      if (await makeMove(this.#parts, accusation, { role: "provider", run, signed }, inTurn)) return;
      log.error({ jobId, challengeId }, "nothing that was computed answers this accusation");
    });
  }
}
