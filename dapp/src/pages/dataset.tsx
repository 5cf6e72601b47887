import { lazy, Suspense } from "react";
import { type Hex, hexToBytes } from "viem";
import { Link } from "wouter";
import { manifestCid } from "../../../keepers/src/core/dataset/manifest.ts";
import {
  BundleAuditsDocument,
  LineageDocument,
  StorageHealthDocument,
  type StorageHealthQuery,
} from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { jobTones } from "../data/words.ts";
import { canBeRead } from "../order/offered.ts";
import { Badge } from "../ui/badge.tsx";
import { ButtonLink } from "../ui/button.tsx";
import { Card, Columns, PageHead } from "../ui/card.tsx";
import { Later } from "../ui/later.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Amount, DatasetId, Id, In, Time, Transaction } from "../ui/values.tsx";
import { Whole } from "../ui/whole.tsx";
import { BundleMap } from "./parts/bundle-map.tsx";
import { healthOf } from "./parts/dataset-health.ts";
import { eventOf } from "./parts/retrievals.ts";

const DatasetName = lazy(() => import("./parts/dataset-name.tsx"));
const ManifestFacts = lazy(() => import("./parts/manifest-facts.tsx"));
const CheckProofs = lazy(() => import("../compute/check-proofs.tsx"));

/** One dataset: who holds it, who proved it, what it was used for. */
export default function Dataset({ id }: { id: string }) {
  const variables = { dataset: id, bundlesOf: id };
  const health = useAnswer(StorageHealthDocument, variables);
  const audits = useAnswer(BundleAuditsDocument, { bundlesOf: id });
  const lineage = useAnswer(LineageDocument, { dataset: id });
  return (
    <Answered answer={health} what="The dataset could not be read">
      {({ dataset, audits: missed, retrievals }) => {
        if (dataset === null) {
          return (
            <EmptyState title="There is no dataset with this id on this chain.">
              <Link href="/datasets">All datasets</Link>
            </EmptyState>
          );
        }
        const { tone, word, why } = healthOf(dataset);
        return (
          <>
            <PageHead kind="Dataset" title={<Id hex={id} />}>
              <Suspense>
                <DatasetName id={id} digest={dataset.manifestDigest} />
              </Suspense>
              <Badge tone={tone}>{word}</Badge>
              <span>{why}</span>
            </PageHead>
            {canBeRead(dataset) && (
              <div>
                <ButtonLink to={`/order/${id}`}>Order a training on it</ButtonLink>
              </div>
            )}
            <Card
              title="Bundles, and what their holders proved"
              aside={<QueryLink document={BundleAuditsDocument} variables={{ bundlesOf: id }} />}
            >
              <Answered answer={audits} what="The audits could not be read">
                {(found) => <BundleMap bundles={dataset.bundles} audits={found.audits} />}
              </Answered>
            </Card>
            <Later>
              <CheckProofs dataset={dataset} />
            </Later>
            <Later>
              <ManifestFacts id={id as Hex} digest={dataset.manifestDigest as Hex} />
            </Later>
            <Columns>
              <Card
                title="What it is"
                aside={<QueryLink document={StorageHealthDocument} variables={variables} />}
              >
                <Facts>
                  <Fact name="Id">
                    <Whole text={id} />
                  </Fact>
                  <Fact name="Owner">
                    <Account address={dataset.owner} />
                  </Fact>
                  <Fact name="Objects">
                    {Number(dataset.objectCount).toLocaleString("en")} of{" "}
                    {Number(dataset.objectSize).toLocaleString("en")} bytes
                    {dataset.isEncrypted ? ", encrypted" : ""}
                  </Fact>
                  <Fact name="Anchored">
                    <In event={dataset.events[0]}>
                      <Time at={dataset.anchoredAt} />
                    </In>
                  </Fact>
                  <Fact name="Root of the objects">
                    <Id hex={dataset.objectRoot} />
                  </Fact>
                  <Fact name="Manifest (CID)">
                    <Whole text={manifestCid(hexToBytes(dataset.manifestDigest as Hex))} />
                  </Fact>
                  <Fact name="Left to pay holders">
                    <Amount units={dataset.fees} />
                  </Fact>
                  <Fact name="Paid to holders">
                    <Amount units={dataset.feesPaid} />
                  </Fact>
                  <Fact name="Paid until epoch">{dataset.paidUntilEpoch ?? "–"}</Fact>
                </Facts>
              </Card>
              <Card
                title="What went wrong"
                aside={<QueryLink document={StorageHealthDocument} variables={variables} />}
              >
                {missed.length + retrievals.length + dataset.ownerRetrievals.length === 0 ? (
                  <EmptyState title="Nothing: every audit was answered, and nobody had to demand a piece of it." />
                ) : (
                  <>
                    {missed.length > 0 && <Missed audits={missed} />}
                    {retrievals.length > 0 && <NotGiven retrievals={retrievals} />}
                    {dataset.ownerRetrievals.length > 0 && <Asked dataset={dataset} />}
                  </>
                )}
              </Card>
            </Columns>
            <Card
              title="Trained on it"
              aside={<QueryLink document={LineageDocument} variables={{ dataset: id }} />}
            >
              <Answered answer={lineage} what="Its jobs could not be read">
                {(found) =>
                  (found.dataset?.jobs.length ?? 0) === 0 ? (
                    <EmptyState title="Nothing was trained on this dataset.">
                      {(found.dataset?.versions.length ?? 0) === 0
                        ? "It may be the stored result of a job."
                        : undefined}
                    </EmptyState>
                  ) : (
                    <Table
                      caption="Jobs on this dataset"
                      rows={found.dataset!.jobs}
                      keyOf={(job) => job.id}
                      columns={[
                        { head: "Job", cell: (job) => <Link href={`/jobs/${job.id}`}>Job {job.id}</Link> },
                        {
                          head: "Status",
                          cell: ({ status }) => <Badge tone={jobTones[status]!}>{status}</Badge>,
                        },
                        { head: "Consumer", cell: ({ consumer }) => <Account address={consumer} /> },
                        {
                          head: "Result",
                          cell: ({ result }) => (result === null ? "–" : <DatasetId id={result.id} />),
                        },
                      ]}
                    />
                  )
                }
              </Answered>
            </Card>
          </>
        );
      }}
    </Answered>
  );
}

