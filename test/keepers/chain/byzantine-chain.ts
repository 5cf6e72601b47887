import {
  type Address,
  type Hex,
  keccak256,
  type LocalAccount,
  parseTransaction,
  recoverTransactionAddress,
  type TransactionSerialized,
  toHex,
  zeroHash,
} from "viem";
import type { Endpoint } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { seeded } from "./random.ts";

type Transaction = {
  hash: Hex;
  raw: Hex;
  from: Address;
  to: Address;
  nonce: number;
  data: Hex;
  json: Record<string, unknown>;
};
type Included = Transaction & { status: "0x0" | "0x1" };
type Block = { number: number; hash: Hex; transaction: Included | undefined };

/** What an endpoint does wrong; probabilities of each answer. */
export type Manners = {
  /** Answers as of up to 3 blocks ago. */
  lags?: number;
  /** Has no receipts. */
  forgets?: number;
  fails?: number;
  /** Says whatever is worst. */
  lies?: number;
  /** Gives receipts of success for what is in no block. */
  forges?: number;
  /** Says that calls are reverted. */
  refuses?: number;
  /** The nonce that it gives instead of the account's. */
  counts?: number;
  /** Other answers than the chain's, where they are none of undefined. */
  says?: (method: string, params: readonly unknown[]) => unknown;
  /** What it makes of an honest answer. */
  twists?: (method: string, answer: unknown, asked: readonly unknown[]) => unknown;
};

const refusal = () => Object.assign(new Error("execution reverted"), { code: 3, data: "0x" });
const coins = toHex(10n ** 24n);

/**
 * A chain in memory for one account, whose moves come from a seed, seen through endpoints that lag, forget, fail and lie.
 * It includes whatever it likes of all that was ever signed. A call whose data ends in an odd digit is reverted in odd
 * blocks: taken back and included again, it may end otherwise than before.
 */
export class ByzantineChain {
  readonly account: LocalAccount;
  blocks: Block[] = [{ number: 0, hash: keccak256("0x00"), transaction: undefined }];
  readonly known = new Map<Hex, Transaction>();
  readonly #random;
  #salt = 0;

  constructor(account: LocalAccount, seed: number) {
    this.account = account;
    this.#random = seeded(seed);
  }

  get head(): number {
    return this.blocks.length - 1;
  }

  countAt(height: number): number {
    return this.blocks.slice(0, height + 1).filter(({ transaction }) => transaction !== undefined).length;
  }

  /** Times that calls with these data have taken effect in the present chain. */
  effects(data: Hex): number {
    return this.blocks.filter(({ transaction }) => transaction?.data === data && transaction.status === "0x1")
      .length;
  }

  /** Makes a block with one of the transactions that are next, or with none. */
  mine(share = 1): void {
    const next = [...this.known.values()].filter(({ nonce }) => nonce === this.countAt(this.head));
    const number = this.blocks.length;
    const chosen = this.#random.chance(share)
      ? next[this.#random.below(Math.max(1, next.length))]
      : undefined;
    const fails = chosen !== undefined && this.#wouldFail(chosen.data, number);
    this.blocks.push({
      number,
      hash: keccak256(toHex(`${number}:${++this.#salt}`)),
      transaction: chosen && { ...chosen, status: fails ? "0x0" : "0x1" },
    });
  }

  reorganise(depth: number): void {
    this.blocks.length -= Math.min(depth, this.head);
    for (let i = 0; i <= depth; i++) this.mine(0.5);
  }

  async add(raw: Hex): Promise<Hex> {
    const hash = keccak256(raw);
    if (this.known.has(hash)) return hash;
    const serializedTransaction = raw as TransactionSerialized;
    const {
      to,
      nonce = 0,
      data = "0x",
      value = 0n,
      gas,
      r,
      s,
      yParity,
      ...fees
    } = parseTransaction(serializedTransaction as `0x02${string}`);
    const from = await recoverTransactionAddress({
      serializedTransaction: serializedTransaction as `0x02${string}`,
    });
    const json = {
      hash,
      from,
      to,
      nonce: toHex(nonce),
      input: data,
      value: toHex(value),
      gas: toHex(gas!),
      maxFeePerGas: toHex(fees.maxFeePerGas!),
      maxPriorityFeePerGas: toHex(fees.maxPriorityFeePerGas!),
      chainId: toHex(fees.chainId!),
      type: "0x2",
      accessList: [],
      r,
      s,
      v: toHex(yParity!),
      yParity: toHex(yParity!),
    };
    this.known.set(hash, { hash, raw, from, to: to!, nonce, data, json });
    return hash;
  }

  #wouldFail(data: Hex, height: number): boolean {
    return /[13579bdf]$/.test(data) && height % 2 === 1;
  }

