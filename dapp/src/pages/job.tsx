import { lazy, Suspense } from "react";
import { Link } from "wouter";
import {
  JobHistoryDocument,
  TrainingDataDocument,
  WhatWentWrongDocument,
  WhoCheckedDocument,
  WhoTrainedDocument,
  WhoWasPaidDocument,
} from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { jobTones } from "../data/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Card, Columns, PageHead } from "../ui/card.tsx";
import { EmptyState, Skeleton } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Amount, DatasetId, Id, Time, Transaction } from "../ui/values.tsx";
import { Dispute } from "./parts/dispute.tsx";
import { eventWords, inOrder, sittingsOf } from "./parts/job-events.ts";
import { Life } from "./parts/life.tsx";
import { OrderFacts, runOf } from "./parts/order-facts.tsx";
import { Seats } from "./parts/seats.tsx";

const paymentWords: { readonly [kind: string]: string } = {
  Price: "Price of the training",
  CheckFee: "Fee for checking intervals",
  Refund: "Back to the consumer",
  WorkerPay: "Pay of a worker",
  ChallengeReward: "Reward for a conviction",
};

const bidTones = {
  Committed: "waiting",
  Revealed: "neutral",
  Won: "healthy",
  BondReturned: "neutral",
  BondLost: "wrong",
} as const;
const bidWords = {
  Committed: "Sealed",
  Revealed: "Revealed",
  Won: "Won",
  BondReturned: "Bond returned",
  BondLost: "Bond lost",
} as const;

const VerifyHere = lazy(() => import("../compute/verify-here.tsx"));

