import { lazy } from "react";
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
import { Card, Columns, PageHead, Stack } from "../ui/card.tsx";
import { Later } from "../ui/later.tsx";
import { Account, DatasetId } from "../ui/values.tsx";
import { Dispute } from "./parts/dispute.tsx";
import { Ended } from "./parts/ended.tsx";
import { Bids, Checkpoints, Events, Payments } from "./parts/job-cards.tsx";
import { inOrder, sittingsOf } from "./parts/job-events.ts";
import { Life } from "./parts/life.tsx";
import { MissingJob } from "./parts/missing-job.tsx";
import { Now } from "./parts/now.tsx";
import { OrderFacts, runOf } from "./parts/order-facts.tsx";
import { Seats } from "./parts/seats.tsx";
import { Workers } from "./parts/workers.tsx";

const Curves = lazy(() => import("../compute/curves.tsx"));
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
        if (found === null) return <MissingJob id={id} />;
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
            <Now
              job={found}
              trained={trained.data?.job ?? undefined}
              training={
                trained.data?.job?.provider != null && (
                  <Workers
                    events={inOrder(history.data?.events ?? [])}
                    provider={trained.data.job.provider.id}
                  />
                )
              }
            />
            {wrong.data?.job != null && history.data !== undefined && (
              <Ended job={wrong.data.job} events={history.data.events} />
            )}
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
                      <Dispute
                        key={challenge.id}
                        challenge={challenge}
                        events={history.data?.events ?? []}
                        run={run}
                      />
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
              <Stack>
                <Card
                  title="Who offered to train it"
                  aside={<QueryLink document={WhoTrainedDocument} variables={job} />}
                >
                  <Answered answer={trained} what="Its bids could not be read">
                    {({ job: won }) => won !== null && <Bids job={won} events={history.data?.events ?? []} />}
                  </Answered>
                </Card>
                <Card
                  title="Who was paid"
                  aside={<QueryLink document={WhoWasPaidDocument} variables={{ job: id, paymentsOf: id }} />}
                >
                  <Answered answer={paid} what="Its payments could not be read">
                    {({ payments }) => <Payments payments={payments} />}
                  </Answered>
                </Card>
              </Stack>
            </Columns>
            {found.commitUntil !== null && found.order.training !== null && (
              <Later>
                <Curves job={found} checkpoints={trained.data?.job?.checkpoints ?? []} />
              </Later>
            )}
            {found.result !== null && (
              <Later>
                <VerifyHere job={found} />
              </Later>
            )}
            {trained.data?.job != null && trained.data.job.checkpoints.length > 0 && (
              <Card title="Checkpoints" aside={<QueryLink document={WhoTrainedDocument} variables={job} />}>
                <Checkpoints job={trained.data.job} events={history.data?.events ?? []} />
              </Card>
            )}
            <Card title="What happened" aside={<QueryLink document={JobHistoryDocument} variables={job} />}>
              <Answered answer={history} what="Its history could not be read">
                {({ events }) => <Events events={events} />}
              </Answered>
            </Card>
          </>
        );
      }}
    </Answered>
  );
}
