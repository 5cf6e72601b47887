import type { Address, Hex } from "viem";
import { addressOf, type Contracts, encodeCall } from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { orderTypedData } from "../../../keepers/src/core/market/typed-data.ts";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import type { Action, SendStep, Step } from "../act/steps.ts";
import { duration } from "../ui/moment.ts";
import { orderWords, tokens } from "./order-words.ts";

export type OrderActionParts = {
  readonly contracts: Contracts;
  readonly deployment: Deployment;
  readonly account: Address;
  readonly described: DescribedOrder;
  /** Token base units that it takes: deposit and fees of the committee. */
  readonly cost: bigint;
  /** What posted orders that wait for a provider may still take. */
  readonly promised: bigint;
  readonly done: Action["done"];
};

/** The least bond that the market takes for a bid: a tenth of the deposit, rounded up. */
function leastBond(deposit: bigint): bigint {
  return (deposit + 9n) / 10n;
}

/**
 * Lets the escrow take exactly what an order costs, beside what earlier ones may still take: an allowance is one sum, and
 * whichever is taken first uses it. Nothing when it may already.
 */
async function approval(parts: OrderActionParts): Promise<SendStep[]> {
  const { contracts, deployment, account, cost, promised } = parts;
  const escrow = addressOf(deployment, "Escrow");
  const allowed = await contracts.AssayToken.read.allowance([account, escrow]);
  return allowed >= cost + promised ? [] : [approvalStep(deployment, cost + promised, promised)];
}

/**
 * Lets the escrow take so much.
 * @param promised how much of it is for posted orders that wait for a provider
 */
export function approvalStep(deployment: Deployment, amount: bigint, promised: bigint): SendStep {
  return {
    kind: "send",
    title: "Let the escrow take what it costs",
    words: [
      ["Who may take", "the escrow contract, nobody else"],
      ["How much", tokens(amount)],
      ...(promised === 0n ? [] : [["Of it for orders that wait for a provider", tokens(promised)] as const]),
      ["What for", "the price and the committee; what is not used comes back"],
    ],
    call: async () =>
      encodeCall(deployment, "AssayToken", "approve", [addressOf(deployment, "Escrow"), amount]),
  };
}

/** Opens an auction by sealed bids. What the order costs is taken now. */
export async function auctionAction(parts: OrderActionParts, phase: number): Promise<Action> {
  const { deployment, account, described, cost, done } = parts;
  const { order, training } = described;
  const bond = leastBond(order.conditions.deposit);
  const terms = { commitWindow: phase, revealWindow: phase, bond };
  const open: Step = {
    kind: "send",
    title: "Open the auction",
    words: [
      ...orderWords(described),
      ["Bids are sealed for", duration(phase)],
      ["Then they are opened for", duration(phase)],
      ["Bond of each bid", tokens(bond)],
      ["Taken from you now", tokens(cost)],
    ],
    call: async () =>
      encodeCall(deployment, "Market", "openAuction", [order, training, described.package, terms]),
  };
  return { title: "Order by sealed bids", account, steps: [...(await approval(parts)), open], done };
}

/** Signs the order and shows it to all providers: the first one that takes it gets it. */
export async function postAction(parts: OrderActionParts): Promise<Action> {
  const { deployment, account, described, cost, done } = parts;
  const { order, training } = described;
  const market = addressOf(deployment, "Market");
  let signature: Hex | undefined;
  return {
    title: "Order from whoever takes it first",
    account,
    steps: [
      ...(await approval(parts)),
      {
        kind: "sign",
        title: "Sign the order",
        words: orderWords(described),
        message: async () => orderTypedData(order, { chainId: deployment.chainId, market }),
        take: (signed) => {
          signature = signed;
        },
      },
      {
        kind: "send",
        title: "Show it to all providers",
        words: [["Taken from you when it is taken", tokens(cost)]],
        call: async () => {
          if (signature === undefined) throw new Error("The order is not signed yet.");
          return encodeCall(deployment, "Market", "post", [order, training, described.package, signature]);
        },
      },
    ],
    done,
  };
}
