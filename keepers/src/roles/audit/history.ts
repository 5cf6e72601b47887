import type { Address, Hex } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import type { AssayEvent, ReadClient } from "../../chain/contracts.ts";
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
export async function readHistory(
  client: Pick<ChainClient, "public" | "chainId">,
  deployment: Deployment,
): Promise<ChainHistory> {
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
  if (after.hash !== head.hash) throw moved(head.number);
  return {
    chainId: client.chainId,
    deployment,
    block: { number: head.number, hash: head.hash, timestamp: head.timestamp },
    events: logs.flatMap((log) => decodeEvent(followed, log) ?? []),
  };
}

function moved(number: bigint): InconsistentAnswerError {
  return new InconsistentAnswerError(`the chain moved at block ${number} while it was read`, {
    next: "Run the audit again.",
  });
}

type StampClient = { readonly public: Pick<ReadClient, "getBlock" | "getTransaction"> };

/** Reads the transactions of events, each once however often it is asked for. */
export class StampReader {
  readonly #client: StampClient;
  readonly #stamps = new Map<Hex, Stamp>();
  readonly #times = new Map<bigint, bigint>();

  constructor(client: StampClient) {
    this.#client = client;
  }

  /** @throws InconsistentAnswerError when the chain moved since the events were read; what the endpoint throws */
  async read(events: readonly AssayEvent[]): Promise<Stamps> {
    const client = this.#client.public;
    const missing = events.filter(({ transactionHash }) => !this.#stamps.has(transactionHash));
    const blocks = new Map(missing.map(({ blockNumber, blockHash }) => [blockNumber, blockHash]));
    await each(
      [...blocks].filter(([number]) => !this.#times.has(number)),
      async ([blockNumber, known]) => {
        const { hash, timestamp } = await client.getBlock({ blockNumber });
        if (hash !== known) throw moved(blockNumber);
        this.#times.set(blockNumber, timestamp);
      },
    );
    const transactions = new Map(missing.map((event) => [event.transactionHash, event.blockNumber]));
    await each([...transactions], async ([hash, known]) => {
      const { blockNumber, from, to, input } = await client.getTransaction({ hash });
      if (blockNumber !== known) throw moved(known);
      this.#stamps.set(hash, { timestamp: this.#times.get(known)!, from, to, input });
    });
    return this.#stamps;
  }

  /** Forgets what it knows of events that were taken back: their transactions may stand in other blocks by now. */
  forget(events: readonly AssayEvent[]): void {
    for (const { transactionHash, blockNumber } of events) {
      this.#stamps.delete(transactionHash);
      this.#times.delete(blockNumber);
    }
  }
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += parallel)
    await Promise.all(items.slice(start, start + parallel).map(work));
}
