import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  type SignedLeaf,
} from "../../core/attestation/statement.ts";
import type { CheckBook } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { positionsIn } from "./committees.ts";

export type SignedLeavesParts = {
  readonly committees: CommitteeLedger;
  /** Of a validator: the statements that it has signed itself. */
  readonly book?: CheckBook;
};

/**
 * The leaves behind the root that was signed in a draw: this keeper's own copy, or what was opened and revealed.
 *
 * @returns undefined when neither is there: before the reveal, for whoever has not signed
 */
export function signedLeaves(
  { committees, book }: SignedLeavesParts,
  draw: DrawnCommittee,
): readonly SignedLeaf[] | undefined {
  const { jobId, attempt } = draw;
  const root = committees.signedRoot(jobId, attempt);
  if (root === undefined) return undefined;
  const kept = book?.leaves(draw, root);
  const differences = committees.differences(jobId, attempt);
  if (kept !== undefined || differences === undefined) return kept;
  const hashes = committees.openedHashes(jobId, attempt);
  const others = new Map(differences.map(({ leaf, digest }) => [Number(leaf), digest]));
  return positionsIn(committees.signersOf(jobId, attempt))
    .flatMap((position) => intervalsOf(draw, position).map((interval) => ({ position, interval })))
    .map(({ position, interval }, i) => {
      const opened = digestOf(draw, jobId, draw.members[position]!, interval, hashes[i]!);
      return { position, interval, digest: others.get(i) ?? opened };
    });
}
