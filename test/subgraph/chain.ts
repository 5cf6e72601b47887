import {
  type Abi,
  type AbiEvent,
  type Address,
  encodeAbiParameters,
  encodeEventTopics,
  type Hex,
  keccak256,
  stringToHex,
} from "viem";
import { abis } from "../../keepers/src/chain/abi/index.ts";
import type { MinedLog } from "../../keepers/src/chain/follower/logs.ts";
import type { BlockWork, ChainSource } from "../../subgraph/node/indexer/chain-source.ts";
import type { BlockHeader } from "../../subgraph/node/store/entity-store.ts";

export type SyntheticEvent = {
  readonly contract: keyof typeof abis;
  readonly name: string;
  readonly args: Record<string, unknown>;
};

export const addressOf = (contract: string): Address =>
  `0x${keccak256(stringToHex(contract)).slice(-40)}` as Address;

export const sender: Address = `0x${"5e".repeat(20)}`;

/** A chain that is made up block by block out of events, and may be reorganised. */
export class SyntheticChain implements ChainSource {
  readonly #eventsOf: (block: number, fork: string) => readonly SyntheticEvent[];
  /** Branch of each block. */
  readonly #forks: string[] = [];
  /** Blocks that were asked for. */
  reads = 0;

  constructor(eventsOf: (block: number, fork: string) => readonly SyntheticEvent[]) {
    this.#eventsOf = eventsOf;
  }

  mine(count: number, fork = "main"): void {
    for (let i = 0; i < count; i++) this.#forks.push(fork);
  }

  /** Replaces the blocks from `number` on by as many of another branch. */
  reorganise(number: number, fork: string): void {
    this.#forks.fill(fork, number);
  }

  async head(): Promise<bigint> {
    return BigInt(this.#forks.length - 1);
  }

  async header(number: bigint): Promise<BlockHeader> {
    const n = Number(number);
    return {
      number,
      hash: this.#hash(n),
      parentHash: this.#hash(n - 1),
      timestamp: 1_700_000_000n + number * 2n,
    };
  }

  async blocks(from: bigint, to: bigint, sparse: boolean): Promise<BlockWork[]> {
    const works: BlockWork[] = [];
    for (let number = from; number <= to; number++) {
      const block = await this.header(number);
      const events = this.#eventsOf(Number(number), this.#forks[Number(number)]!);
      if (sparse && number !== to && events.length === 0) continue;
      this.reads++;
      const transaction = keccak256(`${block.hash}01`);
      works.push({
        block,
        logs: events.map((event, i) => this.#log(block, transaction, event, i)),
        transactions: new Map([
          [
            transaction,
            {
              hash: transaction,
              transactionIndex: 0,
              from: sender,
              to: null,
              value: 0n,
              gas: 21_000n,
              gasPrice: 1n,
              input: "0x",
              nonce: 0,
            },
          ],
        ]),
      });
    }
    return works;
  }

  #hash(number: number): Hex {
    // A block is another one when it or any block before it is on another branch.
    let last = number;
    while (last > 0 && this.#forks[last] === "main") last--;
    const branch = last > 0 ? this.#forks[last]! : "main";
    return keccak256(stringToHex(`${branch}:${number}`));
  }

  #log(block: BlockHeader, transactionHash: Hex, event: SyntheticEvent, logIndex: number): MinedLog {
    const abi = (abis[event.contract] as Abi).find(
      (item): item is AbiEvent => item.type === "event" && item.name === event.name,
    )!;
    const hidden = abi.inputs.filter(({ indexed }) => indexed !== true);
    return {
      address: addressOf(event.contract),
      blockHash: block.hash,
      blockNumber: block.number,
      logIndex,
      transactionHash,
      transactionIndex: 0,
      removed: false,
      topics: encodeEventTopics({ abi: [abi], args: event.args } as never) as [Hex],
      data: encodeAbiParameters(
        hidden,
        hidden.map(({ name }) => event.args[name!]),
      ),
    } as MinedLog;
  }
}
