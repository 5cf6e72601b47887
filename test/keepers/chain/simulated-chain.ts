import { type Address, encodeAbiParameters, type Hex, hexToBytes, keccak256, pad, toHex } from "viem";
import type { Eip1193 } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { seeded } from "./random.ts";

export const stakingAddress = "0x00000000000000000000000000000000000057a1" as Address;
const stakedTopic = keccak256(new TextEncoder().encode("Staked(address,address,uint256)"));

type SimulatedLog = Record<string, unknown> & { logIndex: Hex; blockHash: Hex };
type SimulatedBlock = { number: bigint; hash: Hex; parentHash: Hex; logsBloom: Hex; logs: SimulatedLog[] };

/** What an endpoint may do wrong; each is a probability per answer unless stated. */
export type Faults = {
  error?: number;
  /** Answers as of up to 3 blocks ago. */
  lag?: number;
  duplicate?: number;
  shuffle?: boolean;
  /** Leaves out the logs of a recent block, as an endpoint does that has not indexed it yet. */
  late?: number;
  /** Gives no logs at all for ranges, however old. */
  hide?: boolean;
  /** Blocks of a range above which logs are refused; a number of blocks. */
  tooMany?: number;
};

function bloomOf(logs: readonly { address: string; topics: readonly string[] }[]): Hex {
  const bits = new Uint8Array(256);
  for (const value of logs.flatMap(({ address, topics }) => [address, ...topics])) {
    const hash = hexToBytes(keccak256(value as Hex));
    for (const i of [0, 2, 4]) {
      const bit = ((hash[i]! << 8) | hash[i + 1]!) & 2047;
      bits[255 - (bit >> 3)]! |= 1 << (bit & 7);
    }
  }
  return toHex(bits);
}

/** A chain that exists only in memory and whose every move comes from a seed. */
export class SimulatedChain {
  readonly blocks: SimulatedBlock[] = [];
  readonly #random;
  #salt = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.mine(0);
  }

  get head(): bigint {
    return this.blocks.at(-1)!.number;
  }

  /** Keys of all logs in the chain, in order. */
  keys(): string[] {
    return this.blocks.flatMap(({ logs }) => logs.map((log) => `${log.blockHash}:${Number(log.logIndex)}`));
  }

  mine(logs: number): void {
    const parent = this.blocks.at(-1);
    const number = (parent?.number ?? -1n) + 1n;
    const hash = keccak256(
      encodeAbiParameters([{ type: "uint256" }, { type: "uint256" }], [number, BigInt(++this.#salt)]),
    );
    const entries = Array.from({ length: logs }, (_, logIndex) => ({
      address: stakingAddress,
      topics: [stakedTopic, pad(toHex(logIndex + 1)), pad(toHex(this.#salt))],
      data: pad(toHex(this.#random.below(1e9))),
      blockNumber: toHex(number),
      blockHash: hash,
      transactionHash: keccak256(toHex(`${hash}${logIndex}`)),
      transactionIndex: toHex(logIndex),
      logIndex: toHex(logIndex),
      removed: false,
    }));
    this.blocks.push({
      number,
      hash,
      parentHash: parent?.hash ?? pad("0x0"),
      logsBloom: bloomOf(entries),
      logs: entries,
    });
  }

  /** Replaces the last `depth` blocks by `depth + 1` others. */
  reorganise(depth: number, logs: () => number): void {
    this.blocks.length = Math.max(1, this.blocks.length - depth);
    for (let i = 0; i <= depth; i++) this.mine(logs());
  }

  /** One endpoint of this chain, with faults of its own that can be changed while it runs. */
  endpoint(faults: Faults, seed: number): Eip1193 {
    const random = seeded(seed);
    const visible = () => {
      const behind = random.chance(faults.lag ?? 0) ? 1 + random.below(3) : 0;
      return this.blocks.slice(0, Math.max(1, this.blocks.length - behind));
    };
    const logsOf = (filter: { fromBlock?: Hex; toBlock?: Hex; blockHash?: Hex }) => {
      const [from, to] = [BigInt(filter.fromBlock ?? 0), BigInt(filter.toBlock ?? 2 ** 52)];
      if (!filter.blockHash && faults.tooMany !== undefined && to - from >= BigInt(faults.tooMany)) {
        throw Object.assign(new Error("query returned more than 10000 results"), { code: -32005 });
      }
      const blocks = visible();
      const hidden = ({ number }: SimulatedBlock) =>
        faults.hide || (number + 4n > this.head && random.chance(faults.late ?? 0));
      let logs = blocks
        .filter(({ number, hash }) =>
          filter.blockHash ? hash === filter.blockHash : number >= from && number <= to,
        )
        .flatMap((block) => (!filter.blockHash && hidden(block) ? [] : block.logs));
      if (filter.blockHash && !blocks.some(({ hash }) => hash === filter.blockHash)) {
        throw Object.assign(new Error("unknown block"), { code: -32000 });
      }
      logs = logs.flatMap((log) => (random.chance(faults.duplicate ?? 0) ? [log, log] : [log]));
      return faults.shuffle
        ? logs
            .map((log) => ({ log, key: random.next() }))
            .sort((a, b) => a.key - b.key)
            .map(({ log }) => log)
        : logs;
    };
    return {
      request: async ({ method, params }: { method: string; params?: unknown }) => {
        const [first] = (params ?? []) as unknown[];
        if (method === "eth_chainId") return "0x7a69";
        if (random.chance(faults.error ?? 0)) throw new Error("connection reset");
        if (method === "eth_blockNumber") return toHex(visible().at(-1)!.number);
        if (method === "eth_getLogs") return logsOf(first as { fromBlock?: Hex });
        if (method !== "eth_getBlockByNumber") throw new Error(`the simulated chain has no ${method}`);
        const block = visible().find(({ number }) => number === BigInt(first as Hex));
        if (block === undefined) return null;
        const { logs: _, ...header } = block;
        return {
          ...header,
          number: toHex(block.number),
          timestamp: toHex(block.number * 12n),
          transactions: [],
        };
      },
    } as Eip1193;
  }
}