/** Audits that nobody answered. */
function Missed({ audits }: { audits: StorageHealthQuery["audits"] }) {
  return (
    <Table
      caption="Audits that were missed"
      rows={audits}
      keyOf={({ transaction, bundle }) => `${transaction}${bundle?.index}`}
      columns={[
        { head: "Epoch", cell: ({ epoch }) => epoch },
        { head: "Bundle", cell: ({ bundle }) => bundle?.index ?? "–" },
        { head: "Holder", cell: ({ operator }) => <Account address={operator.id} /> },
        {
          head: "Missed",
          cell: ({ transaction, timestamp }) => (
            <Transaction hash={transaction}>
              <Time at={timestamp} />
            </Transaction>
          ),
        },
      ]}
    />
  );
}

/** Pieces that a holder was asked for on the chain, and did not give. */
function NotGiven({ retrievals }: { retrievals: StorageHealthQuery["retrievals"] }) {
  return (
    <Table
      caption="Pieces that were not given"
      rows={retrievals}
      keyOf={({ id }) => id}
      columns={[
        { head: "Piece", cell: ({ cellIndex }) => cellIndex },
        { head: "Bundle", cell: ({ bundle }) => bundle.index },
        { head: "Holder", cell: ({ operator }) => <Account address={operator.id} /> },
        { head: "Asked by", cell: ({ challenger }) => <Account address={challenger} /> },
        {
          head: "Not given by",
          cell: ({ id, deadline, bundle }) => (
            <In event={eventOf(id, bundle.events)}>
              <Time at={deadline} />
            </In>
          ),
        },
      ]}
    />
  );
}

/** Pieces that no holder owes, which the owner was asked for and has not published. */
function Asked({
  dataset: { ownerRetrievals, asked },
}: {
  dataset: NonNullable<StorageHealthQuery["dataset"]>;
}) {
  return (
    <Table
      caption="Pieces that no holder owes and that the owner has not published"
      rows={ownerRetrievals}
      keyOf={({ id }) => id}
      columns={[
        { head: "Piece", cell: ({ cellIndex }) => cellIndex },
        { head: "Bundle", cell: ({ bundleIndex }) => bundleIndex },
        { head: "Asked by", cell: ({ challenger }) => <Account address={challenger} /> },
        {
          head: "The owner was asked to publish it by",
          cell: ({ id, deadline }) => (
            <In event={eventOf(id, asked)}>
              <Time at={deadline} />
            </In>
          ),
        },
      ]}
    />
  );
}
