import type { Address } from "viem";
import { PostedOrdersDocument } from "../../../subgraph/queries/documents.ts";
import { useAnswer } from "../data/use-answer.ts";
import { useContracts } from "../data/use-contracts.ts";
import { type OpenOrder, openOrders } from "./posted.ts";

/** Orders that an account posted: ids of all that are listed, and those that can still be taken. */
export type Posted = { readonly listed: ReadonlySet<string>; readonly open: readonly OpenOrder[] };

/** Reads the orders that an account posted, when it is asked to; it throws what keeps it from that. */
export function usePosted(account: Address | undefined): () => Promise<Posted> {
  const { contracts, client } = useContracts();
  const consumer = account?.toLowerCase() ?? "";
  const answer = useAnswer(PostedOrdersDocument, { consumer }, account !== undefined);
  return async () => {
    if (account === undefined) return { listed: new Set(), open: [] };
    const { data } = answer.isSuccess && !answer.isPlaceholderData ? answer : await answer.refetch();
    if (data === undefined)
      throw answer.error ?? new Error("The orders that you posted before could not be read. Try again.");
    const { timestamp } = await client.getBlock();
    return {
      listed: new Set(data.orders.map(({ id }) => id)),
      open: await openOrders(contracts, account, data.orders, timestamp),
    };
  };
}
