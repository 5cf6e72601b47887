import { type Address, type Hex, hexToBigInt, hexToNumber, type RpcTransaction } from "viem";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import { inOrder, LogReader, type MinedLog } from "../../../keepers/src/chain/follower/logs.ts";
import { InconsistentAnswerError, WrongChainError } from "../../../keepers/src/chain/rpc/errors.ts";
import type { BlockHeader } from "../store/entity-store.ts";
import type { ChainBlock, ChainTransaction } from "../wasm/ethereum-values.ts";
import { type BloomValue, bloomValue, LogsBloom } from "./bloom.ts";

/** A block with the logs that handlers may want, and their transactions. */
export type BlockWork = {
  readonly block: BlockHeader & ChainBlock;
  readonly logs: readonly MinedLog[];
  readonly transactions: ReadonlyMap<Hex, ChainTransaction>;
};

/** Where an indexer reads the chain. */
export type ChainSource = {
  /** Throws `WrongChainError` when it is another chain than before. */
  head(): Promise<bigint>;
  header(number: bigint): Promise<BlockHeader>;
  /**
   * The blocks from `from` to `to` (both included) in order, all of them, or with `sparse` those with logs and the last.
   * Throws `InconsistentAnswerError` when the chain moved while it was read, or when an answer contradicts another.
   */
  blocks(from: bigint, to: bigint, sparse: boolean): Promise<BlockWork[]>;
};

/** What is wanted of the chain: the events of one contract. */
export type WatchedContract = { readonly address: Address; readonly topics: readonly Hex[] };

type RawBlock = {
  readonly number: Hex;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestamp: Hex;
  readonly logsBloom?: Hex | null;
  readonly sha3Uncles?: Hex | null;
  readonly miner?: Address | null;
  readonly stateRoot?: Hex;
  readonly transactionsRoot?: Hex;
  readonly receiptsRoot?: Hex;
  readonly gasUsed?: Hex;
  readonly gasLimit?: Hex;
  readonly difficulty?: Hex;
  readonly size?: Hex;
  readonly baseFeePerGas?: Hex | null;
  readonly transactions: readonly (Hex | RpcTransaction)[];
};
type RawLog = { readonly address: Address; readonly topics: readonly Hex[]; readonly logIndex: Hex };

/** Blocks that are asked for at once. */
const parallel = 16;

/** Reads a chain through its RPC endpoints, and holds their answers against one another. */
export class RpcSource implements ChainSource {
  readonly #client: ChainClient;
  readonly #logs: LogReader;
  readonly #contracts: readonly { readonly address: BloomValue; readonly topics: readonly BloomValue[] }[];

