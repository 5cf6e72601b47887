import {
  type Address,
  BaseError,
  type Hex,
  keccak256,
  type LocalAccount,
  type TransactionReceipt,
} from "viem";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";
import type { ChainClient } from "../client.ts";
import { type Clock, systemClock } from "../clock.ts";
import { explainRevert } from "../revert.ts";
import { findCause, InconsistentAnswerError, RpcUnavailableError } from "../rpc/errors.ts";
import { type Broadcast, broadcast } from "./broadcast.ts";
import { TransactionFailedError } from "./errors.ts";
import { failureOf, refusalOf, verdictError } from "./failures.ts";
import { estimateFees, type Fees, gasOfFiller, replacementFees } from "./fees.ts";
import { depthOf, type Look, placeOf, type Seen } from "./look.ts";
import {
  type Depths,
  gapMove,
  type IntentRecord,
  isStuck,
  type Move,
  mostFillers,
  nextMove,
  type Purpose,
  type Sight,
  usualPatience,
} from "./machine.ts";
import { tryOnHead, type Verdict } from "./preflight.ts";
import { isResting } from "./retry.ts";
import { type Attempt, type StoredIntent, TransactionStore } from "./store.ts";
import type { Intent, QueueOptions, TransactionQueue } from "./types.ts";
import { ChainView } from "./view.ts";

export type { Intent, QueueObserver, QueueOptions, TransactionQueue } from "./types.ts";

/** What is an endpoint's fault, or a passing state of the chain. */
const isPassing = (error: unknown): error is Error =>
  error instanceof BaseError ||
  error instanceof RpcUnavailableError ||
  error instanceof InconsistentAnswerError;

