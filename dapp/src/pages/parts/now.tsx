import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useBlock } from "wagmi";
import type { Contracts } from "../../../../keepers/src/chain/contracts.ts";
import type { TrainingDataQuery, WhoTrainedQuery } from "../../../../subgraph/queries/documents.ts";
import { useContracts } from "../../data/use-contracts.ts";
import { Notice } from "../../ui/badge.tsx";
import { duration, momentOf } from "../../ui/moment.ts";
import { Time } from "../../ui/values.tsx";
import { phaseOf, type Standing } from "./phase.ts";

type Job = NonNullable<TrainingDataQuery["job"]>;
type Trained = NonNullable<WhoTrainedQuery["job"]>;

type Props = {
  readonly job: Job;
  readonly trained: Trained | undefined;
  /** More of it, while it is trained. */
  readonly training: ReactNode;
};

const verdicts = ["pending", "attested", "silent"] as const;

/** How a job stands, by the contracts themselves: events do not tell when a committee cuts the time for disputes short. */
async function readStanding(contracts: Contracts, job: bigint, hasCommittee: boolean): Promise<Standing> {
  const { JobRegistry, Committee, DisputeGame } = contracts;
  const [{ deadline, graceEnds, expiry, challengeUntil }, mostPending, disputes, verdict] = await Promise.all(
    [
      JobRegistry.read.jobOf([job]),
      JobRegistry.read.MAX_PENDING(),
      DisputeGame.read.openChallenges([job]),
      hasCommittee ? Committee.read.verdictOf([job]) : undefined,
    ],
  );
  return {
    deadline: BigInt(deadline),
    graceEnds: BigInt(graceEnds),
    expiry: BigInt(expiry),
    challengeUntil: BigInt(challengeUntil),
    mostPending,
    disputes: Number(disputes),
    verdict: verdict === undefined ? "none" : verdicts[verdict]!,
  };
}

const running = new Set(["Open", "Matched", "Training", "Committed", "Attested"]);

/** What is going on now, and how long it may take; by the chain's clock. */
export function Now({ job, trained, training }: Props) {
  const { contracts } = useContracts();
  const { data: block } = useBlock({ watch: true });
  const { id, status, order } = job;
  const standing = useQuery({
    queryKey: ["standing", id, status],
    enabled: running.has(status),
    queryFn: () => readStanding(contracts, BigInt(id), order.committeeSize > 0),
    refetchInterval: 4_000,
  });
  if (block === undefined || standing.data === undefined) return null;
  const auction = trained?.auction ?? null;
  const bids = trained?.bids ?? [];
  const phase = phaseOf({
    status,
    standing: standing.data,
    auction: auction && {
      commitUntil: BigInt(auction.commitUntil),
      revealUntil: BigInt(auction.revealUntil),
      isClosed: auction.isClosed,
    },
    bids: { made: bids.length, hidden: bids.filter(({ status }) => status === "Committed").length },
    now: block.timestamp,
  });
  if (phase === undefined) return null;
  const { what, until, next } = phase;
  const ends = until !== undefined && momentOf(until) !== undefined;
  return (
    // What changes with each block is not read out with each block.
    <Notice
      tone="waiting"
      role="timer"
      title={ends ? `${what}: ${duration(Number(until - block.timestamp))} left` : what}
    >
      <p>
        {ends && (
          <>
            <Time at={until} />.{" "}
          </>
        )}
        {next}
      </p>
      {status === "Training" && training}
    </Notice>
  );
}
