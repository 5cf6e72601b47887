import type { ReactNode } from "react";
import { useBlock } from "wagmi";
import type { TrainingDataQuery, WhoTrainedQuery } from "../../../../subgraph/queries/documents.ts";
import { Notice } from "../../ui/badge.tsx";
import { duration, Time } from "../../ui/values.tsx";

type Job = NonNullable<TrainingDataQuery["job"]>;
type Auction = NonNullable<WhoTrainedQuery["job"]>["auction"];

type Props = {
  readonly job: Job;
  readonly auction: Auction;
  readonly bids: number;
  /** More of it, while it is trained. */
  readonly training: ReactNode;
};

/** What is going on now, and how long it may take; by the chain's clock. */
export function Now({ job, auction, bids, training }: Props) {
  const { data: block } = useBlock({ watch: true });
  if (block === undefined) return null;
  const said = whatIsOn(job, auction, bids, block.timestamp);
  if (said === undefined) return null;
  const [what, until, next] = said;
  const left = Number(BigInt(until) - block.timestamp);
  return (
    <Notice tone="waiting" title={left > 0 ? `${what}: ${duration(left)} left` : `${what}: time is up`}>
      <p>
        <Time at={until} />. {next}
      </p>
      {job.status === "Training" && training}
    </Notice>
  );
}

function whatIsOn(
  { status, commitUntil, challengeUntil, order }: Job,
  auction: Auction,
  bids: number,
  now: bigint,
): readonly [what: string, until: string, next: string] | undefined {
  const came = bids === 1 ? "One bid has come in." : `${bids} bids have come in.`;
  switch (status) {
    case "Open":
      if (auction === null) return ["Waiting for a provider", order.expiry, "Then the money is back."];
      return now <= BigInt(auction.commitUntil)
        ? ["Sealed bids are taken", auction.commitUntil, came]
        : ["Bids are opened", auction.revealUntil, `${came} Then the lowest wins.`];
    case "Matched":
      return ["The provider has to lock its stake", order.expiry, "It begins to train when it has."];
    case "Training":
      return commitUntil === null
        ? undefined
        : ["The provider trains", commitUntil, "If it is late it pays, and the money is back."];
    case "Committed":
    case "Attested":
      return challengeUntil === null
        ? undefined
        : [
            "Anyone may dispute the result",
            challengeUntil,
            "Then the provider is paid, and the certificate issued.",
          ];
    default:
      return undefined;
  }
}
