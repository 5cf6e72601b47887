import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Logger, pino } from "pino";
import { bytesToHex, type Hex, type TransactionReceipt } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import { stakeModules } from "../../chain/stake-modules.ts";
import type { StorageWriter } from "../../storage/client/client.ts";
import { agreementOn } from "./agreement.ts";
import { withAllowance } from "./allowance.ts";
import { type DutyContext, type Reading, readingAgreed } from "./context.ts";

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
const mostAttempts = 3;
/** Looks for whether the endpoints have come as far as a transaction, and the milliseconds between two. */
const mostLooks = 20;
const lookPause = 250;

/** What of a storage client registering takes, and where it says what could not be brought about. */
export type RegisteringClient = Pick<StorageWriter, "account" | "contracts" | "chain" | "deployment"> &
  Pick<DutyContext, "queue"> & { readonly log?: Logger };

/**
 * Brings an operator to the state that a storage node needs: registered with this identity, with at least this much
 * stake, and with approvals for the contracts that lock it. What is so already is left alone. What the endpoints do not agree
 * on, or does not stay, is left as it is, with a warning: duties from before must not wait for it.
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

/** What is still to be done. */
type Step = {
  /** What all keys of its calls begin with. */
  readonly name: string;
  readonly send: (key: string) => Promise<TransactionReceipt>;
};

/**
 * Does what is lacking, until nothing is: one endpoint that says each time that something is must not have it done again and
 * again.
 *
 * @param names what keys of calls for it begin with
 * @param next what is lacking still, undefined when nothing is
 */
async function bringAbout(
  client: RegisteringClient,
  what: string,
  names: readonly string[],
  next: (reading: Reading, at: ReadAt) => Promise<Step | undefined>,
): Promise<void> {
  const { queue } = client;
  const chain = lookingOf(client);
  // Of a process that was killed.
  const underWay = queue.pending().find(({ key }) => names.some((name) => key.startsWith(name)));
  let at = underWay === undefined ? {} : await stateAfter(client, await queue.wait(underWay.key));
  for (let attempt = 0; ; attempt++) {
    const look = async (reading: Reading) => ({ step: await next(reading, at) });
    const agreement = await agreementOn(chain, what, look);
    if (agreement.kind === "divided") break;
    // With nobody else to ask the only one that answers is believed.
    const { step } = agreement.kind === "agreed" ? agreement.value : await look(chain);
    if (step === undefined) return;
    if (attempt === mostAttempts) break;
    at = await stateAfter(client, await step.send(`${step.name}:${randomUUID()}`));
  }
  chain.log.warn(
    { what },
    "left as it is: look at the endpoints, and for another keeper that uses this account",
  );
}

/** How the chain is looked at. */
function lookingOf({
  chain: client,
  contracts,
  deployment,
  log = pino({ level: "silent" }),
}: RegisteringClient) {
  return { client, contracts, agreed: readingAgreed({ client, contracts, deployment }), log };
}

/** A place to read from that has a transaction behind it: an endpoint that lags would have it done twice. */
async function stateAfter(client: RegisteringClient, { blockNumber }: TransactionReceipt): Promise<ReadAt> {
  let reached = await reachedBy(client);
  for (let look = 0; reached < blockNumber && look < mostLooks; look++) {
    await delay(lookPause);
    reached = await reachedBy(client);
  }
  return { blockNumber: reached > blockNumber ? reached : blockNumber };
}

/** The newest block that as many endpoints have as must agree. */
async function reachedBy({ chain }: RegisteringClient): Promise<bigint> {
  const answers = await chain.poll("eth_blockNumber");
  const heads = answers
    .flatMap((answer) => (answer.status === "fulfilled" ? [BigInt(String(answer.value))] : []))
    .sort((a, b) => (a < b ? 1 : -1));
  return heads[Math.min(answers.length, Math.max(chain.trust.quorum, 2)) - 1] ?? heads.at(-1) ?? 0n;
}

function announce(client: RegisteringClient, peerId: Hex, endpoint: string, role: number): Promise<void> {
  const { account, deployment, queue } = client;
  return bringAbout(
    client,
    "the identity of the operator",
    ["updating:", "registering:"],
    async ({ contracts }, at) => {
      const { active, roles } = await contracts.Staking.read.operatorOf([account.address], at);
      const [knownPeer, knownEndpoint] = await contracts.Staking.read.identityOf([account.address], at);
      const isKnown = knownPeer === peerId && knownEndpoint === endpoint && (roles & role) !== 0;
      if (active && isKnown) return undefined;
      const [what, call] = active
        ? ([
            "updating",
            encodeCall(deployment, "Staking", "update", [roles | role, peerId, endpoint]),
          ] as const)
        : (["registering", encodeCall(deployment, "Staking", "register", [role, peerId, endpoint])] as const);
      const send = (key: string) => queue.send({ ...call, key, description: `${what} the operator` });
      return { name: `${what}:${peerId}:${endpoint}`, send };
    },
  );
}

/** Stakes what an operator lacks of a stake. */
export function fillStake(client: RegisteringClient, stake: bigint): Promise<void> {
  const { account, deployment, queue } = client;
  return bringAbout(client, "the stake of the operator", ["stake:"], async ({ contracts }, at) => {
    const { stake: staked } = await contracts.Staking.read.operatorOf([account.address], at);
    if (staked >= stake) return undefined;
    const missing = stake - staked;
    const call = encodeCall(deployment, "Staking", "stake", [missing]);
    const send = (key: string) =>
      withAllowance({ ...client, ...lookingOf(client) }, { key, spender: "Staking", amount: missing }, () =>
        queue.send({ ...call, key, description: "staking" }),
      );
    return { name: `stake:${staked}:${missing}`, send };
  });
}

/** Lets the contracts of these roles lock at least `cap` of the stake; greater approvals stay. */
export async function approveModules(client: RegisteringClient, roles: number, cap: bigint): Promise<void> {
  const { account, deployment, queue } = client;
  for (const { contract, address } of stakeModules(deployment, roles)) {
    const name = `approve-module:${contract}:`;
    await bringAbout(client, `what ${contract} may lock`, [name], async ({ contracts }, at) => {
      const present = await contracts.Staking.read.capOf([account.address, address], at);
      if (present >= cap) return undefined;
      const call = encodeCall(deployment, "Staking", "approve", [address, cap]);
      const description = `letting ${contract} lock stake`;
      return { name: `${name}${present}:${cap}`, send: (key) => queue.send({ ...call, key, description }) };
    });
  }
}
