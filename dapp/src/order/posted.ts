import type { Address, Hex } from "viem";
import { type Contracts, encodeCall } from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { costOf } from "../../../keepers/src/roles/consumer/order-cost.ts";
import type { PostedOrdersQuery } from "../../../subgraph/queries/documents.ts";
import type { Action } from "../act/steps.ts";
import { tokens } from "./order-words.ts";

export type PostedOrder = PostedOrdersQuery["orders"][number];

/** An order that a provider can still take, and what it takes from the consumer then. */
export type OpenOrder = { readonly row: PostedOrder; readonly cost: bigint };

/**
 * Those of an account's posted orders that can still be taken: nobody has, they are not over, and the market says that their
 * number was not used.
 *
 * @param now second of the newest block
 */
export async function openOrders(
  contracts: Contracts,
  account: Address,
  rows: readonly PostedOrder[],
  now: bigint,
): Promise<OpenOrder[]> {
  const waiting = rows.filter(({ jobs, expiry }) => jobs.length === 0 && BigInt(expiry) >= now);
  const open = await Promise.all(
    waiting.map(async (row) => {
      if (await contracts.Market.read.isNonceUsed([account, BigInt(row.nonce)])) return [];
      const { deposit, checkFee, committeeSize, training } = row;
      const conditions = { committeeSize, deposit: BigInt(deposit), checkFee: BigInt(checkFee) };
      const cost = await costOf(contracts, { order: { conditions }, training: training as Hex });
      return [{ row, cost }];
    }),
  );
  return open.flat();
}

/** What all of them may take in all: the allowance that they share has to be as much, or the last one cannot be taken. */
export const promisedBy = (open: readonly OpenOrder[]): bigint =>
  open.reduce((sum, { cost }) => sum + cost, 0n);

type CancelParts = {
  readonly deployment: Deployment;
  readonly account: Address;
  readonly done: Action["done"];
};

/** Takes a posted order back: its number is used up, and no provider can take it any more. */
export function cancelAction({ deployment, account, done }: CancelParts, row: PostedOrder): Action {
  return {
    title: "Take an order back",
    account,
    steps: [
      {
        kind: "send",
        title: "Take it back",
        words: [
          ["Order", row.id],
          ["Number of the order (nonce)", row.nonce],
          ["Price, at most", tokens(BigInt(row.deposit))],
          ["What happens", "no provider can take it any more; nothing is paid"],
        ],
        call: async () => encodeCall(deployment, "Market", "cancelNonce", [BigInt(row.nonce)]),
      },
    ],
    done,
  };
}
