import type { Address, Hex, PublicClient, Transaction } from "viem";
import { TransactionNotFoundError, TransactionReceiptNotFoundError } from "viem";
import type { Call } from "../../../keepers/src/chain/contracts.ts";

/** A transaction that a wallet says it has sent. */
export type Sent = {
  readonly hash: Hex;
  readonly account: Address;
  readonly call: Call;
  /** How many transactions of the account there were before it: its number, unless the wallet has counted otherwise. */
  readonly nonce: number;
};

/**
 * How a transaction that was sent ended. `passed over`: another of the account's took its number, `hash` where that is
 * known, and the endpoint has not seen the one that was sent; should the wallet have counted otherwise, it may still come.
 */
export type Outcome =
  | { readonly kind: "done" | "sped up" | "reverted" | "cancelled" | "replaced"; readonly hash: Hex }
  | { readonly kind: "passed over"; readonly hash: Hex | undefined };

type Chain = Pick<
  PublicClient,
  "getTransactionReceipt" | "getTransaction" | "getTransactionCount" | "getBlockNumber" | "getBlock"
>;

/** Blocks that are searched for what took a transaction's place, at most: the newest. */
const mostBlocks = 500n;
/** Looks in which a transaction is nowhere to be seen, before it is given up for what has its number: endpoints lag. */
const patience = 3;

/** Looks once at what has become of a transaction, and remembers what was there, to tell later what took its place. */
export class Lookout {
  readonly #chain: Chain;
  readonly #sent: Sent;
  #nonce: number;
  #isSeen = false;
  #missed = 0;
  /** The last block after which the transaction's number was still free. */
  #freeUntil: bigint;

  constructor(chain: Chain, sent: Sent, block: bigint) {
    this.#chain = chain;
    this.#sent = sent;
    this.#nonce = sent.nonce;
    this.#freeUntil = block;
  }

  /** How it ended; undefined while it has not. @throws what the endpoint throws */
  async look(): Promise<Outcome | undefined> {
    const { hash, account } = this.#sent;
    const receipt = await this.#receiptOf(hash);
    if (receipt !== undefined) return { kind: receipt.status === "reverted" ? "reverted" : "done", hash };
    const waiting = await this.#chain.getTransaction({ hash }).catch(absent(TransactionNotFoundError));
    if (waiting !== undefined) {
      this.#isSeen = true;
      this.#nonce = waiting.nonce;
    }
    const block = await this.#chain.getBlockNumber({ cacheTime: 0 });
    const count = await this.#chain.getTransactionCount({ address: account, blockNumber: block });
    if (count <= this.#nonce) {
      this.#freeUntil = block;
      return undefined;
    }
    const other = await this.#findOther(block);
    // Its own block may have come between the looks.
    if (other?.hash === hash) return undefined;
    if (!this.#isSeen && ++this.#missed < patience) return undefined;
    if (other === undefined) return { kind: "passed over", hash: undefined };
    return await this.#whatTookItsPlace(other);
  }

  async #whatTookItsPlace(other: Transaction): Promise<Outcome> {
    const { account, call } = this.#sent;
    const { hash } = other;
    const isSame =
      other.to?.toLowerCase() === call.to.toLowerCase() &&
      other.input === call.data &&
      other.value === (call.value ?? 0n);
    if (isSame) {
      const receipt = await this.#receiptOf(hash);
      return { kind: receipt?.status === "reverted" ? "reverted" : "sped up", hash };
    }
    const isEmpty = other.to?.toLowerCase() === account.toLowerCase() && other.value === 0n;
    if (isEmpty) return { kind: "cancelled", hash };
    return { kind: this.#isSeen ? "replaced" : "passed over", hash };
  }

  /** What the account sent under this number. */
  async #findOther(newest: bigint): Promise<Transaction | undefined> {
    const first = this.#freeUntil + 1n;
    const from = newest - first < mostBlocks ? first : newest - mostBlocks + 1n;
    for (let blockNumber = from; blockNumber <= newest; blockNumber++) {
      const { transactions } = await this.#chain.getBlock({ blockNumber, includeTransactions: true });
      const found = transactions.find(
        ({ from: sender, nonce }) =>
          sender.toLowerCase() === this.#sent.account.toLowerCase() && nonce === this.#nonce,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #receiptOf(hash: Hex) {
    return this.#chain.getTransactionReceipt({ hash }).catch(absent(TransactionReceiptNotFoundError));
  }
}

/**
 * Looks until a transaction has ended.
 * @param onTrouble told why the chain cannot be asked, and with undefined that it can again
 */
export async function waitFor(
  lookout: Lookout,
  /** Milliseconds between two looks. */
  pause: number,
  onTrouble: (error: unknown) => void = () => {},
): Promise<Outcome> {
  for (let hasTrouble = false; ; ) {
    try {
      const outcome = await lookout.look();
      if (outcome !== undefined) return outcome;
      if (hasTrouble) onTrouble(undefined);
      hasTrouble = false;
    } catch (error) {
      hasTrouble = true;
      onTrouble(error);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Gives undefined for what is not there, and throws everything else. */
function absent(kind: new (...args: never[]) => Error): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof kind) return undefined;
    throw error;
  };
}
