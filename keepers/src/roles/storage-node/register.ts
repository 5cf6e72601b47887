import { bytesToHex, type Hex, type TransactionReceipt } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import { stakeModules } from "../../chain/stake-modules.ts";
import { AssayError } from "../../core/errors.ts";
import type { StorageWriter } from "../../storage/client/client.ts";
import { withAllowance } from "./allowance.ts";
import type { DutyContext } from "./context.ts";

export type RegisterParameters = {
  /** libp2p peer id, multihash bytes. */
  peerId: Uint8Array;
  /** Multiaddr under which the node is reached. */
  endpoint: string;
  /** Tokens that the operator should have staked in all, in token units; the role's contracts may lock that much. */
  stake: bigint;
};

/** Bits of an operator's role mask. */
export const operatorRoles = { storage: 1, provider: 2, validator: 4, challenger: 8 } as const;

/** Whoever needs more attempts than that shares its account with another keeper that undoes them. */
const mostAttempts = 1000;

/** What of a storage client registering takes. */
export type RegisteringClient = Pick<StorageWriter, "account" | "contracts" | "chain" | "deployment"> &
  Pick<DutyContext, "queue">;

/**
 * Brings an operator to the state that a storage node needs: registered with this identity, with at least this much
 * stake, and with approvals for the contracts that lock it. What is so already is left alone.
 */
export function registerStorageOperator(
  client: RegisteringClient,
  parameters: RegisterParameters,
): Promise<void> {
  return registerOperator(client, { ...parameters, role: operatorRoles.storage });
}

/** As {@link registerStorageOperator}, for any role; roles that the operator has already stay. */
export async function registerOperator(
  client: RegisteringClient,
  { peerId, endpoint, stake, role }: RegisterParameters & { readonly role: number },
): Promise<void> {
  await announce(client, bytesToHex(peerId), endpoint, role);
  await fillStake(client, stake);
  await approveModules(client, role, stake);
}

type ReadAt = { blockNumber?: bigint };

/** A place to read from that has a transaction behind it: an endpoint that lags would have it done twice. */
async function stateAfter(
  { chain }: RegisteringClient,
  { blockNumber }: TransactionReceipt,
): Promise<ReadAt> {
  const head = await chain.public.getBlockNumber();
  return { blockNumber: head > blockNumber ? head : blockNumber };
}

async function announce(
  client: RegisteringClient,
  peerId: Hex,
  endpoint: string,
  role: number,
): Promise<void> {
  const { account, contracts, deployment, queue } = client;
  let at: ReadAt = {};
  const name = `${peerId}:${endpoint}`;
  // A state that comes back, an address that was left before, finds the transaction that changed it last time: the next
  // attempt has a name of its own.
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const { active, roles } = await contracts.Staking.read.operatorOf([account.address], at);
    const [knownPeer, knownEndpoint] = await contracts.Staking.read.identityOf([account.address], at);
    const isKnown = knownPeer === peerId && knownEndpoint === endpoint && (roles & role) !== 0;
    if (active && isKnown) return;
    const [what, call] = active
      ? (["updating", encodeCall(deployment, "Staking", "update", [roles | role, peerId, endpoint])] as const)
      : (["registering", encodeCall(deployment, "Staking", "register", [role, peerId, endpoint])] as const);
    const key = `${what}:${name}:${roles}:${attempt}`;
    at = await stateAfter(client, await queue.send({ ...call, key, description: `${what} the operator` }));
  }
  throw new AssayError(`the chain does not keep the identity of ${account.address}`, {
    next: "make sure that no other keeper uses this account",
  });
}

/** Stakes what an operator lacks of a stake. */
export async function fillStake(client: RegisteringClient, stake: bigint): Promise<void> {
  const { account, contracts, deployment, queue } = client;
  let at: ReadAt = {};
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const { stake: staked } = await contracts.Staking.read.operatorOf([account.address], at);
    if (staked >= stake) return;
    const missing = stake - staked;
    const key = `stake:${staked}:${missing}:${attempt}`;
    const call = encodeCall(deployment, "Staking", "stake", [missing]);
    const receipt = await withAllowance(client, { key, spender: "Staking", amount: missing }, () =>
      queue.send({ ...call, key, description: "staking" }),
    );
    at = await stateAfter(client, receipt);
  }
  throw new AssayError(`the stake of ${account.address} shrinks as fast as it is filled up`, {
    next: "look at what it is slashed for, then start the keeper again",
  });
}

/** Lets the contracts of these roles lock at least `cap` of the stake; greater approvals stay. */
export async function approveModules(client: RegisteringClient, roles: number, cap: bigint): Promise<void> {
  const { account, contracts, deployment, queue } = client;
  for (const { contract, address } of stakeModules(deployment, roles)) {
    let at: ReadAt = {};
    for (let attempt = 0; ; attempt++) {
      const present = await contracts.Staking.read.capOf([account.address, address], at);
      if (present >= cap) break;
      if (attempt === mostAttempts) {
        throw new AssayError(`the approval of ${contract} by ${account.address} does not stay`, {
          next: "make sure that no other keeper uses this account",
        });
      }
      const call = encodeCall(deployment, "Staking", "approve", [address, cap]);
      const key = `approve-module:${contract}:${present}:${cap}:${attempt}`;
      const description = `letting ${contract} lock stake`;
      at = await stateAfter(client, await queue.send({ ...call, key, description }));
    }
  }
}
