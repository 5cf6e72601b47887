import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Address } from "viem";
import { useBlock } from "wagmi";
import { addressOf } from "../../../keepers/src/chain/contracts.ts";
import { PostedOrdersDocument } from "../../../subgraph/queries/documents.ts";
import { runner } from "../act/runner.ts";
import { QueryLink } from "../data/query-link.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { useContracts } from "../data/use-contracts.ts";
import { useNetwork } from "../network/context.ts";
import { approvalStep } from "../order/order-actions.ts";
import { cancelAction, openOrders, type PostedOrder, promisedBy } from "../order/posted.ts";
import { atMost } from "../ui/amounts.ts";
import { Badge, Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Table } from "../ui/table.tsx";
import type { Tone } from "../ui/tone.ts";
import { DatasetId, Id, Time } from "../ui/values.tsx";

type State = { readonly tone: Tone; readonly word: string };

/** Orders that were shown to all providers and that nobody has taken; nothing when there is none. */
export function PostedOrders({ account }: { account: Address }) {
  const { deployment } = useNetwork();
  const { contracts } = useContracts();
  const queries = useQueryClient();
  const variables = { consumer: account.toLowerCase() };
  const answer = useAnswer(PostedOrdersDocument, variables);
  const { data: block } = useBlock({ watch: true });
  const waiting = (answer.data?.orders ?? []).filter(({ jobs }) => jobs.length === 0);
  const onChain = useQuery({
    queryKey: ["open orders", account, waiting.map(({ id }) => id), String(block?.number)],
    enabled: waiting.length > 0 && block !== undefined,
    placeholderData: (
      before: { open: Awaited<ReturnType<typeof openOrders>>; allowed: bigint } | undefined,
    ) => before,
    queryFn: async () => {
      const [open, allowed] = await Promise.all([
        openOrders(contracts, account, waiting, block!.timestamp),
        contracts.AssayToken.read.allowance([account, addressOf(deployment, "Escrow")]),
      ]);
      return { open, allowed };
    },
  });
  if (waiting.length === 0) return null;
  const { open, allowed } = onChain.data ?? {};
  const promised = promisedBy(open ?? []);
  const parts = { deployment, account, done: () => void queries.invalidateQueries() };
  const openOne = ({ id }: PostedOrder) => open?.find(({ row }) => row.id === id);
  const stateOf = (order: PostedOrder): State => {
    if (block !== undefined && block.timestamp > BigInt(order.expiry))
      return { tone: "neutral", word: "Too late to be taken" };
    if (open === undefined || allowed === undefined) return { tone: "neutral", word: "Being read" };
    const one = openOne(order);
    if (one === undefined) return { tone: "neutral", word: "Taken back" };
    return one.cost > allowed
      ? { tone: "wrong", word: "Cannot be paid" }
      : { tone: "waiting", word: "Waits for a provider" };
  };
  return (
    <Card
      title="Orders that nobody has taken yet"
      aside={<QueryLink document={PostedOrdersDocument} variables={variables} />}
    >
      <p>All providers see them. When one takes an order, its price is taken from you and its job begins.</p>
      {allowed !== undefined && promised > allowed && (
        <Notice tone="wrong" title="The escrow may not take enough for all of them">
          <p>
            They take {atMost(promised)} tokens in all, and the escrow may take {atMost(allowed)} of yours:
            whichever comes too late cannot be taken by any provider.
          </p>
          <Button
            onClick={() =>
              runner.begin({
                ...{ title: "Let the escrow take enough for all posted orders", account, done: parts.done },
                steps: [approvalStep(deployment, promised, promised)],
              })
            }
          >
            Let it take enough
          </Button>
        </Notice>
      )}
      <Table
        caption="Orders that nobody has taken yet"
        rows={waiting}
        keyOf={({ id }) => id}
        columns={[
          { head: "Order", cell: ({ id }) => <Id hex={id} to={`/search/${id}`} /> },
          {
            head: "State",
            cell: (order) => {
              const { tone, word } = stateOf(order);
              return <Badge tone={tone}>{word}</Badge>;
            },
          },
          { head: "Dataset", cell: ({ datasetId }) => <DatasetId id={datasetId} /> },
          { head: "Can be taken until", cell: ({ expiry }) => <Time at={expiry} /> },
          {
            head: "Price, at most",
            isNumber: true,
            cell: ({ deposit }) => `${atMost(BigInt(deposit))} tokens`,
          },
          {
            head: "No longer wanted",
            cell: (order) =>
              openOne(order) === undefined ? (
                "–"
              ) : (
                <Button onClick={() => runner.begin(cancelAction(parts, order))}>Take it back</Button>
              ),
          },
        ]}
      />
    </Card>
  );
}
