import {
  type Address,
  BaseError,
  type Hex,
  keccak256,
  type LocalAccount,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
} from "viem";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";
import type { State } from "../../storage/state/state.ts";
import type { ChainClient } from "../client.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { Call } from "../contracts.ts";
import { explainRevert } from "../revert.ts";
import { InconsistentAnswerError, RpcUnavailableError } from "../rpc/errors.ts";
import { type Broadcast, broadcast } from "./broadcast.ts";
import { TransactionFailedError } from "./errors.ts";
import { estimateFees, type Fees, replacementFees } from "./fees.ts";
import { pauseAfter } from "./retry.ts";
import { type Attempt, type StoredIntent, TransactionStore } from "./store.ts";

/** Something to be done on chain exactly once, whatever happens to this process. */
export type Intent = Call & {
  /**
   * What makes the intent one and the same: "answer:<epoch>:<duty>". Submitting a key again never sends again what is
   * under way or has succeeded; what has failed is sent anew, with what is asked for now, once that would succeed.
   */
  key: string;
  /** What a person would call it: "answering the audit of epoch 7". */
  description?: string;
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
  /** Blocks, its own included, after which a transaction counts as final; 1 by default. */
  confirmations?: number;
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
 * The transactions of one account on one chain. Nonces and signed transactions are on disk before they are sent, so a
 * killed process goes on where it stopped: nothing is lost, nothing is sent twice.
 */
export type TransactionQueue = {
  readonly address: Address;
  /** Sends an intent, or finds the one that was sent under its key, and waits until it is final. */
  send(intent: Intent): Promise<TransactionReceipt>;
  /** As `send`, without waiting. Throws `TransactionFailedError` when the chain refuses it: then nothing was sent. */
  submit(intent: Intent): Promise<void>;
  /** Waits until a submitted intent is final; throws `TransactionFailedError` when it was reverted. */
  wait(key: string): Promise<TransactionReceipt>;
  /** One look at the chain: settles what is mined, sends again what was dropped, replaces what is stuck. */
  tick(): Promise<void>;
  /** Ticks until aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Intents that are not final yet, lowest nonce first. */
  pending(): StoredIntent[];
  /** Whether an intent is under way or has succeeded under this key. */
  isBegun(key: string): boolean;
};

/** Depth at which somebody else's use of a nonce is believed to stay. */
const foreignDepth = 3n;
const mostMissing = 64;

class AccountQueue implements TransactionQueue {
  readonly address: Address;
  readonly #options: QueueOptions;
  readonly #client: ChainClient;
  readonly #account: LocalAccount;
  readonly #clock: Clock;
  readonly #store: TransactionStore;
  readonly #feeCap: bigint;
  /** Submissions and looks at the chain go one after the other: a nonce is sent before the next one is given out. */
  #last: Promise<unknown> = Promise.resolve();
  #tick: Promise<void> | undefined;
  /** Attempts that this process has sent: those of an earlier one are sent again at the first look. */
  readonly #sent = new Set<Hex>();

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#account = options.account;
    this.#clock = options.clock ?? systemClock;
    this.#feeCap = options.maximumFeePerGas ?? 500_000_000_000n;
    this.address = options.account.address;
    this.#store = new TransactionStore(options.state, options.client.chainId, this.address);
  }

  pending(): StoredIntent[] {
    return this.#store.pending();
  }

  isBegun(key: string): boolean {
    const status = this.#store.find(key)?.status;
    return status !== undefined && status !== "failed";
  }

  async send(intent: Intent): Promise<TransactionReceipt> {
    await this.submit(intent);
    return this.wait(intent.key);
  }

  submit(intent: Intent): Promise<void> {
    return this.#exclusive(() => this.#submit(intent));
  }

  async wait(key: string): Promise<TransactionReceipt> {
    for (;;) {
      const intent = this.#store.find(key);
      if (intent === undefined) {
        throw new AssayError(`no transaction was submitted as ${key}`, { exitCode: exitCode.internal });
      }
      if (intent.status === "mined") return this.#receipt(intent.hash!);
      if (intent.status === "failed") throw this.#failure(intent);
      await this.#patiently(() => this.tick());
      if (this.#store.find(key)?.status === "pending") {
        await this.#clock.sleep(this.#options.pollInterval ?? 1_000);
      }
    }
  }

  tick(): Promise<void> {
    this.#tick ??= this.#exclusive(() => this.#look()).finally(() => {
      this.#tick = undefined;
    });
    return this.#tick;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#patiently(() => this.tick());
      await this.#clock.sleep(this.#options.pollInterval ?? 1_000, signal);
    }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Failures of endpoints are reported and pass; everything else is thrown. */
  async #patiently(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const transient =
        error instanceof BaseError ||
        error instanceof RpcUnavailableError ||
        error instanceof InconsistentAnswerError;
      if (!transient) throw error;
      this.#options.observer?.failed?.(error);
    }
  }

  async #submit(intent: Intent): Promise<void> {
    const { key, to, data, value } = intent;
    const known = this.#store.find(key);
    if (known !== undefined && known.status !== "failed") {
      const same =
        known.to.toLowerCase() === to.toLowerCase() && known.data === data && known.value === value;
      if (!same) throw new BadInputError(`another transaction was submitted as ${key}`);
      return;
    }
    // What has failed has used its nonce up and done nothing: what it depended on may be as it should be by now.
    if (known !== undefined && this.#rests(known)) throw this.#failure(known);
    const gas = await this.#simulate(intent, known?.hash);
    const fees = await estimateFees(this.#client.public, this.#feeCap);
    const nonce = await this.#client.public.getTransactionCount({
      address: this.address,
      blockTag: "pending",
    });
    const stored = this.#store.assign({ key, to, data, value, gas }, nonce);
    let outcome: Broadcast | undefined;
    // From here on the intent is on record: what an endpoint spoils now, the next look makes up for.
    await this.#patiently(async () => {
      outcome = await this.#attempt(stored, fees);
    });
    if (outcome?.kind !== "refused") return;
    // No node has it and no later nonce is out yet, so it can be taken back without leaving a gap.
    this.#store.release(key);
    throw new TransactionFailedError(`${this.#named(intent)} was refused: ${outcome.reason}`, {
      key,
      next: "fund the account, or change the request, and try again",
    });
  }

  #rests({ key, failures }: StoredIntent): boolean {
    const [last] = this.#store.attempts(key);
    return last !== undefined && this.#clock.now() < last.madeAt + pauseAfter(failures);
  }

  #named({ key, description }: Pick<Intent, "key" | "description">): string {
    return description ?? `the transaction ${key}`;
  }

  /** Tries the call on the newest state; gives the gas limit to use. `failed`: the transaction that has failed before. */
  async #simulate(
    intent: Pick<Intent, "key" | "to" | "data" | "value" | "description">,
    failed?: Hex,
  ): Promise<bigint> {
    const { to, data, value, key } = intent;
    let estimate: bigint;
    try {
      const call = { account: this.address, to, data, value };
      await this.#client.public.call(call);
      estimate = await this.#client.public.estimateGas(call);
    } catch (cause) {
      const revert = explainRevert(cause);
      if (revert === undefined) throw cause;
      const would = failed === undefined ? "would fail" : "failed on chain, and would fail again";
      throw new TransactionFailedError(`${this.#named(intent)} ${would}: ${revert.reason}`, {
        key,
        hash: failed,
        errorName: revert.errorName,
        args: revert.args,
        cause,
      });
    }
    const maximum = this.#options.maximumGas ?? 15_000_000n;
    if (estimate > maximum) {
      throw new TransactionFailedError(`${this.#named(intent)} needs ${estimate} gas, more than ${maximum}`, {
        key,
        next: "split it into smaller ones",
      });
    }
    const gas = estimate + (estimate * BigInt(this.#options.gasMargin ?? 25)) / 100n;
    return gas < maximum ? gas : maximum;
  }

  /** Signs and records one more attempt, then sends it. A kill at any point in between loses nothing. */
  async #attempt(
    intent: StoredIntent,
    fees: Fees,
    options: { cancels?: boolean; replaces?: boolean } = {},
  ): Promise<Broadcast> {
    const { cancels = false, replaces = false } = options;
    const content = cancels
      ? { to: this.address, data: "0x" as Hex, value: 0n, gas: intent.gas }
      : { to: intent.to, data: intent.data, value: intent.value, gas: intent.gas };
    const raw = await this.#account.signTransaction({
      type: "eip1559",
      chainId: this.#client.chainId,
      nonce: intent.nonce,
      ...content,
      ...fees,
    });
    const hash = keccak256(raw);
    const madeAtBlock = await this.#client.public.getBlockNumber();
    const attempt = {
      hash,
      nonce: intent.nonce,
      raw,
      ...fees,
      cancels,
      madeAt: this.#clock.now(),
      madeAtBlock,
    };
    this.#store.addAttempt(intent.key, attempt);
    const outcome = await broadcast(this.#client, raw);
    if (outcome.kind !== "uncertain") this.#sent.add(hash);
    this.#options.observer?.sent?.({ key: intent.key, hash, nonce: intent.nonce, fees, replaces });
    return outcome;
  }

  async #look(): Promise<void> {
    if (this.#store.pending().length === 0) return;
    const head = await this.#client.public.getBlockNumber();
    const chainNonce = await this.#client.public.getTransactionCount({ address: this.address });
    for (const intent of this.#store.pending()) {
      const attempts = this.#store.attempts(intent.key);
      if (await this.#settle(intent, attempts, head)) continue;
      if (intent.nonce < chainNonce) await this.#reclaim(intent, head);
      else if (intent.nonce === chainNonce) await this.#push(intent, attempts, head);
      else await this.#resend(intent, attempts[0]);
    }
    await this.#fillGap(chainNonce, head);
  }

  /** Settles an intent one of whose attempts is mined deeply enough; true also while that is only a matter of time. */
  async #settle(intent: StoredIntent, attempts: readonly Attempt[], head: bigint): Promise<boolean> {
    for (const attempt of attempts) {
      const receipt = await this.#findReceipt(attempt.hash);
      if (receipt === undefined) continue;
      if (head - receipt.blockNumber + 1n < BigInt(this.#options.confirmations ?? 1)) return true;
      const block = await this.#client.public.getBlock({ blockNumber: receipt.blockNumber });
      // The receipt is of a block that has been reorganised away: the next look will tell.
      if (block.hash !== receipt.blockHash) return true;
      await this.#close(intent, attempt, receipt);
      return true;
    }
    return false;
  }

  async #close(intent: StoredIntent, attempt: Attempt, receipt: TransactionReceipt): Promise<void> {
    const { hash } = attempt;
    let status: "mined" | "failed" = "mined";
    if (attempt.cancels) {
      status = "failed";
      this.#store.settle(intent.key, {
        status,
        hash,
        reason: "it was cancelled, because it would have failed",
      });
    } else if (receipt.status !== "success") {
      status = "failed";
      const revert = await this.#replay(intent, receipt.blockNumber);
      this.#store.settle(intent.key, { status, hash, reason: revert?.reason, errorName: revert?.errorName });
    } else this.#store.settle(intent.key, { status, hash });
    const { gasUsed, effectiveGasPrice } = receipt;
    this.#options.observer?.settled?.({
      key: intent.key,
      hash,
      status,
      gasUsed,
      cost: gasUsed * effectiveGasPrice,
    });
  }

  /** Why a mined transaction was reverted, as far as a replay on its block's state can tell. */
  async #replay({ to, data, value }: StoredIntent, blockNumber: bigint) {
    try {
      await this.#client.public.call({ account: this.address, to, data, value, blockNumber });
      return undefined;
    } catch (error) {
      return explainRevert(error);
    }
  }

  /** Another transaction of this account has used the nonce: once that is certain, the intent gets a new one. */
  async #reclaim(intent: StoredIntent, head: bigint): Promise<void> {
    const depth = BigInt(this.#options.confirmations ?? 1) + foreignDepth;
    if (head < depth) return;
    const settled = await this.#client.public.getTransactionCount({
      address: this.address,
      blockNumber: head - depth,
    });
    if (settled <= intent.nonce) return;
    const nonce = await this.#client.public.getTransactionCount({
      address: this.address,
      blockTag: "pending",
    });
    this.#store.reassign(intent.key, nonce);
    await this.#attempt(this.#store.find(intent.key)!, await estimateFees(this.#client.public, this.#feeCap));
  }

  /** The next transaction in line: sends it again, or replaces it when it has waited for long enough. */
  async #push(intent: StoredIntent, attempts: readonly Attempt[], head: bigint): Promise<void> {
    const last = attempts.find(({ nonce }) => nonce === intent.nonce);
    const current = await estimateFees(this.#client.public, this.#feeCap);
    if (last === undefined) {
      // Killed between taking the nonce and signing.
      await this.#attempt(intent, current);
      return;
    }
    if (!this.#sent.has(last.hash)) return this.#resend(intent, last);
    const { milliseconds, blocks } = this.#options.replaceAfter ?? { milliseconds: 60_000, blocks: 12 };
    const stuck =
      this.#clock.now() - last.madeAt >= milliseconds || head - last.madeAtBlock >= BigInt(blocks);
    if (!stuck) return;
    const fees = replacementFees(last, current, this.#feeCap);
    if (fees === undefined) {
      this.#options.observer?.waiting?.({ key: intent.key, reason: "the network's fees are at the cap" });
      await broadcast(this.#client, last.raw);
      return;
    }
    // Asked anew each time: one endpoint that lags must not be the end of it.
    const cancels = await this.#wouldFail(intent);
    const outcome = await this.#attempt(intent, fees, { cancels, replaces: true });
    if (outcome.kind === "refused") {
      this.#options.observer?.waiting?.({ key: intent.key, reason: outcome.reason });
    }
  }

  /** Whether the call would be reverted by now: paying more to have that recorded would be a waste. */
  async #wouldFail(intent: StoredIntent): Promise<boolean> {
    try {
      await this.#simulate(intent);
      return false;
    } catch (error) {
      if (error instanceof TransactionFailedError) return true;
      throw error;
    }
  }

  async #resend(intent: StoredIntent, last: Attempt | undefined): Promise<void> {
    if (last === undefined || last.nonce !== intent.nonce) {
      await this.#attempt(intent, await estimateFees(this.#client.public, this.#feeCap));
      return;
    }
    if (this.#sent.has(last.hash)) return;
    const outcome = await broadcast(this.#client, last.raw);
    if (outcome.kind !== "uncertain") this.#sent.add(last.hash);
    if (outcome.kind === "refused") {
      this.#options.observer?.waiting?.({ key: intent.key, reason: outcome.reason });
    }
  }

  /** Uses up nonces that were lost (a dropped transaction of another tool, say) and hold all later ones back. */
  async #fillGap(chainNonce: number, head: bigint): Promise<void> {
    const lowest = this.#store.pending()[0];
    if (lowest === undefined || lowest.nonce <= chainNonce) return;
    const inPool = await this.#client.public.getTransactionCount({
      address: this.address,
      blockTag: "pending",
    });
    if (inPool > chainNonce) return;
    const { milliseconds, blocks } = this.#options.replaceAfter ?? { milliseconds: 60_000, blocks: 12 };
    const [attempt] = this.#store.attempts(lowest.key);
    if (attempt === undefined) return;
    const waited =
      this.#clock.now() - attempt.madeAt >= milliseconds || head - attempt.madeAtBlock >= BigInt(blocks);
    if (!waited) return;
    const missing = lowest.nonce - chainNonce;
    if (missing > mostMissing) {
      throw new AssayError(`${missing} transactions of ${this.address} are missing from the chain`, {
        next: "check that the local state belongs to this chain and was not copied from another machine",
        exitCode: exitCode.configuration,
      });
    }
    const gas = await this.#client.public.estimateGas({ account: this.address, to: this.address });
    const fees = await estimateFees(this.#client.public, this.#feeCap);
    for (let nonce = chainNonce; nonce < lowest.nonce; nonce++) {
      const key = `gap:${nonce}`;
      if (this.#store.find(key) !== undefined) continue;
      const filler = { key, to: this.address, data: "0x" as Hex, value: 0n, gas };
      await this.#attempt(this.#store.assignAt(filler, nonce), fees);
    }
  }

  async #findReceipt(hash: Hex): Promise<TransactionReceipt | undefined> {
    try {
      return await this.#client.public.getTransactionReceipt({ hash });
    } catch (error) {
      if (error instanceof TransactionReceiptNotFoundError) return undefined;
      throw error;
    }
  }

  /** Receipt of a transaction that is final; endpoints that lag are given time. */
  async #receipt(hash: Hex): Promise<TransactionReceipt> {
    for (let tries = 0; tries < 30; tries++) {
      const receipt = await this.#findReceipt(hash);
      if (receipt !== undefined) return receipt;
      await this.#clock.sleep(this.#options.pollInterval ?? 1_000);
    }
    throw new RpcUnavailableError(`no endpoint has the receipt of ${hash}, which was mined`);
  }

  #failure({ key, hash, reason, errorName }: StoredIntent): TransactionFailedError {
    return new TransactionFailedError(
      `the transaction ${key} failed on chain: ${reason ?? "the contract gave no reason"}`,
      {
        key,
        hash,
        errorName,
        next: "look at the reason; what it depended on has changed since it was tried",
      },
    );
  }
}

/** The queue of one account; queues of different accounts share a state but not their fate. */
export function createTransactionQueue(options: QueueOptions): TransactionQueue {
  return new AccountQueue(options);
}
