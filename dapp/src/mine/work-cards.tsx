import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Address } from "viem";
import { Link } from "wouter";
import { OperatorWorkDocument } from "../../../subgraph/queries/documents.ts";
import { Answered } from "../data/answered.tsx";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { useContracts } from "../data/use-contracts.ts";
import { slashReason } from "../data/words.ts";
import { useNetwork } from "../network/context.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, Columns } from "../ui/card.tsx";
import { EmptyState } from "../ui/states.tsx";
import { Table } from "../ui/table.tsx";
import { Amount, DatasetId, inTokens, Time, Transaction } from "../ui/values.tsx";
import { type Duty, mostAsked, readDuties, standingOf } from "./duties.ts";
import styles from "./mine.module.css";
import { type HeldBundle, type LostStake, type PaidOut, type PastAudit, workOf } from "./operator-work.ts";

/** Rows that a list has at first, and that are added each time. */
const some = 20;

/** What an operator has to prove, has proved, was paid, and has lost; of an account without any of it, what it was paid. */
export function WorkCards({ account }: { account: Address }) {
  const [audits, setAudits] = useState(some);
  const [payments, setPayments] = useState(some);
  const variables = workOf({ account, audits, payments });
  const answer = useAnswer(OperatorWorkDocument, variables);
  const aside = <QueryLink document={OperatorWorkDocument} variables={variables} />;
  return (
    <Answered answer={answer} what="The work of this account could not be read">
      {(work) => (
        <>
          {work.operator !== null && work.operator.bundles.length > 0 && (
            <DutiesCard account={account} bundles={work.operator.bundles} />
          )}
          <Columns>
            {work.operator !== null && (
              <Card title="Audits" aside={aside}>
                <p>
                  {work.operator.auditsAnswered.toLocaleString("en")} answered,{" "}
                  {work.operator.auditsMissed.toLocaleString("en")} missed.
                </p>
                <PastAudits audits={work.audits} />
                <More shown={work.audits.length} asked={audits} onMore={() => setAudits(audits + some)} />
              </Card>
            )}
            <Card title="Paid to me" aside={aside}>
              {work.operator !== null && (
                <p>{inTokens(work.operator.earned)} tokens earned by work in all.</p>
              )}
              <Paid payments={work.payments} />
              <More
                shown={work.payments.length}
                asked={payments}
                onMore={() => setPayments(payments + some)}
              />
            </Card>
          </Columns>
          {work.operator !== null && (
            <Card title="Stake that was lost" aside={aside}>
              <Lost slashes={work.operator.slashes} />
            </Card>
          )}
        </>
      )}
    </Answered>
  );
}

/** Asks for more of a list that is as long as what was asked for. */
function More({ shown, asked, onMore }: { shown: number; asked: number; onMore: () => void }) {
  if (shown < asked) return null;
  return (
    <div>
      <Button onClick={onMore}>Show more</Button>
    </div>
  );
}

function Bundle({ bundle: { dataset, index } }: { bundle: HeldBundle }) {
  return (
    <>
      <DatasetId id={dataset.id} />, bundle {index}
    </>
  );
}

/** What is to be proved of bundles in these epochs, by the contracts' own word. */
function DutiesCard({ account, bundles }: { account: Address; bundles: readonly HeldBundle[] }) {
  const { contracts, client } = useContracts();
  const duties = useQuery({
    queryKey: ["duties", account, bundles.map(({ id }) => id)],
    queryFn: async () => {
      const [all, { timestamp }] = await Promise.all([
        readDuties(contracts, account, bundles),
        client.getBlock(),
      ]);
      return { all, now: timestamp };
    },
    refetchInterval: 15_000,
  });
  return (
    <Card title="Audits due" aside={<span className={styles.source}>From the chain</span>}>
      <Answered answer={duties} what="What is to be proved could not be read">
        {({ all, now }) =>
          all.length === 0 ? (
            <EmptyState title="Nothing is to be proved now." />
          ) : (
            <Due duties={all} now={now} />
          )
        }
      </Answered>
      {bundles.length > mostAsked && (
        <p>
          The newest {mostAsked} of {bundles.length.toLocaleString("en")} bundles.
        </p>
      )}
    </Card>
  );
}

