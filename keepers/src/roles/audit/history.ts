import type { Address, Hex } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import type { AssayEvent } from "../../chain/contracts.ts";
import type { DeployedName, Deployment } from "../../chain/deployment.ts";
import { decodeEvent, followedContracts } from "../../chain/follower/decode.ts";
import { LogReader } from "../../chain/follower/logs.ts";
import { InconsistentAnswerError } from "../../chain/rpc/errors.ts";

/** Everything that a deployment's contracts said, up to a block. */
export type ChainHistory = {
  readonly chainId: number;
  readonly deployment: Deployment;
  readonly block: { readonly number: bigint; readonly hash: Hex; readonly timestamp: bigint };
  /** In the chain's order. */
  readonly events: readonly AssayEvent[];
};

/** What of a transaction its events do not say. */
export type Stamp = {
  /** Second since 1970 of its block. */
  readonly timestamp: bigint;
  readonly from: Address;
  readonly to: Address | null;
  readonly input: Hex;
};

/** Transactions by their hash. */
export type Stamps = ReadonlyMap<Hex, Stamp>;

/** Blocks and transactions that are asked for at once. */
const parallel = 16;

/**
 * Reads all events of a deployment from the chain itself, up to its newest block.
 *
 * @throws InconsistentAnswerError when the chain moved meanwhile; what the endpoint throws
 */
export async function readHistory(client: ChainClient, deployment: Deployment): Promise<ChainHistory> {
  const names = Object.keys(deployment.addresses) as DeployedName[];
  const followed = followedContracts(deployment, names);
  const head = await client.public.getBlock();
  const reader = new LogReader({
    client: client.public,
    addresses: [...followed.keys()] as Address[],
    maximumRange: 2_000n,
  });
  const logs = await reader.read(deployment.startBlock, head.number);
  const after = await client.public.getBlock({ blockNumber: head.number });
  if (after.hash !== head.hash)
    throw new InconsistentAnswerError(`the chain moved at block ${head.number} while it was read`, {
      next: "Run the audit again.",
    });
  return {
    chainId: client.chainId,
    deployment,
    block: { number: head.number, hash: head.hash, timestamp: head.timestamp },
    events: logs.flatMap((log) => decodeEvent(followed, log) ?? []),
  };
}

/** The transactions of some events, with the times of their blocks. */
export async function readStamps(client: ChainClient, events: readonly AssayEvent[]): Promise<Stamps> {
  const blocks = await each([...new Set(events.map(({ blockNumber }) => blockNumber))], (blockNumber) =>
    client.public.getBlock({ blockNumber }),
  );
  const times = new Map(blocks.map(({ number, timestamp }) => [number, timestamp]));
  const transactions = await each(
    [...new Set(events.map(({ transactionHash }) => transactionHash))],
    (hash) => client.public.getTransaction({ hash }),
  );
  return new Map(
    transactions.map(({ hash, blockNumber, from, to, input }) => [
      hash,
      { timestamp: times.get(blockNumber)!, from, to, input },
    ]),
  );
}

async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += parallel)
    results.push(...(await Promise.all(items.slice(start, start + parallel).map(work))));
  return results;
}