class AccountQueue implements TransactionQueue {
  readonly address: Address;
  readonly #options: QueueOptions;
  readonly #client: ChainClient;
  readonly #account: LocalAccount;
  readonly #clock: Clock;
  readonly #store: TransactionStore;
  readonly #view: ChainView;
  readonly #feeCap: bigint;
  readonly #depths: Depths;
  /** Submissions and looks at the chain go one after the other: a nonce is sent before the next one is given out. */
  #last: Promise<unknown> = Promise.resolve();
  #tick: Promise<void> | undefined;
  /** Attempts that this process has sent: those of an earlier one are sent again at the first look. */
  readonly #sent = new Set<Hex>();
  /** Attempts that were seen in a block before they had their confirmations. */
  readonly #seen = new Set<Hex>();
  /** Head at which the user of an intent's nonce was last looked for. */
  readonly #located = new Map<string, bigint>();

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#account = options.account;
    this.#clock = options.clock ?? systemClock;
    this.#feeCap = options.maximumFeePerGas ?? 500_000_000_000n;
    this.address = options.account.address;
    this.#store = new TransactionStore(options.state, options.client.chainId, this.address);
    this.#view = new ChainView(options.client, this.address);
    const { trust } = options.client;
    const confirmations = options.confirmations ?? trust.confirmations;
    this.#depths = { confirmations, finality: Math.max(options.finality ?? trust.finality, confirmations) };
  }

  pending(): StoredIntent[] {
    return this.#store
      .live()
      .filter(({ status, isFiller, isUnwanted }) => status === "pending" && !isFiller && !isUnwanted);
  }

  isBegun(key: string): boolean {
    const known = this.#store.find(key);
    return known !== undefined && known.status !== "failed" && !known.isUnwanted;
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
      if (intent.status === "failed") throw failureOf(intent);
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
      if (!isPassing(error)) throw error;
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
      // Its nonce may still carry out what was signed before: it is asked for again under the same one.
      if (known.isUnwanted) this.#store.setUnwanted(key, false);
      return;
    }
    // What has failed has used its nonce up and done nothing: what it depended on may be as it should be by now. Before it
    // is final, a reorganisation could still have it succeed beside another one.
    if (known !== undefined && (!known.isFinal || this.#rests(known))) throw failureOf(known);
    const tried = await this.#simulate(intent, known?.hash);
    const least = { value, gas: tried.leastGas ?? tried.gas };
    const fees = await this.#fees(least);
    // Of two estimates the higher one, if that can be paid for.
    const isRich = await this.#affords({ value, gas: tried.gas }, fees);
    if (!isRich && (tried.leastGas === undefined || !(await this.#affords(least, fees)))) {
      throw refusalOf(intent, "the account has too little of the chain's native coin for the fee", true);
    }
    const gas = isRich ? tried.gas : least.gas;
    const stored = this.#store.assign({ key, to, data, value, gas }, await this.#counts());
    let outcome: Broadcast | undefined;
    // From here on the intent is on record: what an endpoint spoils now, the next look makes up for.
    await this.#patiently(async () => {
      outcome = await this.#attempt(stored, fees);
    });
    if (outcome?.kind !== "refused") return;
    // A node that says so may have kept the transaction all the same: its nonce is used up before this is forgotten.
    this.#store.setUnwanted(key, true);
    throw refusalOf(intent, outcome.reason);
  }

  /** What gas costs now, within the cap and what the account has. */
  #fees(call: Pick<StoredIntent, "value" | "gas">): Promise<Fees> {
    return estimateFees(this.#client, this.#feeCap, (maxFeePerGas) => this.#affords(call, { maxFeePerGas }));
  }

  #affords(
    { value, gas }: Pick<StoredIntent, "value" | "gas">,
    { maxFeePerGas }: Pick<Fees, "maxFeePerGas">,
  ): Promise<boolean> {
    return this.#view.has(value + gas * maxFeePerGas);
  }

  #counted(): Promise<number> {
    return this.#view.counted(this.#store.likelyNonce());
  }

  async #counts() {
    return { counted: await this.#counted(), pooled: await this.#view.pooled() };
  }

  #rests({ key, failures }: StoredIntent): boolean {
    const [last] = this.#store.attempts(key);
    return last !== undefined && isResting(this.#clock.now(), last.madeAt, failures);
  }

  /** Tries the call on the newest state; gives the limits of gas to use. `failed`: the transaction that has failed before. */
  async #simulate(
    intent: Pick<Intent, "key" | "to" | "data" | "value" | "description" | "minimumGas">,
    failed?: Hex,
  ): Promise<Verdict & { kind: "passes" }> {
    const { maximumGas = 15_000_000n, gasMargin = 25 } = this.#options;
    const { address } = this;
    const options = { client: this.#client, address, maximumGas, gasMargin: BigInt(gasMargin) };
    const verdict = await tryOnHead(options, intent);
    if (verdict.kind === "passes") return verdict;
    throw verdictError(intent, verdict, maximumGas, failed);
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
    const madeAtBlock = await this.#view.head();
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
    const live = this.#store.live();
    if (live.length === 0) return;
    const heads = await this.#view.heads();
    const { head } = heads;
    const counted = await this.#counted();
    const look = { ...heads, counted, isUnmoved: await this.#isUnmoved(live, head) };
    let spoiled: unknown;
    for (const { key } of live) {
      // One that cannot be helped now keeps neither the others waiting nor a gap open.
      await this.#advance(key, look).catch((error: unknown) => {
        if (!isPassing(error) || findCause(error, RpcUnavailableError) !== undefined) throw error;
        spoiled ??= error;
      });
    }
    await this.#closeGap(look);
    if (spoiled !== undefined) throw spoiled;
  }

  /** Whether the highest block in which one of some intents was seen is still in the chain. */
  async #isUnmoved(live: readonly StoredIntent[], head: bigint): Promise<boolean> {
    const places = live.flatMap(placeOf).filter(({ number }) => number <= head);
    if (places.length === 0) return true;
    return this.#view.isCanonical(
      places.reduce((a, b) => (a.number > b.number ? a : b)),
      head,
    );
  }

  /** Brings one intent as far as it gets now. */
  async #advance(key: string, look: Look): Promise<void> {
    let user: Sight["user"];
    for (;;) {
      const intent = this.#store.find(key)!;
      // An endpoint that lags says nothing about a block above its head.
      if ((intent.blockNumber ?? 0n) > look.head) return;
      const attempts = this.#store.attempts(key);
      const seen = await this.#inclusion(intent, attempts, look);
      const sight = { counted: look.counted, inclusion: seen?.inclusion, user };
      const move = nextMove(this.#record(intent, attempts, look.head), sight, this.#depths);
      if (move.kind === "locate") {
        user = await this.#userOf(intent, attempts, look);
        if (user === undefined) return;
      } else if (move.kind === "reopen") {
        this.#store.reopen(key);
        for (const { hash } of attempts) this.#sent.delete(hash);
      } else if (move.kind === "settle") return this.#settle(intent, move, seen!);
      else return this.#carryOut(move, intent, attempts);
    }
  }

  #record(intent: StoredIntent, attempts: readonly Attempt[], head: bigint): IntentRecord {
    const states = attempts.map((attempt) => ({
      ...attempt,
      isSent: this.#sent.has(attempt.hash),
      isStuck: this.#isStuck(attempt, attempts, head),
    }));
    return { ...intent, attempts: states };
  }

  #isStuck(attempt: Attempt, attempts: readonly Attempt[], head: bigint, times = 1): boolean {
    const { milliseconds, blocks } = this.#options.replaceAfter ?? usualPatience;
    const patience = { milliseconds: times * milliseconds, blocks: times * blocks };
    return isStuck(attempt, attempts, { time: this.#clock.now(), head }, patience);
  }

  /** Where one of the intent's attempts is in the canonical chain. */
  async #inclusion(
    intent: StoredIntent,
    attempts: readonly Attempt[],
    look: Look,
  ): Promise<Seen | undefined> {
    const { head, counted, isUnmoved } = look;
    for (const place of placeOf(intent)) {
      if (!isUnmoved && !(await this.#view.isCanonical(place, head))) break;
      const outcome = intent.status === "mined" ? "succeeded" : "reverted";
      const depth = depthOf(place.number, look, this.#depths.finality);
      return { inclusion: { hash: intent.hash!, blockHash: place.hash, outcome, depth } };
    }
    for (const { hash, nonce } of attempts) {
      // A nonce that the chain has not used has nothing to show.
      if (nonce >= counted) continue;
      const receipt = await this.#view.receipt(hash, head);
      if (receipt === undefined) continue;
      this.#seen.add(hash);
      const depth = depthOf(receipt.blockNumber, look, this.#depths.finality);
      return { inclusion: this.#view.inclusionOf(receipt, depth), receipt };
    }
    for (const { hash } of attempts) if (this.#seen.delete(hash)) this.#sent.delete(hash);
    return undefined;
  }

  /** Who has used the nonces for which something of the intent was signed, once that is final. */
  async #userOf(intent: StoredIntent, attempts: readonly Attempt[], look: Look): Promise<Sight["user"]> {
    if (this.#located.get(intent.key) === look.head) return undefined;
    this.#located.set(intent.key, look.head);
    const nonces = new Set([intent.nonce, ...attempts.map(({ nonce }) => nonce)]);
    const final = look.sure - BigInt(this.#depths.finality) + 1n;
    for (const nonce of nonces) {
      // Nonces that were given up as out of reach are held by fillers.
      if (nonce > look.counted + mostFillers) continue;
      const user = await this.#view.userOf(nonce, final);
      if (user === undefined) return undefined;
      const owner = this.#store.keyOf(user.hash);
      const isSame =
        user.to?.toLowerCase() === intent.to.toLowerCase() &&
        user.data === intent.data &&
        user.value === intent.value;
      // The state is older than the transaction: it was restored from a backup.
      if (owner === undefined && isSame) this.#store.addAttempt(intent.key, this.#adopted(user, nonce, look));
      if (owner === intent.key || (owner === undefined && isSame)) {
        this.#options.observer?.waiting?.({ key: intent.key, reason: "no quorum has its receipt" });
        return "own";
      }
    }
    return "other";
  }

  #adopted({ hash, raw }: { hash: Hex; raw: Hex }, nonce: number, { head }: Look): Attempt {
    const madeAt = this.#clock.now();
    const fees = { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };
    return { hash, raw, nonce, ...fees, cancels: false, madeAt, madeAtBlock: head };
  }

  async #settle(intent: StoredIntent, move: Move & { kind: "settle" }, seen: Seen): Promise<void> {
    const { key } = intent;
    const { inclusion, receipt } = seen;
    if (receipt === undefined) {
      this.#store.finish(key);
      return;
    }
    const { status, isFinal } = move;
    const { hash, blockHash, outcome } = inclusion;
    const place = { hash, blockHash, blockNumber: receipt.blockNumber };
    if (status === "mined") this.#store.settle(key, { status, isFinal, ...place });
    else if (outcome === "succeeded") {
      const reason = "it was cancelled, because it would have failed";
      this.#store.settle(key, { status, isFinal, ...place, reason });
    } else {
      const revert = await this.#replay(intent, receipt.blockNumber);
      const { reason, errorName } = revert ?? {};
      this.#store.settle(key, { status, isFinal, ...place, reason, errorName });
    }
    // Nothing depends on these: a receipt without them closes an intent all the same.
    const [gasUsed, price] = [receipt.gasUsed ?? 0n, receipt.effectiveGasPrice ?? 0n];
    this.#options.observer?.settled?.({ key, hash, status, gasUsed, cost: gasUsed * price });
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

  async #carryOut(move: Move, intent: StoredIntent, attempts: readonly Attempt[]): Promise<void> {
    switch (move.kind) {
      case "drop":
        this.#store.drop(intent.key);
        return;
      case "renumber":
        this.#store.renumber(intent.key, await this.#counts());
        return this.#sign(this.#store.find(intent.key)!, "carryOut", false);
      case "sign":
        return this.#sign(intent, move.purpose, move.replaces);
      case "broadcast":
        return this.#resend(intent, attempts.find(({ hash }) => hash === move.hash)!);
    }
  }

  /** Signs and sends an attempt that takes the place of all others with its nonce. */
  async #sign(intent: StoredIntent, purpose: Purpose, replaces: boolean): Promise<void> {
    const current = await this.#fees(intent);
    const before = this.#store.feesAt(intent.nonce);
    const fees = before === undefined ? current : replacementFees(before, current, this.#feeCap);
    if (fees === undefined) {
      this.#waits(intent, "the network's fees are at the cap");
      const [last] = this.#store.attempts(intent.key);
      if (last !== undefined) await broadcast(this.#client, last.raw);
      return;
    }
    // Asked anew each time: what would fail now may pass later.
    const cancels = purpose === "cancel" || (purpose === "either" && (await this.#wouldFail(intent)));
    const outcome = await this.#attempt(intent, fees, { cancels, replaces });
    if (outcome.kind === "refused") this.#waits(intent, outcome.reason);
  }

  async #resend(intent: StoredIntent, attempt: Attempt): Promise<void> {
    const outcome = await broadcast(this.#client, attempt.raw);
    if (outcome.kind !== "uncertain") this.#sent.add(attempt.hash);
    if (outcome.kind === "refused") this.#waits(intent, outcome.reason);
  }

  #waits({ key }: StoredIntent, reason: string): void {
    this.#options.observer?.waiting?.({ key, reason });
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

  /** Sees to nonces that were lost (a dropped transaction of another tool, a wrong answer) and hold all later ones back. */
  async #closeGap({ counted, head }: Look): Promise<void> {
    const pending = this.#store.live().filter(({ status, isFiller }) => status === "pending" && !isFiller);
    const move = gapMove(pending, counted);
    if (move.kind === "none") return;
    const [attempt] = this.#store.attempts(pending[0]!.key);
    // What has no attempt is signed at a look, unless its nonce is none that anybody could sign for.
    if (attempt === undefined ? move.kind === "fill" : !this.#isStuck(attempt, [attempt], head)) return;
    // What waits in one node's pool alone may be a lie: in time another one must have it, too.
    const isLate = attempt === undefined || this.#isStuck(attempt, [attempt], head, 2);
    if ((await this.#view.pooled(isLate ? counted : undefined)) > counted) return;
    const filler = { to: this.address, gas: await gasOfFiller(this.#client, this.address) };
    if (move.kind === "moveDown") {
      this.#store.moveDown(move.nonces, filler);
      return;
    }
    for (const nonce of move.nonces) {
      const added = this.#store.addFiller(nonce, filler);
      if (added !== undefined) await this.#sign(added, "carryOut", false);
    }
  }

  /** Receipt of a transaction that has its confirmations; endpoints that lag are given time. */
  async #receipt(hash: Hex): Promise<TransactionReceipt> {
    for (let tries = 0; tries < 30; tries++) {
      const receipt = await this.#view.anyReceipt(hash);
      if (receipt !== undefined) return receipt;
      await this.#clock.sleep(this.#options.pollInterval ?? 1_000);
    }
    throw new RpcUnavailableError(`no endpoint has the receipt of ${hash}, which was mined`);
  }
}

/** The queue of one account; queues of different accounts share a state but not their fate. */
export function createTransactionQueue(options: QueueOptions): TransactionQueue {
  return new AccountQueue(options);
}
