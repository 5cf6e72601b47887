import { digestOf, intervalsOf } from "../../core/attestation/statement.ts";
import type { OpenedWitnesses } from "../challenger/witness-inspector.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { CheckBook } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import type { Committees } from "./committees.ts";

export type OtherwiseParts = {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
};

/** Intervals of which a provider has opened other witnesses than this member found, whoever of the committee they were opened for. */
export async function otherwise(
  { all, committees, book }: OtherwiseParts,
  job: JobRecord,
  opened: OpenedWitnesses,
): Promise<readonly number[]> {
  const { jobId } = job;
  const differing = new Set<number>();
  for (const { attempt } of committees.drawsOf(jobId)) {
    const draw = await all.draw(job, attempt);
    const position = draw && all.position(draw);
    if (draw === undefined || position === undefined) continue;
    const digests = book.check(draw)?.digests ?? [];
    for (const [i, interval] of intervalsOf(draw, position).entries()) {
      const [own, hash] = [digests[i], opened.get(interval)];
      if (own === undefined || hash === undefined) continue;
      if (digestOf(draw, jobId, draw.members[position]!, interval, hash) !== own) differing.add(interval);
    }
  }
  return [...differing].sort((a, b) => a - b);
}