  constructor(client: ChainClient, contracts: readonly WatchedContract[], maximumRange = 2_000n) {
    this.#client = client;
    const addresses = contracts.map(({ address }) => address);
    this.#logs = new LogReader({ client: client.public, addresses, maximumRange });
    const known = new Map<Hex, BloomValue>();
    const watched = (value: Hex): BloomValue => {
      const found = known.get(value) ?? bloomValue(value);
      known.set(value, found);
      return found;
    };
    this.#contracts = contracts.map(({ address, topics }) => ({
      address: watched(address),
      topics: topics.map(watched),
    }));
  }

  async head(): Promise<bigint> {
    const { chainId } = this.#client;
    const [head, served] = await Promise.all([
      this.#client.public.getBlockNumber(),
      this.#client.public.getChainId(),
    ]);
    if (served !== chainId) throw new WrongChainError("of the subgraph", served, chainId);
    return head;
  }

  async header(number: bigint): Promise<BlockHeader> {
    return headerOf(await this.#block(number, false));
  }

  async blocks(from: bigint, to: bigint, sparse: boolean): Promise<BlockWork[]> {
    const logs = await this.#logs.read(from, to);
    const byBlock = Map.groupBy(logs, ({ blockNumber }) => blockNumber);
    const numbers: bigint[] = [];
    for (let number = from; number <= to; number++)
      if (!sparse || number === to || byBlock.has(number)) numbers.push(number);
    const works = new Array<BlockWork>(numbers.length);
    let next = 0;
    const reader = async () => {
      for (let i = next++; i < numbers.length; i = next++)
        works[i] = await this.#work(numbers[i]!, byBlock.get(numbers[i]!) ?? [], sparse);
    };
    await Promise.all(Array.from({ length: Math.min(parallel, numbers.length) }, reader));
    return works;
  }

  async #block(number: bigint, isFull: boolean): Promise<RawBlock> {
    const block = await this.#client.request("eth_getBlockByNumber", [`0x${number.toString(16)}`, isFull]);
    if (block === null || block === undefined)
      throw new InconsistentAnswerError(`block ${number} is missing, though the chain goes on after it`);
    return block as RawBlock;
  }

  async #work(number: bigint, logs: readonly MinedLog[], isSparse: boolean): Promise<BlockWork> {
    const block = await this.#block(number, logs.length > 0);
    for (const { blockHash } of logs)
      if (blockHash !== block.hash)
        throw new InconsistentAnswerError(`block ${number} changed while it was read`);
    await this.#checkLogs(block, number, logs, isSparse);
    return { block: chainBlockOf(block), logs, transactions: transactionsOf(block, logs) };
  }

  /**
   * Holds the logs against what the block's header says of them. Near the head the receipts of every block that may have some
   * are asked as well: a bloom does not tell how many there are. Some chains leave it empty.
   */
  async #checkLogs(
    block: RawBlock,
    number: bigint,
    logs: readonly MinedLog[],
    isSparse: boolean,
  ): Promise<void> {
    const bloom = new LogsBloom(block.logsBloom ?? "0x");
    if (bloom.isEmpty) {
      if (!isSparse && block.transactions.length > 0) await this.#confirm(block, number, logs);
      return;
    }
    const addresses = new Set(logs.map(({ address }) => address.toLowerCase()));
    const topics = new Set(logs.map((log) => log.topics[0]?.toLowerCase()));
    let isSuspect = false;
    for (const contract of this.#contracts) {
      const isPresent = addresses.has(contract.address.value);
      if (!bloom.mayHold(contract.address)) {
        if (isPresent)
          throw new InconsistentAnswerError(`block ${number} has logs that its header does not know of`);
        continue;
      }
      const announced = contract.topics.filter((topic) => bloom.mayHold(topic));
      isSuspect ||= !isSparse && announced.length > 0;
      isSuspect ||= announced.length > 0 && !isPresent;
      isSuspect ||= announced.some(({ value }) => !topics.has(value));
    }
    if (isSuspect) await this.#confirm(block, number, logs);
  }

  /** The header seems to know of logs that were not given: the receipts, or the logs asked for by hash, decide. */
  async #confirm(block: RawBlock, number: bigint, logs: readonly MinedLog[]): Promise<void> {
    const places = (given: readonly { logIndex: Hex | number }[]) =>
      given
        .map(({ logIndex }) => Number(logIndex))
        .sort((a, b) => a - b)
        .join();
    const wanted = new Set(this.#contracts.map(({ address }) => address.value));
    const receipts = await this.#receipts(block.hash);
    const found: readonly { logIndex: Hex | number }[] =
      receipts?.filter(({ address }) => wanted.has(address.toLowerCase() as Hex)) ??
      inOrder(await this.#logs.readBlock(block.hash));
    if (places(found) !== places(logs))
      throw new InconsistentAnswerError(`logs of block ${number} were left out of an answer`);
  }

  /** All logs of a block, out of its receipts; undefined where the endpoint does not have that method. */
  async #receipts(blockHash: Hex): Promise<RawLog[] | undefined> {
    try {
      const receipts = await this.#client.request("eth_getBlockReceipts", [blockHash]);
      if (!Array.isArray(receipts)) return undefined;
      return receipts.flatMap(({ logs }: { logs: RawLog[] }) => logs);
    } catch {
      return undefined;
    }
  }
}

const headerOf = (block: RawBlock): BlockHeader => ({
  number: hexToBigInt(block.number),
  hash: block.hash,
  parentHash: block.parentHash,
  timestamp: hexToBigInt(block.timestamp),
});

function chainBlockOf(block: RawBlock): BlockWork["block"] {
  const number = (value: Hex | null | undefined) => (value == null ? undefined : hexToBigInt(value));
  return {
    ...headerOf(block),
    sha3Uncles: block.sha3Uncles ?? null,
    miner: block.miner ?? null,
    ...(block.stateRoot !== undefined && { stateRoot: block.stateRoot }),
    ...(block.transactionsRoot !== undefined && { transactionsRoot: block.transactionsRoot }),
    ...(block.receiptsRoot !== undefined && { receiptsRoot: block.receiptsRoot }),
    gasUsed: number(block.gasUsed),
    gasLimit: number(block.gasLimit),
    difficulty: number(block.difficulty),
    size: number(block.size),
    baseFeePerGas: number(block.baseFeePerGas),
  };
}

/** The transactions that emitted the logs. */
function transactionsOf(block: RawBlock, logs: readonly MinedLog[]): Map<Hex, ChainTransaction> {
  const wanted = new Set(logs.map(({ transactionHash }) => transactionHash));
  const transactions = new Map<Hex, ChainTransaction>();
  for (const transaction of block.transactions) {
    if (typeof transaction === "string" || !wanted.has(transaction.hash)) continue;
    transactions.set(transaction.hash, {
      hash: transaction.hash,
      transactionIndex: hexToNumber(transaction.transactionIndex!),
      from: transaction.from,
      to: transaction.to,
      value: hexToBigInt(transaction.value),
      gas: hexToBigInt(transaction.gas),
      ...(transaction.gasPrice !== undefined && { gasPrice: hexToBigInt(transaction.gasPrice) }),
      input: transaction.input,
      nonce: hexToNumber(transaction.nonce),
    });
  }
  for (const { transactionHash, transactionIndex, blockNumber } of logs)
    if (transactions.get(transactionHash)?.transactionIndex !== transactionIndex)
      throw new InconsistentAnswerError(`block ${blockNumber} lacks transactions of its own logs`);
  return transactions;
}
