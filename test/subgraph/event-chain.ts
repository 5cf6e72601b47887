import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Abi,
  type AbiEvent,
  encodeAbiParameters,
  type Hex,
  hexToBytes,
  keccak256,
  stringToHex,
  toEventHash,
} from "viem";
import { stakingAbi } from "../../keepers/src/chain/abi/staking.ts";

/** A chain of made-up events of the staking contract, the same for everyone who asks. */
export type ChainShape = {
  readonly blocks: number;
  readonly eventsPerBlock: number;
  readonly operators: number;
};

export const chainId = 31_337;
export const stakingAddress: Hex = `0x${"57".repeat(20)}`;
const module: Hex = `0x${"aa".repeat(20)}`;
const sender: Hex = `0x${"5e".repeat(20)}`;
const genesisTime = 1_750_000_000;
const logsPerTransaction = 5;

const hash = (text: string): Hex => `0x${createHash("sha256").update(text).digest("hex")}`;
const quantity = (n: number): Hex => `0x${n.toString(16)}`;
const word = (value: Hex): Hex => `0x${value.slice(2).padStart(64, "0")}`;
export const operatorAt = (n: number): Hex => `0x${(n + 1).toString(16).padStart(40, "0")}`;

const topicOf = (name: string): Hex =>
  toEventHash(
    (stakingAbi as Abi).find((item): item is AbiEvent => item.type === "event" && item.name === name)!,
  );
const topics = {
  OperatorRegistered: topicOf("OperatorRegistered"),
  Staked: topicOf("Staked"),
  Locked: topicOf("Locked"),
  Unlocked: topicOf("Unlocked"),
  Slashed: topicOf("Slashed"),
};
const reason = stringToHex("audit missed", { size: 32 }).slice(2);
const registration = encodeAbiParameters(
  [{ type: "uint8" }, { type: "bytes" }, { type: "string" }],
  [1, "0x0024080112", "/ip4/10.0.0.1/tcp/4001"],
);

/** Which event stands at a place of the chain: each operator registers, then stake comes, is locked, freed and slashed. */
function eventAt(place: number, operators: number, branch: number): { topics: Hex[]; data: Hex } {
  if (place < operators)
    return { topics: [topics.OperatorRegistered, word(operatorAt(place))], data: registration };
  // A permutation of the operators (their number is no multiple of this prime), so that neighbours in the chain are none in the tables.
  const operator = word(operatorAt((place * 7_919) % operators));
  const amount = quantity(1_000 + (place % 97) + branch * 1_000)
    .slice(2)
    .padStart(64, "0");
  const kind = place % 10;
  if (kind < 5) return { topics: [topics.Staked, operator, operator], data: `0x${amount}` };
  if (kind < 7) return { topics: [topics.Locked, operator, word(module)], data: `0x${amount}` };
  if (kind < 9) return { topics: [topics.Unlocked, operator, word(module)], data: `0x${amount}` };
  const slashed = { topics: [topics.Slashed, operator, word(module), word(sender)] };
  return { ...slashed, data: `0x${amount}${amount}${reason}` };
}

/** Bits of a logs bloom (yellow paper, 4.3.1) that an address or topic sets. */
const bloomBits = new Map<Hex, readonly number[]>();
function setBloom(bloom: Uint8Array, value: Hex): void {
  let bits = bloomBits.get(value);
  if (bits === undefined) {
    const digest = hexToBytes(keccak256(value));
    bits = [0, 2, 4].map((at) => ((digest[at]! << 8) | digest[at + 1]!) & 2047);
    bloomBits.set(value, bits);
  }
  for (const bit of bits) bloom[255 - (bit >> 3)]! |= 1 << (bit & 7);
}

type Filter = { fromBlock?: string; toBlock?: string; blockHash?: string; address?: string | string[] };

