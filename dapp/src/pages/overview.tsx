import {
  DailyTotalsDocument,
  NetworkTotalsDocument,
  RecentJobsDocument,
  SlashedOperatorsDocument,
  StoredDatasetsDocument,
} from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { percent, slashReason } from "../data/words.ts";
import { useNetwork } from "../network/context.ts";
import { Card, Columns, PageHead } from "../ui/card.tsx";
import { Stat, Stats } from "../ui/stat.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Account, Amount, inTokens, Time, Transaction } from "../ui/values.tsx";
import { DatasetTable } from "./parts/dataset-table.tsx";
import { JobTable } from "./parts/job-table.tsx";

const few = { first: 5 };
const always = {};

/** The network as a whole: what it holds, what it did, and what went wrong. */
export default function Overview() {
  const { name, deployment } = useNetwork();
  const totals = useAnswer(NetworkTotalsDocument, always);
  const days = useAnswer(DailyTotalsDocument, { days: 30 });
  const jobs = useAnswer(RecentJobsDocument, few);
  const datasets = useAnswer(StoredDatasetsDocument, few);
  const slashes = useAnswer(SlashedOperatorsDocument, { since: "0" });
  return (
    <>
      <PageHead title="What the network holds, and what it proved" kind={name}>
        <span>
          Chain {deployment.chainId}. Every figure leads to the query or the transaction that it comes from.
        </span>
      </PageHead>
      <Card title="In all" aside={<QueryLink document={NetworkTotalsDocument} />}>
        <Answered answer={totals} what="The totals could not be read">
          {({ network, _meta }) =>
            network === null ? (
              <EmptyState title="Nothing has happened on this network yet." />
            ) : (
              <Stats>
                <Stat name="Datasets" value={network.datasets} note={`${network.bundles} bundles`} />
                <Stat
                  name="Storage audits answered"
                  value={percent(network.auditsAnswered, network.auditsAnswered + network.auditsMissed)}
                  note={`${network.auditsAnswered} answered, ${network.auditsMissed} missed`}
                />
                <Stat
                  name="Jobs"
                  value={network.jobs}
                  note={`${network.jobsFinalised} paid, ${network.jobsFailed} failed`}
                />
                <Stat
                  name="Disputes"
                  value={network.challenges}
                  note={`${network.convictions} ended in a conviction`}
                />
                <Stat
                  name="Operators"
                  value={network.operators}
                  note={`${inTokens(network.staked)} tokens staked`}
                />
                <Stat name="Paid for work" value={inTokens(network.paid)} note="tokens" />
                <Stat
                  name="Taken from those who were wrong"
                  value={inTokens(network.slashed)}
                  note={`tokens, ${inTokens(network.burnt)} of them burnt`}
                />
                <Stat name="Read up to block" value={(_meta?.block.number ?? 0).toLocaleString("en")} />
              </Stats>
            )
          }
        </Answered>
      </Card>
      <Card title="Latest jobs" aside={<QueryLink document={RecentJobsDocument} variables={few} />}>
        <Answered answer={jobs} what="The jobs could not be read">
          {(result) => <JobTable jobs={result.jobs} />}
        </Answered>
      </Card>
      <Card title="Latest datasets" aside={<QueryLink document={StoredDatasetsDocument} variables={few} />}>
        <Answered answer={datasets} what="The datasets could not be read">
          {(result) => <DatasetTable datasets={result.datasets} />}
        </Answered>
      </Card>
      <Columns>
        <Card title="Who lost stake" aside={<QueryLink document={SlashedOperatorsDocument} />}>
          <Answered answer={slashes} what="The slashes could not be read">
            {(result) =>
              result.slashes.length === 0 ? (
                <EmptyState title="Nobody has lost stake." />
              ) : (
                <Table
                  caption="Slashed operators"
                  rows={result.slashes.slice(0, 8)}
                  keyOf={({ transaction, operator }) => `${transaction}${operator.id}`}
                  columns={[
                    { head: "Operator", cell: ({ operator }) => <Account address={operator.id} /> },
                    {
                      head: "What for",
                      cell: ({ reason, transaction }) => (
                        <Transaction hash={transaction}>{slashReason(reason)}</Transaction>
                      ),
                    },
                    { head: "Lost", isNumber: true, cell: ({ amount }) => <Amount units={amount} /> },
                  ]}
                />
              )
            }
          </Answered>
        </Card>
        <Card
          title="Day by day"
          aside={<QueryLink document={DailyTotalsDocument} variables={{ days: 30 }} />}
        >
          <Answered answer={days} what="The days could not be read">
            {(result) => (
              <Table
                caption="Totals of each day"
                rows={result.days}
                keyOf={({ start }) => start}
                columns={[
                  { head: "Day (UTC)", cell: ({ start }) => <Time at={start} isDay /> },
                  { head: "Jobs", isNumber: true, cell: ({ jobsOpened }) => jobsOpened },
                  { head: "Disputes", isNumber: true, cell: ({ challenges }) => challenges },
                  {
                    head: "Audits",
                    isNumber: true,
                    cell: ({ auditsAnswered, auditsMissed }) =>
                      `${auditsAnswered} / ${auditsAnswered + auditsMissed}`,
                  },
                  { head: "Paid", isNumber: true, cell: ({ paid }) => <Amount units={paid} /> },
                ]}
              />
            )}
          </Answered>
        </Card>
      </Columns>
    </>
  );
}
