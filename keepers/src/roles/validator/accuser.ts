import { bytesToHex, decodeFunctionData, type Hex, isAddressEqual } from "viem";
import { committeeAbi } from "../../chain/abi/committee.ts";
import { addressOf } from "../../chain/contracts.ts";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  type SignedLeaf,
  statementTree,
} from "../../core/attestation/statement.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { tryCall } from "../storage-node/context.ts";
import type { CheckBook } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { type Committees, type CommitteesParts, positionsIn } from "./committees.ts";

export type AccuserParts = CommitteesParts & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
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
      const opening = await this.#opening(draw, index);
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

  /** What the provider opened for a leaf: it is in the call alone. Undefined when another contract made the call. */
  async #opening({ jobId, attempt }: DrawnCommittee, leaf: number) {
    const { committees, client, deployment } = this.#parts;
    const call = committees
      .openings(jobId, attempt)
      .find(({ first, count }) => leaf >= Number(first) && leaf < Number(first) + count);
    if (call === undefined) return undefined;
    const { to, input } = await client.public.getTransaction({ hash: call.transaction });
    if (!to || !isAddressEqual(to, addressOf(deployment, "Committee"))) return undefined;
    const { functionName, args } = decodeFunctionData({ abi: committeeAbi, data: input });
    return functionName === "openWitnesses" ? args[1][leaf - Number(call.first)] : undefined;
  }
}