/** Answers the JSON-RPC methods that indexers ask for. */
export class EventChain {
  readonly #shape: ChainShape;
  /** First block of the other branch, when there is one. */
  #forkAt = Number.POSITIVE_INFINITY;
  #branch = 0;
  #head: number;

  constructor(shape: ChainShape) {
    this.#shape = shape;
    this.#head = shape.blocks - 1;
  }

  answer(method: string, params: readonly unknown[]): unknown {
    switch (method) {
      case "eth_chainId":
        return quantity(chainId);
      case "net_version":
        return String(chainId);
      case "eth_blockNumber":
        return quantity(this.#head);
      case "eth_getBlockByNumber":
        return this.#block(this.#number(params[0]), params[1] === true);
      case "eth_getBlockByHash":
        return this.#block(this.#numberOf(String(params[0])), params[1] === true);
      case "eth_getLogs":
        return this.#logs(params[0] as Filter);
      case "eth_getBlockReceipts":
        return this.#receipts(String(params[0]));
      case "eth_getTransactionByHash":
        return this.#transactionByHash(String(params[0]));
      case "test_mine":
        this.mine(Number(params[0]));
        return null;
      case "test_reorganise":
        this.reorganise(Number(params[0]));
        return null;
      default:
        throw new Error(`no method ${method}`);
    }
  }

  mine(count: number): void {
    this.#head += count;
  }

  /** Replaces the newest blocks by as many of another branch. */
  reorganise(depth: number): void {
    this.#forkAt = this.#head + 1 - depth;
    this.#branch++;
  }

  #number(tag: unknown): number {
    if (tag === "latest" || tag === "pending") return this.#head;
    if (tag === "finalized" || tag === "safe") return Math.max(0, this.#head - 64);
    return tag === "earliest" ? 0 : Number(tag);
  }

  #branchOf(number: number): number {
    return number >= this.#forkAt ? this.#branch : 0;
  }

  /** The number is part of the hash, so that a block can be found by it. */
  #hash(number: number): Hex {
    const tail = number.toString(16).padStart(16, "0");
    return `${hash(`${this.#branchOf(number)}:${number}`).slice(0, 50)}${tail}` as Hex;
  }

