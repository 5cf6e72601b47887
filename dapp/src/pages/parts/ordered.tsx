import { OrderedJobsDocument } from "../../../../subgraph/queries/documents.ts";
import { QueryLink } from "../../data/query-link.tsx";
import { useAnswer } from "../../data/use-answer.ts";
import { Card } from "../../ui/card.tsx";
import { EmptyState, Failure } from "../../ui/states.tsx";
import { JobTable } from "./job-table.tsx";
import { Paged, type PageShown } from "./pager.tsx";

type Props = {
  readonly account: string;
  readonly title: string;
  /** What to say when it ordered none; nothing is shown without it. */
  readonly none?: string;
};

/** Trainings that an account ordered. */
export function Ordered(props: Props) {
  return <Paged>{(page) => <Some {...props} {...page} />}</Paged>;
}

function Some({ account, title, none, asked, show }: Props & PageShown) {
  const variables = { consumer: account.toLowerCase(), ...asked };
  const { data, error, refetch } = useAnswer(OrderedJobsDocument, variables);
  if (data === undefined) {
    return error === null ? null : (
      <Failure
        what="The trainings that were ordered could not be read"
        error={error}
        retry={() => void refetch()}
      />
    );
  }
  const isNone = data.jobs.length === 0 && asked.skip === 0;
  if (isNone && none === undefined) return null;
  return (
    <Card title={title} aside={<QueryLink document={OrderedJobsDocument} variables={variables} />}>
      {isNone ? <EmptyState title={none!} /> : show(data.jobs, (jobs) => <JobTable jobs={jobs} />)}
    </Card>
  );
}
