import { encodeCall } from "../../chain/contracts.ts";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { type DrawnCommittee, digestOf } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Accuser } from "./accuser.ts";
import type { CheckBook } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { type Committee, type Committees, type CommitteesParts, positionsIn } from "./committees.ts";
import type { Prosecutor } from "./prosecutor.ts";

export type StewardParts = CommitteesParts & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
  readonly accuser: Accuser;
  readonly prosecutor: Prosecutor;
  readonly turnSeconds: number;
};

/** Work on committees that anybody may do: draws, reveals, timeouts, and what is due when a job is over. */
export class Steward implements Duty {
  readonly name = "stewarding";
  readonly #parts: StewardParts;
  /** When a draw was first seen to be over, in this process. */
  readonly #overSince = new Map<string, bigint>();

  constructor(parts: StewardParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { ledger, client, committees } = this.#parts;
    const now = await chainTime(client);
    await forEach(ledger.openJobs(), async (job) => {
      if (job.result === undefined || job.order.conditions.committeeSize === 0) return;
      await this.#moveOn(job, now);
    });
    await forEach(committees.undismissed(), ({ jobId, attempt }) => this.#close(jobId, attempt, now));
  }

  async #moveOn(job: JobRecord, now: bigint): Promise<void> {
    const { jobId } = job;
    const committee = await this.#parts.all.read(jobId);
    const { phase, deadline, graceEnds } = committee;
    if (phase === "Seeding") await this.#seed(jobId, committee, now);
    if (phase === "Revealing") await this.#reveal(job, committee, now);
    if (phase !== "Signing" && phase !== "Opening" && phase !== "Revealing") return;
    const name = `${jobId}:${committee.attempt}:${phase}`;
    if (graceEnds !== 0n) {
      if (now <= graceEnds || !this.#isTurn(`execute:${name}`, graceEnds, now)) return;
      const key = `execute-committee:${name}:${graceEnds}`;
      await tryCall(this.#parts, key, "Committee", "executeTimeout", [jobId]);
    } else if (now > deadline && this.#isTurn(`call:${name}`, deadline, now)) {
      await tryCall(this.#parts, `call-committee:${name}:${deadline}`, "Committee", "callTimeout", [jobId]);
    }
  }

  /** Draws when the seed is there; has it drawn anew, or asks for another, when it is late. */
  async #seed(jobId: bigint, { attempt }: Committee, now: bigint): Promise<void> {
    const { contracts } = this.#parts;
    const { requestId, drawUntil } = await contracts.Committee.read.drawOf([jobId, attempt]);
    const name = `${jobId}:${requestId}`;
    if (now > drawUntil) {
      if (!this.#isTurn(`renew:${name}`, BigInt(drawUntil), now)) return;
      await tryCall(this.#parts, `renew:${name}`, "Committee", "renew", [jobId]);
      return;
    }
    const [, readyAt] = await contracts.RandomnessBeacon.read.seedOf([requestId]);
    if (readyAt === 0n) {
      await this.#redraw(requestId);
    } else if (this.#isTurn(`draw:${name}`, readyAt, now)) {
      await tryCall(this.#parts, `draw:${name}`, "Committee", "draw", [jobId]);
    }
  }

  /** The beacon alone knows when a request has waited for long enough: it is asked for nothing until then. */
  async #redraw(requestId: bigint): Promise<void> {
    const { queue, deployment, contracts, operator, log, client } = this.#parts;
    const call = encodeCall(deployment, "RandomnessBeacon", "redraw", [requestId]);
    const isDue = await contracts.RandomnessBeacon.simulate
      .redraw([requestId], { account: operator })
      .then(() => true)
      .catch(() => false);
    if (!isDue) return;
    const key = `redraw:${requestId}:${await client.public.getBlockNumber()}`;
    try {
      await queue.send({ ...call, key, description: `redrawing the seed of request ${requestId}` });
    } catch (error) {
      if (!(error instanceof TransactionFailedError)) throw error;
      log.debug({ requestId, reason: error.message }, "left to others");
    }
  }

  /** Reveals the digests behind the signed root: whoever signed it holds them. */
  async #reveal(job: JobRecord, { attempt, deadline }: Committee, now: bigint): Promise<void> {
    const { contracts, committees, book, all } = this.#parts;
    const { jobId } = job;
    const draw = await all.draw(job, attempt);
    if (draw === undefined) return;
    const { revealWindow } = await contracts.Committee.read.termsOf([jobId]);
    const name = `reveal:${jobId}:${attempt}`;
    const since = deadline - BigInt(revealWindow);
    if (!this.#isTurn(name, since, now, draw)) return;
    const { root } = await contracts.Committee.read.drawOf([jobId, attempt]);
    const leaves = book.leaves(draw, root);
    const hashes = committees.openedHashes(jobId, attempt);
    if (leaves === undefined || hashes.length !== leaves.length) return;
    const differences = leaves.flatMap(({ position, interval, digest }, i) => {
      const expected = digestOf(draw, jobId, draw.members[position]!, interval, hashes[i]!);
      return digest === expected ? [] : [{ leaf: BigInt(i), digest }];
    });
    await tryCall(this.#parts, name, "Committee", "reveal", [jobId, hashes, differences]);
  }

  /** What is due to the members of a draw once it has failed, or its job is over. */
  async #close(jobId: bigint, attempt: bigint, now: bigint): Promise<void> {
    const { contracts, ledger, accuser } = this.#parts;
    const { silent, differing, liars } = await contracts.Committee.read.drawOf([jobId, attempt]);
    const slash = async (call: "slashSilent" | "slashDiffering", position: number) => {
      const name = `${call}:${jobId}:${attempt}:${position}`;
      await tryCall(this.#parts, name, "Committee", call, [jobId, attempt, BigInt(position)]);
    };
    for (const position of positionsIn(silent)) await slash("slashSilent", position);
    const job = ledger.job(jobId);
    const status = job?.status;
    // Whatever becomes of the job, and before the members are let go.
    if (job !== undefined) await this.#parts.prosecutor.prosecute(job, attempt);
    const isOver = status === "Finalised" || status === "Failed" || status === "Void";
    if (!isOver) return;
    // Before the members are let go: what is not slashed then can be gone.
    if (status === "Finalised") {
      for (const position of positionsIn(differing & ~liars)) await slash("slashDiffering", position);
    }
    if (status === "Failed") await accuser.accuse(ledger.job(jobId)!, attempt);
    const name = `dismiss:${jobId}:${attempt}`;
    const since = this.#overSince.get(name) ?? now;
    this.#overSince.set(name, since);
    if (!this.#isTurn(name, since, now)) return;
    await tryCall(this.#parts, name, "Committee", "dismiss", [jobId, attempt]);
  }

  /** Whether those who come before this validator have had their time. */
  #isTurn(work: string, since: bigint, now: bigint, draw?: DrawnCommittee): boolean {
    const { all, turnSeconds } = this.#parts;
    const turn = all.turn(work, draw && all.operators(draw));
    return now >= since + BigInt(turn * turnSeconds);
  }
}