  #numberOf(blockHash: string): number {
    const number = Number.parseInt(blockHash.slice(50), 16);
    return this.#hash(number) === blockHash ? number : -1;
  }

  /** The place is part of the hash, so that a transaction can be found by it. */
  #transactionHash(number: number, index: number): Hex {
    const tail = number.toString(16).padStart(12, "0") + index.toString(16).padStart(4, "0");
    return `${hash(`${this.#branchOf(number)}:${number}:${index}`).slice(0, 50)}${tail}` as Hex;
  }

  #transactionByHash(transactionHash: string): unknown {
    const number = Number.parseInt(transactionHash.slice(50, 62), 16);
    const index = Number.parseInt(transactionHash.slice(62), 16);
    const isKnown =
      number <= this.#head &&
      index < this.#transactionCount &&
      this.#transactionHash(number, index) === transactionHash;
    return isKnown ? this.#transaction(number, index) : null;
  }

  get #transactionCount(): number {
    return Math.ceil(this.#shape.eventsPerBlock / logsPerTransaction);
  }

  #transaction(number: number, index: number): unknown {
    return {
      hash: this.#transactionHash(number, index),
      blockHash: this.#hash(number),
      blockNumber: quantity(number),
      transactionIndex: quantity(index),
      from: sender,
      to: stakingAddress,
      value: "0x0",
      gas: "0x30d40",
      gasPrice: "0x3b9aca00",
      input: "0x1234567800000000000000000000000000000000000000000000000000000000000003e8",
      nonce: quantity(number * this.#transactionCount + index),
      type: "0x0",
      chainId: quantity(chainId),
      v: "0x1b",
      r: word("0x1"),
      s: word("0x1"),
    };
  }

  #block(number: number, isFull: boolean): unknown {
    if (number < 0 || number > this.#head) return null;
    const bloom = new Uint8Array(256);
    setBloom(bloom, stakingAddress);
    for (const event of this.#events(number)) for (const topic of event.topics) setBloom(bloom, topic);
    const transactions = Array.from({ length: this.#transactionCount }, (_, i) =>
      isFull ? this.#transaction(number, i) : this.#transactionHash(number, i),
    );
    return {
      number: quantity(number),
      hash: this.#hash(number),
      parentHash: number === 0 ? word("0x0") : this.#hash(number - 1),
      timestamp: quantity(genesisTime + number * 12),
      nonce: "0x0000000000000000",
      mixHash: word("0x0"),
      sha3Uncles: word("0x0"),
      logsBloom: `0x${Buffer.from(bloom).toString("hex")}`,
      transactionsRoot: word("0x0"),
      stateRoot: word("0x0"),
      receiptsRoot: word("0x0"),
      miner: sender,
      difficulty: "0x0",
      totalDifficulty: "0x0",
      extraData: "0x",
      size: "0x400",
      gasLimit: "0x1c9c380",
      gasUsed: "0xe4e1c0",
      baseFeePerGas: "0x3b9aca00",
      uncles: [],
      transactions,
    };
  }

  #events(number: number): { topics: Hex[]; data: Hex }[] {
    const { eventsPerBlock, operators } = this.#shape;
    const branch = this.#branchOf(number);
    return Array.from({ length: eventsPerBlock }, (_, i) =>
      eventAt(number * eventsPerBlock + i, operators, branch),
    );
  }

  #receipts(blockHash: string): unknown[] {
    const logs = this.#logs({ blockHash }) as { transactionHash: Hex }[];
    return [...Map.groupBy(logs, ({ transactionHash }) => transactionHash)].map(([transactionHash, own]) => ({
      transactionHash,
      blockHash,
      logs: own,
    }));
  }

  #logs({ fromBlock, toBlock, blockHash, address }: Filter): unknown[] {
    if (address !== undefined && ![address].flat().some((each) => each.toLowerCase() === stakingAddress))
      return [];
    const from = blockHash === undefined ? this.#number(fromBlock) : this.#numberOf(blockHash);
    const to = blockHash === undefined ? Math.min(this.#number(toBlock), this.#head) : from;
    if (from < 0) return [];
    const logs: unknown[] = [];
    for (let number = from; number <= to; number++) {
      const [own, at] = [this.#hash(number), quantity(number)];
      for (const [i, event] of this.#events(number).entries()) {
        const transaction = Math.floor(i / logsPerTransaction);
        logs.push({
          address: stakingAddress,
          ...event,
          blockNumber: at,
          blockHash: own,
          transactionHash: this.#transactionHash(number, transaction),
          transactionIndex: quantity(transaction),
          logIndex: quantity(i),
          removed: false,
        });
      }
    }
    return logs;
  }
}

type Request = { id: unknown; method: string; params?: unknown[] };

/** Serves the chain over HTTP until the process ends. */
export async function serveChain(shape: ChainShape): Promise<string> {
  const chain = new EventChain(shape);
  const reply = ({ id, method, params = [] }: Request) => {
    try {
      return { jsonrpc: "2.0", id, result: chain.answer(method, params) };
    } catch (error) {
      return { jsonrpc: "2.0", id, error: { code: -32601, message: String(error) } };
    }
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Request | Request[];
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(Array.isArray(body) ? body.map(reply) : reply(body)));
  });
  // An indexer that is busy for a while finds its connection as it left it.
  server.keepAliveTimeout = 300_000;
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

if (process.argv[1] === import.meta.filename) {
  const [blocks, eventsPerBlock, operators] = process.argv.slice(2).map(Number);
  process.stdout.write(
    `${await serveChain({ blocks: blocks!, eventsPerBlock: eventsPerBlock!, operators: operators! })}\n`,
  );
}
