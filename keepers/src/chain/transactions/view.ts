import {
  type Address,
  type Hex,
  numberToHex,
  recoverTransactionAddress,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
  type TransactionSerialized,
} from "viem";
import type { ChainClient } from "../client.ts";
import { InconsistentAnswerError } from "../rpc/errors.ts";
import type { Heads } from "../rpc/failover.ts";
import { type SignedTransaction, signedTransaction } from "../signed-transaction.ts";
import type { Inclusion } from "./machine.ts";

/** A transaction of the account that a final block holds. */
export type NonceUser = SignedTransaction;

/** More transactions than an account sends: one each second for a century. Counting goes on from whatever is believed. */
const mostNonces = 2n ** 32n;

type Place = { number: bigint; hash: Hex };

/** What an account's queue sees of the chain: nothing that a quorum of endpoints does not agree on. */
export class ChainView {
  readonly #client: ChainClient;
  readonly #address: Address;

  constructor(client: ChainClient, address: Address) {
    this.#client = client;
    this.#address = address;
  }

  heads(): Promise<Heads> {
    return this.#client.heads();
  }

  head(): Promise<bigint> {
    return this.#client.public.getBlockNumber({ cacheTime: 0 });
  }

  /**
   * The account's next nonce as of the head.
   *
   * @param likely what it is at most if nobody else has used many nonces: more is not taken from one endpoint while another one
   *   says less
   */
  async counted(likely: number): Promise<number> {
    const asked = [this.#address, "latest"];
    const isLikely = (value: bigint) => value <= BigInt(likely);
    const counted = await this.#client.attested("eth_getTransactionCount", asked, isLikely);
    if (counted > mostNonces)
      throw new InconsistentAnswerError(`no account has sent ${counted} transactions`);
    return Number(counted);
  }

  /**
   * The same with what waits in the nodes' pools.
   *
   * @param likely as for {@link counted}; whatever is more is left to whoever reads it
   */
  async pooled(likely = Number.POSITIVE_INFINITY): Promise<number> {
    const asked = [this.#address, "pending"];
    const isLikely = (value: bigint) => Number(value) <= likely;
    return Number(await this.#client.attested("eth_getTransactionCount", asked, isLikely));
  }

  /** Whether the account has so many coins, in wei, as of the head: that it has not is not taken from one endpoint while others answer. */
  async has(needed: bigint): Promise<boolean> {
    const asked = [this.#address, "latest"];
    const highest = await this.#client.attested("eth_getBalance", asked, (value) => value >= needed);
    return highest >= needed;
  }

  /** Whether a block is in the canonical chain. */
  async isCanonical({ number, hash }: Place, head: bigint): Promise<boolean> {
    if (number > head) return false;
    const block = (await this.#client.agreed("eth_getBlockByNumber", [numberToHex(number), false])) as {
      hash: Hex;
    } | null;
    if (block === null) throw new InconsistentAnswerError(`no quorum has block ${number}`);
    return block.hash.toLowerCase() === hash.toLowerCase();
  }

  /** The receipt of a transaction in the canonical chain; undefined when there is none that a quorum knows. */
  async receipt(hash: Hex, head: bigint): Promise<TransactionReceipt | undefined> {
    const receipt = await this.anyReceipt(hash);
    if (receipt === undefined) return undefined;
    const place = { number: receipt.blockNumber, hash: receipt.blockHash };
    return (await this.isCanonical(place, head)) ? receipt : undefined;
  }

  /** The receipt that a quorum gives. */
  async anyReceipt(hash: Hex): Promise<TransactionReceipt | undefined> {
    try {
      return await this.#client.public.getTransactionReceipt({ hash });
    } catch (error) {
      if (error instanceof TransactionReceiptNotFoundError) return undefined;
      throw error;
    }
  }

  inclusionOf({ transactionHash, blockHash, status }: TransactionReceipt, depth: bigint): Inclusion {
    const outcome = status === "success" ? "succeeded" : "reverted";
    return { hash: transactionHash, blockHash, outcome, depth };
  }

  /**
   * The transaction that has used a nonce, in a block no higher than `final`; undefined when the nonce is not used there.
   * It is found by the account's nonces at past blocks, and believed because the account's key has signed it and a quorum
   * names it in its block.
   */
  async userOf(nonce: number, final: bigint): Promise<NonceUser | undefined> {
    if (final < 0n || (await this.#countedAt(final)) <= nonce) return undefined;
    let high = final;
    let low = final - 1n;
    for (let step = 2n; low >= 0n && (await this.#countedAt(low)) > nonce; step *= 2n) {
      high = low;
      low -= step;
    }
    if (low < 0n) low = -1n;
    while (high - low > 1n) {
      const middle = (low + high) / 2n;
      if ((await this.#countedAt(middle)) > nonce) high = middle;
      else low = middle;
    }
    return this.#sentIn(high, nonce);
  }

  async #countedAt(block: bigint): Promise<number> {
    return Number(await this.#client.agreed("eth_getTransactionCount", [this.#address, numberToHex(block)]));
  }

  async #sentIn(number: bigint, nonce: number): Promise<NonceUser | undefined> {
    const asked = [numberToHex(number), true];
    const agreed = transactionsIn(await this.#client.agreed("eth_getBlockByNumber", asked));
    const found = await this.#signedBy(agreed, nonce);
    if (found !== undefined) return found;
    // They agree on hashes; what is behind them is the word of one, which may hide a transaction behind another's body.
    const names = new Set(agreed.map(({ hash }) => hash?.toLowerCase()));
    for (const answer of await this.#client.poll("eth_getBlockByNumber", asked)) {
      if (answer.status === "rejected") continue;
      const listed = transactionsIn(answer.value).filter(({ hash }) => names.has(hash?.toLowerCase()));
      const hidden = await this.#signedBy(listed, nonce);
      if (hidden !== undefined) return hidden;
    }
    return undefined;
  }

  /** An endpoint's word for a transaction is its signature, which only the account's key can have made. */
  async #signedBy(listed: readonly RpcTransaction[], nonce: number): Promise<NonceUser | undefined> {
    for (const each of listed) {
      const signed = Number(each.nonce) === nonce ? signedTransaction(each) : undefined;
      if (signed === undefined) continue;
      const serializedTransaction = signed.raw as TransactionSerialized;
      // What makes no signature has no signer.
      const signer = await recoverTransactionAddress({ serializedTransaction }).catch(() => undefined);
      if (signer?.toLowerCase() === this.#address.toLowerCase()) return signed;
    }
    return undefined;
  }
}

type RpcTransaction = { hash?: Hex; nonce?: Hex };

/** Those of a block that was asked for whole. */
function transactionsIn(block: unknown): RpcTransaction[] {
  const { transactions } = (block ?? {}) as { transactions?: unknown };
  return Array.isArray(transactions) ? (transactions as RpcTransaction[]) : [];
}
