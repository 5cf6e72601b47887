import { Link } from "wouter";
import type { RecentJobsQuery } from "../../../../subgraph/queries/documents.ts";
import { jobTones } from "../../data/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { EmptyState } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { Account, Amount, DatasetId, Time } from "../../ui/values.tsx";

/** Jobs, one a row. */
export function JobTable({ jobs }: { jobs: readonly RecentJobsQuery["jobs"][number][] }) {
  if (jobs.length === 0) return <EmptyState title="No training has been ordered yet." />;
  return (
    <Table
      caption="Jobs"
      rows={jobs}
      keyOf={({ id }) => id}
      columns={[
        { head: "Job", cell: ({ id }) => <Link href={`/jobs/${id}`}>Job {id}</Link> },
        { head: "Status", cell: ({ status }) => <Badge tone={jobTones[status]!}>{status}</Badge> },
        { head: "Dataset", cell: ({ dataset }) => <DatasetId id={dataset.id} /> },
        { head: "Consumer", cell: ({ consumer }) => <Account address={consumer} /> },
        {
          head: "Provider",
          cell: ({ provider }) => (provider === null ? "–" : <Account address={provider.id} />),
        },
        { head: "Opened", cell: ({ openedAt }) => <Time at={openedAt} /> },
        { head: "Disputes", isNumber: true, cell: ({ challenges }) => challenges.length },
        { head: "Price", isNumber: true, cell: ({ price }) => <Amount units={price} /> },
      ]}
    />
  );
}
