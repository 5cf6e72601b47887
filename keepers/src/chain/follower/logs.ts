import type { Address, Hex, Log } from "viem";
import type { ReadClient } from "../contracts.ts";
import { InconsistentAnswerError, isTooManyResults } from "../rpc/errors.ts";

/** A log of a mined block. */
export type MinedLog = Log<bigint, number, false>;

/** The logs in the order of the chain, each once; throws when one place holds two different logs. */
export function inOrder(logs: readonly MinedLog[]): MinedLog[] {
  const places = new Map<string, MinedLog>();
  for (const log of logs) {
    const place = `${log.blockNumber}:${log.logIndex}`;
    const known = places.get(place);
    if (known !== undefined && !isSameLog(known, log)) {
      throw new InconsistentAnswerError(
        `two different logs at index ${log.logIndex} of block ${log.blockNumber}`,
      );
    }
    places.set(place, log);
  }
  return [...places.values()].sort((a, b) =>
    a.blockNumber === b.blockNumber ? a.logIndex - b.logIndex : a.blockNumber < b.blockNumber ? -1 : 1,
  );
}

function isSameLog(a: MinedLog, b: MinedLog): boolean {
  const key = (log: MinedLog) =>
    [log.blockHash, log.transactionHash, log.address, ...log.topics, log.data].join().toLowerCase();
  return key(a) === key(b);
}

export type LogReaderOptions = {
  client: ReadClient;
  addresses: readonly Address[];
  /** Most blocks in one request. */
  maximumRange: bigint;
  onSplit?: (range: bigint) => void;
};

/** Reads logs of fixed contracts in ranges that shrink when an endpoint says "too many" and grow again afterwards. */
export class LogReader {
  readonly #options: LogReaderOptions;
  #range: bigint;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#range = options.maximumRange;
  }

  /** Blocks that the next request should cover at most. */
  get range(): bigint {
    return this.#range;
  }

  /** All logs of the blocks from `from` to `to`, both included, in order and each once. */
  async read(from: bigint, to: bigint): Promise<MinedLog[]> {
    const logs: MinedLog[] = [];
    for (let start = from; start <= to; ) {
      const last = start + this.#range - 1n;
      const end = last < to ? last : to;
      try {
        for (const log of await this.#get({ fromBlock: start, toBlock: end })) logs.push(log);
      } catch (error) {
        const width = end - start + 1n;
        if (width === 1n || !isTooManyResults(error)) throw error;
        this.#range = width / 2n;
        this.#options.onSplit?.(this.#range);
        continue;
      }
      start = end + 1n;
      const doubled = this.#range * 2n;
      this.#range = doubled < this.#options.maximumRange ? doubled : this.#options.maximumRange;
    }
    return inOrder(logs);
  }

  /** All logs of one block, named by its hash (EIP-234), so that no reorganisation can come in between. */
  async readBlock(blockHash: Hex): Promise<MinedLog[]> {
    return inOrder(await this.#get({ blockHash }));
  }

  async #get(range: { fromBlock: bigint; toBlock: bigint } | { blockHash: Hex }): Promise<MinedLog[]> {
    const { client, addresses } = this.#options;
    const logs = await client.getLogs({ address: [...addresses], ...range });
    return logs as MinedLog[];
  }
}
