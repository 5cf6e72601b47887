import { Link } from "wouter";
import { OperatorBundlesDocument, OperatorJobsDocument } from "../../../../subgraph/queries/documents.ts";
import { Answered } from "../../data/answered.tsx";
import { QueryLink } from "../../data/query-link.tsx";
import { useAnswer } from "../../data/use-answer.ts";
import { jobTones } from "../../data/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card } from "../../ui/card.tsx";
import { EmptyState } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { Amount, DatasetId } from "../../ui/values.tsx";
import { Paged, type PageShown } from "./pager.tsx";

/** What an operator trained. */
export function OperatorJobs({ operator }: { operator: string }) {
  return <Paged>{(page) => <SomeJobs operator={operator} {...page} />}</Paged>;
}

function SomeJobs({ operator, asked, show }: PageShown & { operator: string }) {
  const variables = { operator, ...asked };
  const answer = useAnswer(OperatorJobsDocument, variables);
  return (
    <Card title="Jobs" aside={<QueryLink document={OperatorJobsDocument} variables={variables} />}>
      <Answered answer={answer} what="Its jobs could not be read">
        {(found) => {
          const jobs = found.operator?.jobs ?? [];
          if (jobs.length === 0 && asked.skip === 0) return <EmptyState title="It trained nothing." />;
          return show(jobs, (rows) => (
            <Table
              caption="Jobs"
              rows={rows}
              keyOf={(job) => job.id}
              columns={[
                { head: "Job", cell: (job) => <Link href={`/jobs/${job.id}`}>Job {job.id}</Link> },
                {
                  head: "Status",
                  cell: ({ status }) => <Badge tone={jobTones[status]!}>{status}</Badge>,
                },
                { head: "Paid", isNumber: true, cell: ({ paid }) => <Amount units={paid} /> },
              ]}
            />
          ));
        }}
      </Answered>
    </Card>
  );
}

/** What an operator holds. */
export function OperatorBundles({ operator }: { operator: string }) {
  return <Paged>{(page) => <SomeBundles operator={operator} {...page} />}</Paged>;
}

function SomeBundles({ operator, asked, show }: PageShown & { operator: string }) {
  const variables = { operator, ...asked };
  const answer = useAnswer(OperatorBundlesDocument, variables);
  return (
    <Card title="Bundles" aside={<QueryLink document={OperatorBundlesDocument} variables={variables} />}>
      <Answered answer={answer} what="Its bundles could not be read">
        {(found) => {
          const bundles = found.operator?.bundles ?? [];
          if (bundles.length === 0 && asked.skip === 0) return <EmptyState title="It holds no bundle." />;
          return show(bundles, (rows) => (
            <Table
              caption="Bundles"
              rows={rows}
              keyOf={(bundle) => bundle.id}
              columns={[
                { head: "Dataset", cell: ({ dataset }) => <DatasetId id={dataset.id} /> },
                { head: "Bundle", isNumber: true, cell: ({ index }) => index },
                {
                  head: "Audits",
                  isNumber: true,
                  cell: ({ auditsAnswered, auditsMissed }) =>
                    `${auditsAnswered} of ${auditsAnswered + auditsMissed}`,
                },
              ]}
            />
          ));
        }}
      </Answered>
    </Card>
  );
}
