import {
  OperatorsAtWorkDocument,
  type OperatorsAtWorkQuery,
  RecentJobsDocument,
  StoredDatasetsDocument,
} from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { rolesOf } from "../data/words.ts";
import { Badge } from "../ui/badge.tsx";
import { ButtonLink } from "../ui/button.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Amount } from "../ui/values.tsx";
import { DatasetTable } from "./parts/dataset-table.tsx";
import { JobTable } from "./parts/job-table.tsx";
import { Paged, type PageShown } from "./parts/pager.tsx";

export function Datasets() {
  return (
    <>
      <PageHead title="Datasets">
        What consumers had stored: cut into bundles, held by storage nodes, proved to be there again and
        again.
      </PageHead>
      <div>
        <ButtonLink to="/datasets/add">Add a dataset</ButtonLink>
      </div>
      <Paged>{(page) => <SomeDatasets {...page} />}</Paged>
    </>
  );
}

function SomeDatasets({ asked, show }: PageShown) {
  const answer = useAnswer(StoredDatasetsDocument, asked);
  return (
    <Card title="The latest" aside={<QueryLink document={StoredDatasetsDocument} variables={asked} />}>
      <Answered answer={answer} what="The datasets could not be read">
        {({ datasets }) => show(datasets, (rows) => <DatasetTable datasets={rows} />)}
      </Answered>
    </Card>
  );
}

export function Jobs() {
  return (
    <>
      <PageHead title="Jobs">
        Trainings that were ordered: who did them, whether the result was checked, and what was paid.
      </PageHead>
      <Paged>{(page) => <SomeJobs {...page} />}</Paged>
    </>
  );
}

function SomeJobs({ asked, show }: PageShown) {
  const answer = useAnswer(RecentJobsDocument, asked);
  return (
    <Card title="The latest" aside={<QueryLink document={RecentJobsDocument} variables={asked} />}>
      <Answered answer={answer} what="The jobs could not be read">
        {({ jobs }) => show(jobs, (rows) => <JobTable jobs={rows} />)}
      </Answered>
    </Card>
  );
}

export function Operators() {
  return (
    <>
      <PageHead title="Operators">
        Staked accounts behind the keepers: storage nodes, providers, validators. Whoever is wrong loses
        stake.
      </PageHead>
      <Paged>{(page) => <SomeOperators {...page} />}</Paged>
    </>
  );
}

function SomeOperators({ asked, show }: PageShown) {
  const answer = useAnswer(OperatorsAtWorkDocument, asked);
  return (
    <Card
      title="By what they have at stake"
      aside={<QueryLink document={OperatorsAtWorkDocument} variables={asked} />}
    >
      <Answered answer={answer} what="The operators could not be read">
        {({ operators }) => show(operators, (rows) => <OperatorTable operators={rows} />)}
      </Answered>
    </Card>
  );
}

function OperatorTable({ operators }: { operators: readonly OperatorsAtWorkQuery["operators"][number][] }) {
  if (operators.length === 0) return <EmptyState title="Nobody has registered yet." />;
  return (
    <Table
      caption="Operators"
      rows={operators}
      keyOf={({ id }) => id}
      columns={[
        { head: "Operator", cell: ({ id }) => <Account address={id} /> },
        { head: "Does", cell: ({ roles }) => rolesOf(roles) },
        {
          head: "State",
          cell: ({ isActive, slashed }) =>
            slashed !== "0" ? (
              <Badge tone="wrong">Was slashed</Badge>
            ) : (
              <Badge tone={isActive ? "healthy" : "neutral"}>{isActive ? "Active" : "Not registered"}</Badge>
            ),
        },
        { head: "At stake", isNumber: true, cell: ({ staked }) => <Amount units={staked} /> },
        { head: "Lost", isNumber: true, cell: ({ slashed }) => <Amount units={slashed} /> },
        { head: "Earned", isNumber: true, cell: ({ earned }) => <Amount units={earned} /> },
        {
          head: "Audits",
          isNumber: true,
          cell: ({ auditsAnswered, auditsMissed }) => `${auditsAnswered} of ${auditsAnswered + auditsMissed}`,
        },
        {
          head: "Jobs",
          isNumber: true,
          cell: ({ jobsFinalised, jobsFailed }) => `${jobsFinalised} of ${jobsFinalised + jobsFailed}`,
        },
      ]}
    />
  );
}
