import type { WhatWentWrongQuery } from "../../../../subgraph/queries/documents.ts";
import { Notice } from "../../ui/badge.tsx";
import { Amount, Transaction } from "../../ui/values.tsx";
import { endOf } from "./ends.ts";
import type { HistoryEvent } from "./job-events.ts";

type Job = NonNullable<WhatWentWrongQuery["job"]>;

const settled = new Set(["JobFailed", "JobVoided", "JobCancelled", "JobExpired"]);

/** How a job ended that was not paid: why, and what became of stake and money. */
export function Ended({ job, events }: { job: Job; events: readonly HistoryEvent[] }) {
  const end = endOf(job.status, job.reason, events);
  if (end === undefined) return null;
  const settlement = events.find(({ contract, name }) => contract === "JobRegistry" && settled.has(name));
  return (
    <Notice tone={end.tone} title={end.title}>
      <p>{end.text}</p>
      {settlement === undefined ? (
        <p>Stake and money move when the end is settled, which anyone may ask for.</p>
      ) : (
        <p>
          {job.slashed !== "0" && (
            <>
              The provider lost <Amount units={job.slashed} /> of its stake.{" "}
            </>
          )}
          {job.refunded !== "0" && (
            <>
              <Amount units={job.refunded} /> went back to the consumer.{" "}
            </>
          )}
          <Transaction hash={settlement.transaction}>The transaction that ended it</Transaction>
        </p>
      )}
    </Notice>
  );
}
