import type { Address } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { stakeModules } from "../../../keepers/src/chain/stake-modules.ts";

/** Contracts that owe accounts money until it is fetched, the call that fetches it, and what it is counted in. */
export const purses = [
  { contract: "Staking", call: "withdrawCredit", what: "Part of slashes that you reported", unit: "tokens" },
  { contract: "Escrow", call: "withdraw", what: "Prices, fees and refunds of jobs", unit: "tokens" },
  { contract: "Market", call: "withdraw", what: "Bonds of bids", unit: "tokens" },
  { contract: "DisputeGame", call: "withdraw", what: "Bonds and rewards of disputes", unit: "ETH" },
  { contract: "MemberGame", call: "withdraw", what: "Bonds of disputes over committees", unit: "ETH" },
  { contract: "BundleRegistry", call: "withdrawBounty", what: "Bounties for repairs", unit: "tokens" },
  { contract: "DatasetRegistry", call: "withdrawCredit", what: "Fees for storage", unit: "tokens" },
  { contract: "WorkerRewards", call: "withdraw", what: "Pay of workers, and what is back", unit: "tokens" },
] as const;

export type Purse = (typeof purses)[number];

/** What the contracts hold of an account, now. */
export async function readAccount(contracts: Contracts, deployment: Deployment, account: Address) {
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
  const approvals = await Promise.all(
    stakeModules(deployment, operator.roles).map(async (module) => ({
      module,
      cap: await Staking.read.capOf([account, module.address]),
      locked: await Staking.read.lockedBy([account, module.address]),
    })),
  );
  return { operator, peerId, endpoint, balance, unbonding, credits, approvals };
}

export type AccountState = Awaited<ReturnType<typeof readAccount>>;
