import { randomInt } from "node:crypto";
import type { UnservedBundle } from "../../storage/client/probe.ts";
import type { State } from "../../storage/state/state.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";

/** Jobs whose data could not be fetched, the challenges made for them, and what was spent on challenges: one row each. */
export const pleaSchema = {
  name: "pleader",
  migrations: [
    `CREATE TABLE pleader_jobs (
       job_id TEXT PRIMARY KEY,
       failures INTEGER NOT NULL,
       tried_at INTEGER NOT NULL,
       challenge_id TEXT
     ) STRICT;
     CREATE TABLE pleader_spent (spent TEXT NOT NULL) STRICT;
     INSERT INTO pleader_spent (spent) VALUES ('0');`,
    "ALTER TABLE pleader_jobs ADD COLUMN is_pleaded INTEGER NOT NULL DEFAULT 0",
  ],
} as const;

/** How a provider makes sure of its data before it locks stake. */
export type Pleading = {
  /** Fetches a sample of a dataset; gives a bundle that is not served when it cannot be had. */
  readonly probe: (
    datasetId: JobRecord["order"]["problem"]["datasetId"],
    signal: AbortSignal,
  ) => Promise<UnservedBundle | undefined>;
  /** Wei that may go with challenges over all time; a holder that answers keeps the bond. */
  readonly budget: bigint;
  /** Failures in a row before a holder is challenged; 3 by default. */
  readonly attempts?: number;
  /** Chain seconds between two tries; 60 by default. */
  readonly pause?: bigint;
};

export type PleaderParts = JobContext & { readonly state: State } & Pleading;

type Tried = {
  readonly failures: number;
  readonly triedAt: bigint;
  readonly challengeId: bigint | undefined;
  readonly isPleaded: boolean;
};

/**
 * Stands between winning a job and locking stake for it: what cannot be fetched is not locked for. A holder that has refused
 * its bytes often enough is challenged on chain to publish a cell, and the challenge pleaded as the winner's excuse.
 */
export class Pleader implements Duty {
  readonly name = "pleading";
  readonly #parts: PleaderParts;

  constructor(parts: PleaderParts) {
    this.#parts = parts;
  }

