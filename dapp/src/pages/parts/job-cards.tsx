import type {
  JobHistoryQuery,
  WhoTrainedQuery,
  WhoWasPaidQuery,
} from "../../../../subgraph/queries/documents.ts";
import { Badge } from "../../ui/badge.tsx";
import { EmptyState } from "../../ui/states.tsx";
import { Table } from "../../ui/table.tsx";
import { Account, Amount, Id, In, Time, Transaction } from "../../ui/values.tsx";
import { checkpointEvent, eventWords, inOrder, lastBidEvent } from "./job-events.ts";
import { Quote } from "./quote.tsx";

type Trained = NonNullable<WhoTrainedQuery["job"]>;

const bids = {
  Committed: ["Sealed", "waiting"],
  Revealed: ["Revealed", "neutral"],
  Won: ["Won", "healthy"],
  BondReturned: ["Bond returned", "neutral"],
  BondLost: ["Bond lost", "wrong"],
} as const;

/** Who offered to train it, for how much. */
export function Bids({ job, events }: { job: Trained; events: JobHistoryQuery["events"] }) {
  if (job.bids.length === 0) {
    return (
      <EmptyState title="No bid has come in.">
        {job.provider !== null && (
          <span>
            Taken by <Account address={job.provider.id} />.
          </span>
        )}
      </EmptyState>
    );
  }
  return (
    <Table
      caption="Bids"
      rows={job.bids}
      keyOf={({ provider }) => provider.id}
      columns={[
        { head: "Provider", cell: ({ provider }) => <Account address={provider.id} /> },
        { head: "Bid", cell: ({ status }) => <Badge tone={bids[status][1]}>{bids[status][0]}</Badge> },
        {
          head: "Since",
          cell: ({ provider }) => {
            const event = lastBidEvent(events, provider.id);
            return (
              event && (
                <Transaction hash={event.transaction}>
                  <Time at={event.timestamp} />
                </Transaction>
              )
            );
          },
        },
        {
          head: "Price",
          isNumber: true,
          cell: ({ price }) =>
            price === null ? "sealed" : <Quote price={price} feed={job.order.priceFeed} />,
        },
      ]}
    />
  );
}

/** Commitments to parts of the training. */
export function Checkpoints({ job, events }: { job: Trained; events: JobHistoryQuery["events"] }) {
  return (
    <Table
      caption="Checkpoints"
      rows={job.checkpoints}
      keyOf={({ number }) => String(number)}
      columns={[
        {
          head: "Checkpoint",
          cell: ({ number }) => <In event={checkpointEvent(events, "CheckpointPosted", number)}>{number}</In>,
        },
        { head: "Steps", isNumber: true, cell: ({ steps }) => Number(steps).toLocaleString("en") },
        { head: "State root", cell: ({ stateRoot }) => <Id hex={stateRoot} /> },
        {
          head: "Closed",
          cell: ({ isClosed }) => (
            <Badge tone={isClosed ? "healthy" : "waiting"}>{isClosed ? "Yes" : "Can be challenged"}</Badge>
          ),
        },
        {
          head: "Paid",
          isNumber: true,
          cell: ({ number, paid }) => (
            <In event={checkpointEvent(events, "CheckpointClosed", number)}>
              <Amount units={paid} />
            </In>
          ),
        },
      ]}
    />
  );
}

const payments: { readonly [kind: string]: string } = {
  Price: "Price of the training",
  CheckFee: "Fee for checking intervals",
  Refund: "Back to the consumer",
  WorkerPay: "Pay of a worker",
  ChallengeReward: "Reward for a conviction",
};

/** Who was paid, and what for. */
export function Payments({ payments: all }: { payments: WhoWasPaidQuery["payments"] }) {
  if (all.length === 0) return <EmptyState title="Nobody has been paid yet." />;
  return (
    <Table
      caption="Payments"
      rows={all}
      keyOf={({ transaction, to, kind, amount }) => `${transaction}${to}${kind}${amount}`}
      columns={[
        { head: "To", cell: ({ to }) => <Account address={to} /> },
        {
          head: "What for",
          cell: ({ kind, transaction }) => (
            <Transaction hash={transaction}>{payments[kind] ?? kind}</Transaction>
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
  );
}

/** Everything that happened, in the chain's order. */
export function Events({ events }: { events: JobHistoryQuery["events"] }) {
  return (
    <Table
      caption="Events"
      rows={inOrder(events).filter(({ contract, name }) => `${contract}.${name}` in eventWords)}
      keyOf={({ id }) => id}
      columns={[
        {
          head: "What",
          cell: ({ contract, name, transaction }) => (
            <Transaction hash={transaction}>{eventWords[`${contract}.${name}`]![0]}</Transaction>
          ),
        },
        { head: "When", cell: ({ timestamp }) => <Time at={timestamp} /> },
        { head: "By", cell: ({ sender }) => <Account address={sender} /> },
        { head: "Block", isNumber: true, cell: ({ block }) => Number(block).toLocaleString("en") },
      ]}
    />
  );
}
