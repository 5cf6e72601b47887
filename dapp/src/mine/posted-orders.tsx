import { useBlock } from "wagmi";
import { PostedOrdersDocument, type PostedOrdersQuery } from "../../../subgraph/queries/documents.ts";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { atMost } from "../ui/amounts.ts";
import { Badge } from "../ui/badge.tsx";
import { Card } from "../ui/card.tsx";
import { Table } from "../ui/table.tsx";
import { DatasetId, Id, Time } from "../ui/values.tsx";

type Order = PostedOrdersQuery["orders"][number];

/** Orders that were shown to all providers and that nobody has taken; nothing when there is none. */
export function PostedOrders({ account }: { account: string }) {
  const variables = { consumer: account.toLowerCase() };
  const answer = useAnswer(PostedOrdersDocument, variables);
  const { data: block } = useBlock({ watch: true });
  const waiting = (answer.data?.orders ?? []).filter(({ jobs }) => jobs.length === 0);
  if (waiting.length === 0) return null;
  const isOver = ({ expiry }: Order) => block !== undefined && block.timestamp > BigInt(expiry);
  return (
    <Card
      title="Orders that nobody has taken yet"
      aside={<QueryLink document={PostedOrdersDocument} variables={variables} />}
    >
      <p>All providers see them. When one takes an order, its price is taken from you and its job begins.</p>
      <Table
        caption="Orders that nobody has taken yet"
        rows={waiting}
        keyOf={({ id }) => id}
        columns={[
          { head: "Order", cell: ({ id }) => <Id hex={id} to={`/search/${id}`} /> },
          {
            head: "State",
            cell: (order) => (
              <Badge tone={isOver(order) ? "neutral" : "waiting"}>
                {isOver(order) ? "Too late to be taken" : "Waits for a provider"}
              </Badge>
            ),
          },
          { head: "Dataset", cell: ({ datasetId }) => <DatasetId id={datasetId} /> },
          { head: "Can be taken until", cell: ({ expiry }) => <Time at={expiry} /> },
          {
            head: "Price, at most",
            isNumber: true,
            cell: ({ deposit }) => `${atMost(BigInt(deposit))} tokens`,
          },
        ]}
      />
    </Card>
  );
}
