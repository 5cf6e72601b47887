import { join } from "node:path";
import { bytesToHex, type Hex, hexToBytes } from "viem";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  type SignedLeaf,
  statementTree,
  witnessesHash,
} from "../../core/attestation/statement.ts";
import { witnessHash } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { OpenedLeaf } from "../../core/exact/result-files.ts";
import { openLeaf } from "../../training/dispute/leaves.ts";
import { readAnswer } from "../../training/dispute/posted.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { keptLeaves } from "../jobs/result.ts";
import { tryCall } from "../storage-node/context.ts";
import type { CheckBook } from "./check-book.ts";
import { committeeCalls } from "./committee-calls.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { type Committees, type CommitteesParts, positionsIn } from "./committees.ts";

export type AccuserParts = CommitteesParts & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
  /** Folder of what was fetched of jobs. */
  readonly folder: string;
};

/** `JobStatus.Convicted` of the game. */
const convicted = 2;

/** Has members slashed that signed what a dispute then convicted, from what everybody can see on chain. */
export class Accuser {
  readonly #parts: AccuserParts;

  constructor(parts: AccuserParts) {
    this.#parts = parts;
  }

  /** Slashes the members of a draw that signed the digest of the interval of which the job's provider was convicted. */
  async accuse(job: JobRecord, attempt: bigint): Promise<void> {
    const { contracts, all } = this.#parts;
    const { jobId } = job;
    const game = await contracts.DisputeGame.read.jobs([jobId]);
    const [status, interval] = [game[1], game[8]];
    if (status !== convicted) return;
    const { signers, liars, root } = await contracts.Committee.read.drawOf([jobId, attempt]);
    const draw = signers === 0n ? undefined : await all.draw(job, attempt);
    const leaves = draw && this.#leaves(draw, positionsIn(signers), root);
    if (draw === undefined || leaves === undefined) return;
    const tree = statementTree(draw, leaves);
    for (const [index, leaf] of leaves.entries()) {
      const { position } = leaf;
      if (leaf.interval !== interval || ((liars >> BigInt(position)) & 1n) === 1n) continue;
      const opening = await this.#opening(job, draw, index, leaf.interval);
      if (opening === undefined) continue;
      const number = BigInt(intervalsOf(draw, position).indexOf(interval));
      const siblings = tree.proof(index).map((sibling) => bytesToHex(sibling));
      const key = `slash-overturned:${jobId}:${attempt}:${position}`;
      const args = [jobId, attempt, BigInt(position), number, opening, siblings] as const;
      await tryCall(this.#parts, key, "Committee", "slashOverturned", args);
    }
  }

  /** The leaves behind a signed root: this validator's own copy, or what was opened and revealed. */
  #leaves(draw: DrawnCommittee, positions: readonly number[], root: Hex): readonly SignedLeaf[] | undefined {
    const { committees, book } = this.#parts;
    const { jobId, attempt } = draw;
    const kept = book.leaves(draw, root);
    const differences = committees.differences(jobId, attempt);
    if (kept !== undefined || differences === undefined) return kept;
    const hashes = committees.openedHashes(jobId, attempt);
    const others = new Map(differences.map(({ leaf, digest }) => [Number(leaf), digest]));
    const places = positions.flatMap((position) =>
      intervalsOf(draw, position).map((interval) => ({ position, interval })),
    );
    return places.map(({ position, interval }, i) => {
      const opened = digestOf(draw, jobId, draw.members[position]!, interval, hashes[i]!);
      return { position, interval, digest: others.get(i) ?? opened };
    });
  }

  /** What the provider opened for a leaf. Undefined when neither its call nor the dispute shows it. */
  async #opening(job: JobRecord, { jobId, attempt }: DrawnCommittee, leaf: number, interval: number) {
    const { committees, ledger, folder, log } = this.#parts;
    const opening = committees
      .openings(jobId, attempt)
      .find(({ first, count }) => leaf >= Number(first) && leaf < Number(first) + count);
    if (opening === undefined) return undefined;
    const { transaction, first } = opening;
    const number = leaf - Number(first);
    // It is in the call alone; one transaction may make several.
    const hash = committees.openedHashes(jobId, attempt)[leaf];
    for (const call of (await committeeCalls(this.#parts, transaction)) ?? []) {
      if (call.functionName !== "openWitnesses" || call.args[0] !== jobId) continue;
      const found = call.args[1][number];
      if (found !== undefined && witnessesHash(found.witnesses) === hash) return found;
    }
    const order = decodeOrder(job.training);
    const leaves = await keptLeaves({ order, result: job.result!, folder: join(folder, String(jobId)) });
    const posted = leaves && openedInDispute(ledger.challengesOf(jobId), leaves, interval);
    if (posted === undefined) {
      log.warn({ jobId, attempt, interval }, "nothing shows what was opened here: who signed it goes free");
    }
    return posted;
  }
}

/** What stands behind a leaf, from what the provider posted in a dispute over its interval. */
export function openedInDispute(
  challenges: readonly ChallengeRecord[],
  leaves: readonly OpenedLeaf[],
  interval: number,
) {
  for (const { checkpoint, answers } of challenges) {
    if (checkpoint !== 0) continue;
    for (const answer of answers) {
      // Of a search the round does not name the interval yet: then the leaf is what tells.
      const posted = readAnswer(answer);
      if (!("salt" in posted) || posted.witnesses.length === 0) continue;
      const { salt, witnesses } = posted;
      const h = bytesToHex(
        witnessHash(
          hexToBytes(salt),
          witnesses.map((each) => hexToBytes(each)),
        ),
      );
      if (h !== leaves[interval + 1]?.h) continue;
      const { stateRoot, siblings } = openLeaf(leaves, interval + 1);
      return { stateRoot, salt, witnesses, siblings };
    }
  }
  return undefined;
}
