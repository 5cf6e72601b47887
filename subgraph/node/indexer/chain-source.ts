import type { Address, Block, Hex } from "viem";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import { LogReader, type MinedLog } from "../../../keepers/src/chain/follower/logs.ts";
import { InconsistentAnswerError } from "../../../keepers/src/chain/rpc/errors.ts";
import type { BlockHeader } from "../store/entity-store.ts";
import type { ChainBlock, ChainTransaction } from "../wasm/ethereum-values.ts";

/** A block with the logs that handlers may want, and their transactions. */
export type BlockWork = {
  readonly block: BlockHeader & ChainBlock;
  readonly logs: readonly MinedLog[];
  readonly transactions: ReadonlyMap<Hex, ChainTransaction>;
};

/** Where an indexer reads the chain. */
export type ChainSource = {
  head(): Promise<bigint>;
  header(number: bigint): Promise<BlockHeader>;
  /**
   * The blocks from `from` to `to` (both included) in order, all of them, or with `sparse` those with logs and the last.
   * Throws `InconsistentAnswerError` when the chain moved while it was read.
   */
  blocks(from: bigint, to: bigint, sparse: boolean): Promise<BlockWork[]>;
};

type FullBlock = Block<bigint, true, "latest">;

/** Blocks that are asked for at once. */
const parallel = 8;

/** Reads a chain through its RPC endpoints. */
export class RpcSource implements ChainSource {
  readonly #client: ChainClient["public"];
  readonly #logs: LogReader;

  constructor(client: ChainClient["public"], addresses: readonly Address[], maximumRange = 2_000n) {
    this.#client = client;
    this.#logs = new LogReader({ client, addresses, maximumRange });
  }

  head(): Promise<bigint> {
    return this.#client.getBlockNumber();
  }

  async header(number: bigint): Promise<BlockHeader> {
    const block = await this.#client.getBlock({ blockNumber: number });
    return { ...block, hash: block.hash!, number: block.number! };
  }

  async blocks(from: bigint, to: bigint, sparse: boolean): Promise<BlockWork[]> {
    const logs = await this.#logs.read(from, to);
    const byBlock = Map.groupBy(logs, ({ blockNumber }) => blockNumber);
    const numbers: bigint[] = [];
    for (let number = from; number <= to; number++)
      if (!sparse || number === to || byBlock.has(number)) numbers.push(number);
    const works: BlockWork[] = [];
    for (let start = 0; start < numbers.length; start += parallel)
      works.push(
        ...(await Promise.all(
          numbers
            .slice(start, start + parallel)
            .map((number) => this.#work(number, byBlock.get(number) ?? [])),
        )),
      );
    return works;
  }

  async #work(number: bigint, logs: readonly MinedLog[]): Promise<BlockWork> {
    const block = (await this.#client.getBlock({
      blockNumber: number,
      includeTransactions: logs.length > 0,
    })) as FullBlock;
    const wanted = new Set(logs.map(({ transactionHash }) => transactionHash));
    const transactions = new Map<Hex, ChainTransaction>();
    if (wanted.size > 0)
      for (const transaction of block.transactions)
        if (wanted.has(transaction.hash))
          transactions.set(transaction.hash, {
            ...transaction,
            transactionIndex: transaction.transactionIndex!,
          } as ChainTransaction);
    for (const { blockHash } of logs)
      if (blockHash !== block.hash)
        throw new InconsistentAnswerError(`block ${number} changed while it was read`);
    if (transactions.size !== wanted.size)
      throw new InconsistentAnswerError(`block ${number} lacks transactions of its own logs`);
    return { block: { ...block, hash: block.hash!, number: block.number! }, logs, transactions };
  }
}