  endpoint(name: string, manners: () => Manners, seed: number): Endpoint {
    const random = seeded(seed);
    return {
      name,
      request: async ({ method, params }) => {
        if (method === "eth_chainId") return "0x1";
        const {
          lags = 0,
          forgets = 0,
          fails = 0,
          lies = 0,
          forges = 0,
          refuses = 0,
          counts,
          twists,
        } = manners();
        if (random.chance(fails)) throw new Error("connection reset");
        const behind = random.chance(lags) ? 1 + random.below(3) : 0;
        const head = Math.max(0, this.head - behind);
        const asked = (params ?? []) as unknown[];
        if (random.chance(lies)) return this.#lie(method, asked, random);
        if (method === "eth_getTransactionReceipt") {
          if (random.chance(forgets)) return null;
          const { hash, number } = this.blocks[head]!;
          if (random.chance(forges)) return receipt(asked[0] as Hex, hash, number, "0x1");
        }
        const isTried = method === "eth_call" || method === "eth_estimateGas";
        if (isTried && random.chance(refuses)) throw refusal();
        if (method === "eth_getTransactionCount" && counts !== undefined) return toHex(BigInt(counts));
        const answer = manners().says?.(method, asked) ?? (await this.#answer(method, asked, head));
        return twists === undefined ? answer : twists(method, answer, asked);
      },
    };
  }

  async #answer(method: string, [first, second]: unknown[], head: number): Promise<unknown> {
    const heightOf = (tag: unknown) => (String(tag).startsWith("0x") ? Number(tag) : head);
    switch (method) {
      case "eth_blockNumber":
        return toHex(head);
      case "eth_getTransactionCount": {
        if (heightOf(second) > head) throw new Error("unknown block");
        if (second !== "pending") return toHex(this.countAt(heightOf(second)));
        let nonce = this.countAt(head);
        while ([...this.known.values()].some((each) => each.nonce === nonce)) nonce++;
        return toHex(nonce);
      }
      case "eth_getBalance":
        return coins;
      case "eth_maxPriorityFeePerGas":
        return "0x1";
      case "eth_call":
      case "eth_estimateGas": {
        const { data = "0x", from, to } = first as { data?: Hex; from?: string; to?: string };
        if (from !== to && this.#wouldFail(data, head + 1)) throw refusal();
        return method === "eth_call" ? "0x" : "0x5208";
      }
      case "eth_getBlockByNumber": {
        const block = heightOf(first) > head ? undefined : this.blocks[heightOf(first)];
        return block === undefined ? null : this.#blockJson(block, second === true);
      }
      case "eth_getTransactionReceipt": {
        const block = this.blocks.find(
          ({ number, transaction }) => number <= head && transaction?.hash === first,
        );
        return block === undefined
          ? null
          : receipt(first as Hex, block.hash, block.number, block.transaction!.status);
      }
      case "eth_sendRawTransaction":
        return this.add(first as Hex);
      default:
        throw new Error(`the chain in memory has no ${method}`);
    }
  }

  #blockJson({ number, hash, transaction }: Block, isFull: boolean): Record<string, unknown> {
    const listed = transaction === undefined ? [] : [isFull ? transaction.json : transaction.hash];
    return {
      number: toHex(number),
      hash,
      parentHash: this.blocks[number - 1]?.hash ?? zeroHash,
      timestamp: toHex(number * 12),
      baseFeePerGas: "0x7",
      transactions: listed,
    };
  }

  /** Whatever could do most harm, in the form of an answer. */
  #lie(method: string, [first]: unknown[], random: ReturnType<typeof seeded>): unknown {
    switch (method) {
      case "eth_getTransactionCount":
        return toHex([0, this.countAt(this.head) + 1, this.countAt(this.head) + 3, 1e9][random.below(4)]!);
      case "eth_getTransactionReceipt": {
        const block = this.blocks[random.below(this.blocks.length)]!;
        const claims = [null, receipt(first as Hex, block.hash, block.number, "0x1")];
        claims.push(receipt(first as Hex, block.hash, block.number, "0x0"));
        return claims[random.below(3)];
      }
      case "eth_call":
        throw refusal();
      case "eth_estimateGas":
        if (random.chance(0.5)) throw refusal();
        return random.chance(0.5) ? "0x1" : "0xffffffffff";
      case "eth_getBlockByNumber":
        return {
          ...this.#blockJson(this.blocks[Math.min(Number(first) || 0, this.head)]!, false),
          hash: keccak256(toHex(random.below(1e9))),
        };
      case "eth_blockNumber":
        return toHex(random.chance(0.5) ? 1 : this.head + 1_000);
      case "eth_getBalance":
        return "0x0";
      case "eth_sendRawTransaction":
        // It says that it will never take it, and keeps it all the same.
        void this.add(first as Hex);
        throw Object.assign(new Error("insufficient funds for gas * price + value"), { code: -32000 });
      default:
        return "0x1";
    }
  }
}

function receipt(transactionHash: Hex, blockHash: Hex, number: number, status: "0x0" | "0x1") {
  return {
    transactionHash,
    blockHash,
    blockNumber: toHex(number),
    transactionIndex: "0x0",
    status,
    logs: [],
    gasUsed: "0x5208",
    cumulativeGasUsed: "0x5208",
    effectiveGasPrice: "0x8",
    type: "0x2",
  };
}