function Due({ duties, now }: { duties: readonly Duty[]; now: bigint }) {
  const open = duties.filter(({ isAnswered }) => !isAnswered);
  const epochs = [...Map.groupBy(duties, ({ window }) => window.epoch)];
  return (
    <>
      {epochs.map(([epoch, all]) => (
        <p key={epoch}>
          Epoch {epoch}: {all.filter(({ isAnswered }) => isAnswered).length} of {all.length} answered;{" "}
          {now < all[0]!.window.closesAt ? "due until" : "they were due until"}{" "}
          <Time at={all[0]!.window.closesAt} />.
        </p>
      ))}
      {open.length > 0 && (
        <Table
          caption="Audits that are not answered"
          rows={open}
          keyOf={({ window, bundle }) => `${window.epoch} ${bundle.id}`}
          columns={[
            { head: "Epoch", cell: ({ window }) => window.epoch },
            { head: "Of", cell: ({ bundle }) => <Bundle bundle={bundle} /> },
            {
              head: "State",
              cell: (duty) => {
                const { tone, words } = standingOf(duty, now);
                return <Badge tone={tone}>{words}</Badge>;
              },
            },
            {
              head: "Until",
              cell: (duty) => {
                const { until } = standingOf(duty, now);
                return until === undefined ? "–" : <Time at={until} />;
              },
            },
          ]}
        />
      )}
    </>
  );
}

function PastAudits({ audits }: { audits: readonly PastAudit[] }) {
  if (audits.length === 0) return <EmptyState title="No audit has been answered or missed yet." />;
  return (
    <Table
      caption="Audits that are over"
      rows={audits}
      keyOf={({ id }) => id}
      columns={[
        { head: "Epoch", cell: ({ epoch }) => epoch },
        {
          head: "Of",
          cell: ({ bundle }) => (bundle === null ? "several bundles at once" : <Bundle bundle={bundle} />),
        },
        {
          head: "State",
          cell: ({ isAnswered }) => (
            <Badge tone={isAnswered ? "healthy" : "wrong"}>{isAnswered ? "Answered" : "Missed"}</Badge>
          ),
        },
        {
          head: "When",
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

const kinds: Readonly<Record<string, string>> = {
  StorageFee: "Fee for storage",
  Price: "Price of a training",
  CheckFee: "Fee for checking",
  Refund: "Money back",
  ChallengeReward: "Reward for a conviction",
  WorkerPay: "Pay of a worker",
  RepairBounty: "Bounty for a repair",
};

function Paid({ payments }: { payments: readonly PaidOut[] }) {
  if (payments.length === 0) return <EmptyState title="This account has been paid nothing yet." />;
  return (
    <Table
      caption="What this account was paid"
      rows={payments}
      keyOf={({ id }) => id}
      columns={[
        {
          head: "What for",
          cell: ({ kind, transaction }) => (
            <Transaction hash={transaction}>{kinds[kind] ?? kind}</Transaction>
          ),
        },
        {
          head: "Of",
          cell: ({ job, dataset, bundle }) =>
            job !== null ? (
              <Link href={`/jobs/${job.id}`}>Job {job.id}</Link>
            ) : bundle !== null ? (
              <Bundle bundle={bundle} />
            ) : dataset !== null ? (
              <DatasetId id={dataset.id} />
            ) : (
              "–"
            ),
        },
        { head: "When", cell: ({ timestamp }) => <Time at={timestamp} /> },
        {
          head: "Amount",
          isNumber: true,
          cell: ({ amount, kind }) => (
            <Amount units={amount} unit={kind === "ChallengeReward" ? "ETH" : "tokens"} />
          ),
        },
      ]}
    />
  );
}

function Lost({ slashes }: { slashes: readonly LostStake[] }) {
  const { deployment } = useNetwork();
  if (slashes.length === 0) return <EmptyState title="This account never lost stake." />;
  const nameOf = (address: string) =>
    Object.entries(deployment.addresses).find(([, each]) => each?.toLowerCase() === address)?.[0] ?? address;
  return (
    <Table
      caption="Stake that was lost"
      rows={slashes}
      keyOf={({ id }) => id}
      columns={[
        {
          head: "What for",
          cell: ({ reason, transaction }) => (
            <Transaction hash={transaction}>{slashReason(reason)}</Transaction>
          ),
        },
        { head: "Taken by", cell: ({ module }) => nameOf(module) },
        { head: "When", cell: ({ timestamp }) => <Time at={timestamp} /> },
        { head: "Lost", isNumber: true, cell: ({ amount }) => <Amount units={amount} /> },
      ]}
    />
  );
}
