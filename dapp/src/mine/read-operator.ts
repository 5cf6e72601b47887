import type { Address } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";

/** Contracts that owe accounts tokens until they are fetched, and the call that fetches them. */
export const purses = [
  { contract: "Staking", call: "withdrawCredit", what: "Part of slashes that you reported" },
  { contract: "Escrow", call: "withdraw", what: "Prices, fees and refunds of jobs" },
  { contract: "Market", call: "withdraw", what: "Bonds of bids" },
  { contract: "BundleRegistry", call: "withdrawBounty", what: "Bounties for repairs" },
  { contract: "DatasetRegistry", call: "withdrawCredit", what: "Fees for storage" },
  { contract: "WorkerRewards", call: "withdraw", what: "Pay of workers, and what is back" },
] as const;

export type Purse = (typeof purses)[number];

/** What the contracts hold of an account, now. */
export async function readAccount(contracts: Contracts, account: Address) {
  const { Staking, AssayToken } = contracts;
  const [operator, [peerId, endpoint], tickets, balance, credits] = await Promise.all([
    Staking.read.operatorOf([account]),
    Staking.read.identityOf([account]),
    Staking.read.ticketsOf([account]),
    AssayToken.read.balanceOf([account]),
    Promise.all(
      purses.map(async (purse) => ({
        purse,
        amount: await contracts[purse.contract].read.creditOf([account]),
      })),
    ),
  ]);
  const unbonding = await Promise.all(
    tickets.map(async (ticket) => ({ ticket, ...(await Staking.read.ticketOf([ticket])) })),
  );
  return { operator, peerId, endpoint, balance, unbonding, credits };
}

export type AccountState = Awaited<ReturnType<typeof readAccount>>;