  /** Whether a sample of the job's data can be had now; what it could not be had for is pleaded. */
  async isThere(job: JobRecord, signal: AbortSignal): Promise<boolean> {
    const { client, probe, log, attempts = 3, pause = 60n } = this.#parts;
    const { jobId } = job;
    const { datasetId } = job.order.problem;
    const now = await chainTime(client);
    const before = this.#tried(jobId);
    if (before !== undefined && now < before.triedAt + pause) return false;
    let unserved: UnservedBundle | undefined;
    try {
      unserved = await probe(datasetId, signal);
      if (unserved === undefined) return true;
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ jobId, datasetId, reason: (error as Error).message }, "the data of a won job cannot be had");
    }
    const failures = (before?.failures ?? 0) + 1;
    const isPleaded = before?.isPleaded ?? false;
    let challengeId = before?.challengeId;
    this.#write(jobId, { failures, triedAt: now, challengeId, isPleaded });
    if (unserved === undefined || failures < attempts) return false;
    log.warn(
      { jobId, datasetId, operator: unserved.operator, failures },
      "a holder does not serve a won job's data",
    );
    challengeId ??= await this.#challenge(jobId, unserved);
    if (challengeId === undefined) return false;
    this.#write(jobId, { failures, triedAt: now, challengeId, isPleaded });
    if (job.auction !== undefined && !isPleaded) await this.#plead(jobId, challengeId);
    return false;
  }

  /** Brings the challenges that were made to their ends. */
  async tick(): Promise<void> {
    const rows = this.#parts.state.all("SELECT job_id FROM pleader_jobs WHERE challenge_id IS NOT NULL");
    await forEach(
      rows.map((row) => BigInt(row.job_id as string)),
      (jobId) => this.#conclude(jobId),
    );
  }

  async #challenge(jobId: bigint, { bundleId, cells, transportRoot, proof }: UnservedBundle) {
    const { contracts, state, budget, metrics, log } = this.#parts;
    const { RetrievalChallenges } = contracts;
    const cell = randomInt(cells);
    const known = await RetrievalChallenges.read.openChallengeOf([bundleId, cell]);
    // Whoever made it: what it will come to is what counts.
    if (known !== 0n) return known;
    const bond = await RetrievalChallenges.read.bond();
    const spent = BigInt(state.get("SELECT spent FROM pleader_spent")!.spent as string);
    if (spent + bond > budget) {
      log.warn({ jobId, bond, left: budget - spent }, "no holder is challenged: the budget is used up");
      return undefined;
    }
    // Before it is sent: a bound that a crash can exceed is none.
    state.run("UPDATE pleader_spent SET spent = ?", String(spent + bond));
    const key = `retrieval:${jobId}:${bundleId}:${cell}`;
    const args = [bundleId, cell, transportRoot, proof] as const;
    if (!(await tryCall(this.#parts, key, "RetrievalChallenges", "challenge", args, bond))) return undefined;
    const made = await RetrievalChallenges.read.openChallengeOf([bundleId, cell]);
    metrics.retrieval("challenged");
    log.warn({ jobId, bundleId, cell, challengeId: made }, "a holder is challenged to publish a cell");
    return made === 0n ? undefined : made;
  }

  async #plead(jobId: bigint, challengeId: bigint): Promise<void> {
    const { state, metrics, log } = this.#parts;
    const key = `plead:${jobId}:${challengeId}`;
    if (await tryCall(this.#parts, key, "Market", "plead", [jobId, challengeId])) {
      state.run("UPDATE pleader_jobs SET is_pleaded = 1 WHERE job_id = ?", String(jobId));
      metrics.retrieval("pleaded");
      log.info({ jobId, challengeId }, "pleaded that the data cannot be had");
    }
  }

  async #conclude(jobId: bigint): Promise<void> {
    const { contracts, client, operator, state, metrics, log } = this.#parts;
    const { RetrievalChallenges } = contracts;
    const { challengeId } = this.#tried(jobId)!;
    if (!(await RetrievalChallenges.read.isOpen([challengeId!]))) {
      if ((await RetrievalChallenges.read.creditOf([operator])) > 0n) {
        const key = `retrieval-bond:${challengeId}`;
        await tryCall(this.#parts, key, "RetrievalChallenges", "withdraw", [operator]);
      }
      state.run("DELETE FROM pleader_jobs WHERE job_id = ?", String(jobId));
      return;
    }
    const { deadline, graceEnds } = await RetrievalChallenges.read.challengeOf([challengeId!]);
    const now = await chainTime(client);
    if (now <= deadline) return;
    if (graceEnds === 0n) {
      await tryCall(this.#parts, `retrieval-timeout:${challengeId}`, "RetrievalChallenges", "callTimeout", [
        challengeId!,
      ]);
    } else if (now > graceEnds) {
      const key = `retrieval-slash:${challengeId}`;
      if (await tryCall(this.#parts, key, "RetrievalChallenges", "slashFailed", [challengeId!])) {
        metrics.retrieval("slashed");
        log.info({ jobId, challengeId }, "a holder that did not publish was slashed");
      }
    }
  }

  #tried(jobId: bigint): Tried | undefined {
    const row = this.#parts.state.get("SELECT * FROM pleader_jobs WHERE job_id = ?", String(jobId));
    if (row === undefined) return undefined;
    return {
      failures: Number(row.failures),
      triedAt: BigInt(row.tried_at as bigint),
      challengeId: row.challenge_id === null ? undefined : BigInt(row.challenge_id as string),
      isPleaded: Number(row.is_pleaded) === 1,
    };
  }

  #write(jobId: bigint, { failures, triedAt, challengeId, isPleaded }: Tried): void {
    this.#parts.state.run(
      `INSERT OR REPLACE INTO pleader_jobs (job_id, failures, tried_at, challenge_id, is_pleaded)
       VALUES (?, ?, ?, ?, ?)`,
      String(jobId),
      failures,
      triedAt,
      challengeId === undefined ? null : String(challengeId),
      isPleaded ? 1 : 0,
    );
  }
}
