import type { Address, Hex, LocalAccount, TransactionReceipt } from "viem";
import type { State } from "../../storage/state/state.ts";
import type { ChainClient } from "../client.ts";
import type { Clock } from "../clock.ts";
import type { Call } from "../contracts.ts";
import type { Fees } from "./fees.ts";
import type { StoredIntent } from "./store.ts";

/** Something to be done on chain exactly once, whatever happens to this process. */
export type Intent = Call & {
  /**
   * What makes the intent one and the same: "answer:<epoch>:<duty>". Submitting a key again never sends again what is
   * under way or has succeeded; what has failed is sent anew, with what is asked for now, once that would succeed.
   */
  key: string;
  /** What a person would call it: "answering the audit of epoch 7". */
  description?: string;
  /** Gas to ask for at least, where others can make the call dearer than it was when it was tried. */
  minimumGas?: bigint;
};

/** What a queue reports to metrics and logs. */
export type QueueObserver = {
  sent?(event: { key: string; hash: Hex; nonce: number; fees: Fees; replaces: boolean }): void;
  settled?(event: {
    key: string;
    hash: Hex;
    status: "mined" | "failed";
    gasUsed: bigint;
    cost: bigint;
  }): void;
  /** The network asks for more than the cap allows, or a node refuses for now: the transaction waits. */
  waiting?(event: { key: string; reason: string }): void;
  failed?(error: Error): void;
};

export type QueueOptions = {
  client: ChainClient;
  state: State;
  account: LocalAccount;
  /** Blocks, its own included, after which callers are told what became of a transaction; the client's by default. */
  confirmations?: number;
  /** Blocks after which nothing of a transaction can change any more; the client's by default. */
  finality?: number;
  /** Wei per gas that are never exceeded; 500 gwei by default. */
  maximumFeePerGas?: bigint;
  /** Gas that no transaction may ask for more than; 15 million by default (EIP-7825 allows 2^24). */
  maximumGas?: bigint;
  /** Per cent added to the estimate of gas; 25 by default. */
  gasMargin?: number;
  /** Milliseconds and blocks after which a transaction that is not mined is replaced by one with higher fees. */
  replaceAfter?: { milliseconds: number; blocks: number };
  /** Milliseconds between two looks at the chain while something is pending. */
  pollInterval?: number;
  clock?: Clock;
  observer?: QueueObserver;
};

/**
 * The transactions of one account on one chain (docs/transactions.md). Nonces and signed transactions are on disk before they are sent, so a
 * killed process goes on where it stopped: nothing is lost, nothing is sent twice. What a reorganisation takes back before
 * it is final is sent again.
 */
export type TransactionQueue = {
  readonly address: Address;
  /** Sends an intent, or finds the one that was sent under its key, and waits for its confirmations. */
  send(intent: Intent): Promise<TransactionReceipt>;
  /** As `send`, without waiting. Throws `TransactionFailedError` when the chain refuses it: then nothing was sent. */
  submit(intent: Intent): Promise<void>;
  /** Waits until a submitted intent has its confirmations; throws `TransactionFailedError` when it was reverted. */
  wait(key: string): Promise<TransactionReceipt>;
  /** One look at the chain: settles what is mined, sends again what was dropped, replaces what is stuck. */
  tick(): Promise<void>;
  /** Ticks until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Intents that callers still have to wait for, lowest nonce first. */
  pending(): StoredIntent[];
  /** Whether an intent is under way or has succeeded under this key. */
  isBegun(key: string): boolean;
};