/** One job: what was ordered, who did it, who checked it, what was disputed, who was paid. */
export default function Job({ id }: { id: string }) {
  const job = { job: id };
  const training = useAnswer(TrainingDataDocument, job);
  const trained = useAnswer(WhoTrainedDocument, job);
  const checked = useAnswer(WhoCheckedDocument, job);
  const wrong = useAnswer(WhatWentWrongDocument, job);
  const paid = useAnswer(WhoWasPaidDocument, { job: id, paymentsOf: id });
  const history = useAnswer(JobHistoryDocument, job);
  return (
    <Answered answer={training} what="The job could not be read">
      {({ job: found }) => {
        if (found === null) {
          return (
            <EmptyState title={`There is no job ${id} on this chain.`}>
              <Link href="/jobs">All jobs</Link>
            </EmptyState>
          );
        }
        const run = runOf(found.order.training);
        const certificate = checked.data?.job?.certificates[0];
        return (
          <>
            <PageHead kind="Job" title={`Job ${id}`}>
              <Badge tone={jobTones[found.status]!}>{found.status}</Badge>
              <span>
                Ordered by <Account address={found.order.consumer} />
              </span>
              <span>
                on dataset <DatasetId id={found.dataset.id} />
              </span>
              {certificate !== undefined && (
                <Link href={`/certificates/${certificate.id}`}>Certificate {certificate.id}</Link>
              )}
            </PageHead>
            <Card title="Its life" aside={<QueryLink document={JobHistoryDocument} variables={job} />}>
              <Answered answer={history} what="Its history could not be read">
                {({ events }) => (
                  <Life events={inOrder(events)} isAttestable={found.order.scheme !== "Optimistic"} />
                )}
              </Answered>
            </Card>
            <Answered answer={wrong} what="Its disputes could not be read">
              {({ job: disputed }) =>
                disputed === null || disputed.challenges.length === 0 ? null : (
                  <Card
                    title="Disputes"
                    aside={<QueryLink document={WhatWentWrongDocument} variables={job} />}
                  >
                    {disputed.challenges.map((challenge) => (
                      <Dispute key={challenge.id} challenge={challenge} run={run} />
                    ))}
                  </Card>
                )
              }
            </Answered>
            <Answered answer={history} what="Its committees could not be read">
              {({ events }) => {
                const sittings = sittingsOf(events);
                if (sittings.length === 0) return null;
                return (
                  <Card
                    title="Who checked it"
                    aside={<QueryLink document={WhoCheckedDocument} variables={job} />}
                  >
                    {sittings.map((sitting) => (
                      <Seats
                        key={sitting.attempt}
                        sitting={sitting}
                        threshold={found.order.threshold}
                        members={
                          checked.data?.job?.attestations.find(({ attempt }) => attempt === sitting.attempt)
                            ?.members ?? []
                        }
                      />
                    ))}
                  </Card>
                );
              }}
            </Answered>
            <Columns>
              <Card
                title="What was ordered"
                aside={<QueryLink document={TrainingDataDocument} variables={job} />}
              >
                <OrderFacts order={found.order} />
              </Card>
              <Card
                title="Who offered to train it"
                aside={<QueryLink document={WhoTrainedDocument} variables={job} />}
              >
                <Answered answer={trained} what="Its bids could not be read">
                  {({ job: won }) =>
                    won === null || won.bids.length === 0 ? (
                      <EmptyState title="No bid has come in.">
                        {won?.provider != null && (
                          <span>
                            Taken by <Account address={won.provider.id} />.
                          </span>
                        )}
                      </EmptyState>
                    ) : (
                      <Table
                        caption="Bids"
                        rows={won.bids}
                        keyOf={({ provider }) => provider.id}
                        columns={[
                          { head: "Provider", cell: ({ provider }) => <Account address={provider.id} /> },
                          {
                            head: "Bid",
                            cell: ({ status }) => <Badge tone={bidTones[status]}>{bidWords[status]}</Badge>,
                          },
                          {
                            head: "Price",
                            isNumber: true,
                            cell: ({ price }) => (price === null ? "sealed" : <Amount units={price} />),
                          },
                        ]}
                      />
                    )
                  }
                </Answered>
              </Card>
            </Columns>
            {found.result !== null && (
              <Suspense fallback={<Skeleton lines={3} />}>
                <VerifyHere key={found.id} job={found} />
              </Suspense>
            )}
            <Answered answer={trained} what="Its checkpoints could not be read">
              {({ job: won }) =>
                won === null || won.checkpoints.length === 0 ? null : (
                  <Card
                    title="Checkpoints"
                    aside={<QueryLink document={WhoTrainedDocument} variables={job} />}
                  >
                    <Table
                      caption="Checkpoints"
                      rows={won.checkpoints}
                      keyOf={({ number }) => String(number)}
                      columns={[
                        { head: "Checkpoint", cell: ({ number }) => number },
                        {
                          head: "Steps",
                          isNumber: true,
                          cell: ({ steps }) => Number(steps).toLocaleString("en"),
                        },
                        { head: "State root", cell: ({ stateRoot }) => <Id hex={stateRoot} /> },
                        {
                          head: "Stands",
                          cell: ({ isClosed }) => (
                            <Badge tone={isClosed ? "healthy" : "waiting"}>
                              {isClosed ? "Yes" : "Can be challenged"}
                            </Badge>
                          ),
                        },
                        { head: "Paid", isNumber: true, cell: ({ paid: part }) => <Amount units={part} /> },
                      ]}
                    />
                  </Card>
                )
              }
            </Answered>
            <Columns>
              <Card
                title="Who was paid"
                aside={<QueryLink document={WhoWasPaidDocument} variables={{ job: id, paymentsOf: id }} />}
              >
                <Answered answer={paid} what="Its payments could not be read">
                  {({ payments }) =>
                    payments.length === 0 ? (
                      <EmptyState title="Nobody has been paid yet." />
                    ) : (
                      <Table
                        caption="Payments"
                        rows={payments}
                        keyOf={({ transaction, to, kind, amount }) => `${transaction}${to}${kind}${amount}`}
                        columns={[
                          { head: "To", cell: ({ to }) => <Account address={to} /> },
                          {
                            head: "What for",
                            cell: ({ kind, transaction }) => (
                              <Transaction hash={transaction}>{paymentWords[kind] ?? kind}</Transaction>
                            ),
                          },
                          {
                            head: "Amount",
                            isNumber: true,
                            cell: ({ amount, kind }) => (
                              <Amount units={amount} unit={kind === "ChallengeReward" ? "ETH" : "tokens"} />
                            ),
                          },
                        ]}
                      />
                    )
                  }
                </Answered>
              </Card>
              <Card title="What happened" aside={<QueryLink document={JobHistoryDocument} variables={job} />}>
                <Answered answer={history} what="Its history could not be read">
                  {({ events }) => (
                    <Table
                      caption="Events"
                      rows={inOrder(events).filter(
                        ({ contract, name }) => `${contract}.${name}` in eventWords,
                      )}
                      keyOf={({ id: event }) => event}
                      columns={[
                        {
                          head: "What",
                          cell: ({ contract, name, transaction }) => (
                            <Transaction hash={transaction}>
                              {eventWords[`${contract}.${name}`]![0]}
                            </Transaction>
                          ),
                        },
                        { head: "When", cell: ({ timestamp }) => <Time at={timestamp} /> },
                        { head: "By", cell: ({ sender }) => <Account address={sender} /> },
                      ]}
                    />
                  )}
                </Answered>
              </Card>
            </Columns>
          </>
        );
      }}
    </Answered>
  );
}
