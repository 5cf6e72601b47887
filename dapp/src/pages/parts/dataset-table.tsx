import { lazy, Suspense } from "react";
import type { StoredDatasetsQuery } from "../../../../subgraph/queries/documents.ts";
import { Badge } from "../../ui/badge.tsx";
import { EmptyState } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { Account, DatasetId, Time } from "../../ui/values.tsx";
import { healthOf, holdingOf } from "./dataset-health.ts";

const DatasetName = lazy(() => import("./dataset-name.tsx"));

type Dataset = StoredDatasetsQuery["datasets"][number];

const sum = ({ bundles }: Dataset, field: "auditsAnswered" | "auditsMissed") =>
  bundles.reduce((total, bundle) => total + bundle[field], 0);

/** Datasets, one a row. */
export function DatasetTable({ datasets }: { datasets: readonly Dataset[] }) {
  if (datasets.length === 0) return <EmptyState title="No dataset has been anchored yet." />;
  return (
    <Table
      caption="Datasets"
      rows={datasets}
      keyOf={({ id }) => id}
      columns={[
        { head: "Dataset", cell: ({ id }) => <DatasetId id={id} /> },
        {
          head: "Its owner calls it",
          cell: ({ id, manifestDigest }) => (
            <Suspense fallback="–">
              <DatasetName id={id} digest={manifestDigest} />
            </Suspense>
          ),
        },
        {
          head: "Health",
          cell: (dataset) => {
            const { tone, word } = healthOf(dataset);
            return <Badge tone={tone}>{word}</Badge>;
          },
        },
        { head: "Owner", cell: ({ owner }) => <Account address={owner} /> },
        {
          head: "Objects",
          isNumber: true,
          cell: ({ objectCount, objectSize }) =>
            `${Number(objectCount).toLocaleString("en")} × ${Number(objectSize).toLocaleString("en")} B`,
        },
        {
          head: "Bundles",
          isNumber: true,
          cell: (dataset) => {
            const { held, total } = holdingOf(dataset);
            return `${held.toLocaleString("en")} of ${total.toLocaleString("en")}`;
          },
        },
        {
          head: "Audits",
          isNumber: true,
          cell: (dataset) =>
            `${sum(dataset, "auditsAnswered")} of ${sum(dataset, "auditsAnswered") + sum(dataset, "auditsMissed")}`,
        },
        { head: "Anchored", cell: ({ anchoredAt }) => <Time at={anchoredAt} /> },
        { head: "Jobs", isNumber: true, cell: ({ jobs }) => jobs.length },
      ]}
    />
  );
}
