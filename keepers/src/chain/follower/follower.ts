import {
  type Address,
  BaseError,
  type Block,
  BlockNotFoundError,
  formatBlock,
  numberToHex,
  type RpcBlock,
} from "viem";
import type { State } from "../../storage/state/state.ts";
import type { ChainClient } from "../client.ts";
import { type Clock, systemClock } from "../clock.ts";
import type { AssayEvent } from "../contracts.ts";
import type { DeployedName, Deployment } from "../deployment.ts";
import { InconsistentAnswerError, RpcUnavailableError } from "../rpc/errors.ts";
import { mayHoldLogOf } from "./bloom.ts";
import { decodeEvent, type Followed, followedContracts } from "./decode.ts";
import { HandlerError, ReorgTooDeepError } from "./errors.ts";
import { LogReader, type MinedLog } from "./logs.ts";
import { type Cursor, FollowerStore, type KnownBlock } from "./store.ts";

/**
 * Takes events over into the local state. Both functions run inside the transaction that moves the follower's cursor,
 * so each event counts exactly once whatever happens; they must be synchronous, deterministic, and change nothing but
 * `state`. Work that an event calls for is written into the state and done from there.
 */
export type EventHandler = {
  applied(event: AssayEvent, state: State): void;
  /** The block of an event that was applied is no longer in the chain; called in the reverse order. */
  removed(event: AssayEvent, state: State): void;
};

/** What a follower reports to metrics and logs. */
export type FollowerObserver = {
  advanced?(position: { number: bigint; head: bigint; events: number }): void;
  reorganised?(depth: bigint, events: number): void;
  split?(range: bigint): void;
  /** An answer that will be asked for again. */
  failed?(error: Error): void;
  /** A log that the contract's ABI does not know. */
  ignored?(log: MinedLog): void;
};

export type FollowerOptions = {
  client: ChainClient;
  state: State;
  deployment: Deployment;
  contracts: readonly DeployedName[];
  handler: EventHandler;
  /** Followers of one state need different names. */
  name?: string;
  /** Blocks that must be on top of one before it is followed; 0 follows the head and rolls back when it must. */
  confirmations?: number;
  /** Blocks whose hashes and logs are kept to be taken back; a deeper reorganisation is an error. */
  history?: number;
  /** Most blocks in one request for logs. */
  maximumRange?: number;
  /** Milliseconds between two looks at a head that does not move. */
  pollInterval?: number;
  clock?: Clock;
  observer?: FollowerObserver;
};

export type Step =
  | { kind: "idle"; head: bigint }
  | { kind: "advanced"; to: bigint; head: bigint; events: number }
  | { kind: "rolledBack"; to: bigint; events: number };

export type Follower = {
  /** One look at the chain, and at most one step forward or back. */
  step(): Promise<Step>;
  /** Steps until the head is reached. */
  catchUp(): Promise<void>;
  /**
   * Follows until aborted; waits and goes on when endpoints fail. Throws `HandlerError` and
   * `ReorgTooDeepError`.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Last block that was followed to its end, or undefined before the first step. */
  position(): Cursor | undefined;
};

/** Blocks near the head that are read, with all their headers, in one step. */
const nearRange = 16n;
/** Blocks whose logs are asked for one by one, by hash, when several endpoints must agree. */
const fewBlocks = 2;
const lower = (a: bigint, b: bigint) => (a < b ? a : b);

class ChainFollower implements Follower {
  readonly #options: FollowerOptions;
  readonly #client: ChainClient["public"];
  readonly #clock: Clock;
  readonly #followed: Followed;
  readonly #store: FollowerStore;
  readonly #logs: LogReader;
  readonly #history: bigint;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#client = options.client.public;
    this.#clock = options.clock ?? systemClock;
    this.#followed = followedContracts(options.deployment, options.contracts);
    this.#store = new FollowerStore(options.state, options.name ?? "main");
    this.#history = BigInt(options.history ?? 256);
    this.#logs = new LogReader({
      client: this.#client,
      addresses: [...this.#followed.keys()] as Address[],
      maximumRange: BigInt(options.maximumRange ?? 2_000),
      onSplit: (range) => options.observer?.split?.(range),
    });
  }

  position(): Cursor | undefined {
    return this.#store.cursor(this.#options.client.chainId);
  }

  async step(): Promise<Step> {
    const head = await this.#client.getBlockNumber();
    const cursor = this.position() ?? { number: this.#options.deployment.startBlock - 1n, hash: undefined };
    const ancestor = await this.#ancestor(cursor, head);
    if (ancestor !== undefined) return this.#rollBack(cursor, ancestor);

    const target = head - BigInt(this.#options.confirmations ?? 0);
    if (target <= cursor.number) return { kind: "idle", head };
    const from = cursor.number + 1n;
    const settled = head - this.#history;
    return from <= settled
      ? this.#advanceFar(cursor, lower(lower(target, settled), from + this.#logs.range - 1n), head)
      : this.#advanceNear(cursor, lower(target, from + nearRange - 1n), head);
  }

  async catchUp(): Promise<void> {
    while ((await this.step()).kind !== "idle");
  }

  async run(signal: AbortSignal): Promise<void> {
    const interval = this.#options.pollInterval ?? 2_000;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const { kind } = await this.step();
        failures = 0;
        if (kind === "idle") await this.#clock.sleep(interval, signal);
      } catch (error) {
        const transient =
          error instanceof BaseError ||
          error instanceof RpcUnavailableError ||
          error instanceof InconsistentAnswerError;
        if (!transient) throw error;
        this.#options.observer?.failed?.(error);
        await this.#clock.sleep(Math.min(interval * 2 ** failures++, 60_000), signal);
      }
    }
  }

  /** The newest followed block that is still in the chain, when the cursor's is not; otherwise undefined. */
  async #ancestor(cursor: Cursor, head: bigint): Promise<KnownBlock | undefined> {
    if (cursor.hash === undefined) return undefined;
    // A head below the cursor is an endpoint that lags, unless it names another block than the one that was followed.
    const number = lower(cursor.number, head);
    const known = this.#store.hashOf(number);
    if (known === undefined || (await this.#block(number)).hash === known) return undefined;
    for (const block of this.#store.blocksDownFrom(number - 1n)) {
      if ((await this.#block(block.number)).hash === block.hash) return block;
    }
    throw new ReorgTooDeepError(this.#options.name ?? "main", cursor.number, Number(this.#history));
  }

  #rollBack(cursor: Cursor, ancestor: KnownBlock): Step {
    const { state, handler, observer, client } = this.#options;
    const events = state.transaction(() => {
      const taken = this.#store
        .logsAbove(ancestor.number)
        .flatMap((log) => decodeEvent(this.#followed, log) ?? []);
      for (const event of taken) this.#handle(() => handler.removed(event, state));
      this.#store.forgetAbove(ancestor.number);
      this.#store.setCursor(client.chainId, ancestor);
      return taken.length;
    });
    observer?.reorganised?.(cursor.number - ancestor.number, events);
    return { kind: "rolledBack", to: ancestor.number, events };
  }

  /** Blocks deeper than the history: one request for many, checked at both ends. */
  async #advanceFar(cursor: Cursor, to: bigint, head: bigint): Promise<Step> {
    const first = await this.#block(cursor.number + 1n);
    this.#checkParent(cursor, first);
    const logs = await this.#logs.read(first.number, to);
    const last = await this.#block(to);
    for (const log of logs) {
      const expected =
        log.blockNumber === to ? last.hash : log.blockNumber === first.number ? first.hash : undefined;
      if (expected !== undefined && log.blockHash !== expected) throw this.#moved(log.blockNumber);
    }
    // The first one, too: where the head was a lie, what came after it can be taken back.
    return this.#advance(first.number < to ? [first, last] : [last], logs, head);
  }

  /** Blocks that may still be reorganised: every header is read, every log tied to its header. */
  async #advanceNear(cursor: Cursor, to: bigint, head: bigint): Promise<Step> {
    const numbers: bigint[] = [];
    for (let number = cursor.number + 1n; number <= to; number++) numbers.push(number);
    const headers = await Promise.allSettled(numbers.map((number) => this.#block(number)));
    const blocks: MinedBlock[] = [];
    let parent = cursor;
    for (const header of headers) {
      // The newest ones may not be everywhere yet: those before them are followed all the same.
      if (header.status === "rejected") {
        if (blocks.length === 0) throw header.reason;
        break;
      }
      this.#checkParent(parent, header.value);
      parent = header.value;
      blocks.push(header.value);
    }
    return this.#advance(blocks, await this.#logsOf(blocks), head);
  }

  /**
   * Logs of blocks near the head. Where endpoints must agree, a bloom that they agree on says for sure which blocks hold none; of
   * the others a few are asked for by hash. An endpoint that does not have a block refuses that, while to the question for a
   * range it says, like one that hides something, that there are none.
   */
  async #logsOf(blocks: readonly MinedBlock[]): Promise<MinedLog[]> {
    const suspected = this.#isAgreed ? blocks.filter((block) => this.#mayHoldLogs(block)) : blocks;
    const isFew = this.#isAgreed && suspected.length <= fewBlocks;
    const [first, last] = [suspected[0], suspected.at(-1)];
    if (first === undefined || last === undefined) return [];
    const inRange = isFew ? undefined : await this.#logs.read(first.number, last.number);
    const found = suspected.map(async (block) => {
      const own = inRange?.filter(({ blockNumber }) => blockNumber === block.number);
      if (own?.some(({ blockHash }) => blockHash !== block.hash)) throw this.#moved(block.number);
      if (own !== undefined) this.#checkBloom(block, own);
      // A bloom may say yes without a log; asked by hash, an endpoint that has not indexed the block says so instead.
      const isWhole = own !== undefined && !this.#mayLack(block, own);
      return isWhole ? own : this.#logs.readBlock(block.hash);
    });
    return (await Promise.all(found)).flat();
  }

  get #isAgreed(): boolean {
    return this.#options.client.trust.quorum > 1;
  }

  #mayHoldLogs({ logsBloom }: MinedBlock): boolean {
    return [...this.#followed.keys()].some(
      (address) => mayHoldLogOf(logsBloom, address as Address) !== false,
    );
  }

  /** Compares logs with what the block's header says about them, so that an endpoint cannot invent any. */
  #checkBloom(block: MinedBlock, logs: readonly MinedLog[]): void {
    for (const { address } of logs) {
      if (mayHoldLogOf(block.logsBloom, address) === false) {
        throw new InconsistentAnswerError(
          `block ${block.number} does not hold the log that was given for it`,
        );
      }
    }
  }

  /** Whether the block's header names a contract of which no log was given, or names none and there is no log at all. */
  #mayLack(block: MinedBlock, logs: readonly MinedLog[]): boolean {
    return [...this.#followed.keys()].some((address) => {
      const mayHold = mayHoldLogOf(block.logsBloom, address as Address);
      if (mayHold === undefined) return this.#isAgreed && logs.length === 0;
      return mayHold && !logs.some((log) => log.address.toLowerCase() === address);
    });
  }

  #advance(blocks: readonly MinedBlock[], logs: readonly MinedLog[], head: bigint): Step {
    const { state, handler, observer, client } = this.#options;
    const last = blocks.at(-1)!;
    let events = 0;
    state.transaction(() => {
      for (const log of logs) {
        const event = decodeEvent(this.#followed, log);
        if (event === undefined) {
          observer?.ignored?.(log);
          continue;
        }
        this.#handle(() => handler.applied(event, state));
        this.#store.addLog(log);
        events++;
      }
      for (const block of blocks) this.#store.addBlock(block);
      this.#store.setCursor(client.chainId, last);
      // Never by the head, which one endpoint alone may have named: blocks that were followed are there.
      this.#store.forgetBelow(last.number - this.#history);
    });
    observer?.advanced?.({ number: last.number, head, events });
    return { kind: "advanced", to: last.number, head, events };
  }

  #handle(work: () => void): void {
    try {
      work();
    } catch (cause) {
      throw new HandlerError(this.#options.name ?? "main", cause);
    }
  }

  /**
   * The header of a block as a quorum gives it. A header is not held against its hash, which chains make in different ways: one
   * endpoint alone could name a block that is not there, to have everything taken back, or hide what a block holds.
   */
  async #block(number: bigint): Promise<MinedBlock> {
    const block = this.#isAgreed ? await this.#agreedBlock(number) : await this.#firstBlock(number);
    if (block === undefined) throw new RpcUnavailableError(`no endpoint has block ${number} yet`);
    return block;
  }

  async #agreedBlock(number: bigint): Promise<MinedBlock | undefined> {
    const asked = [numberToHex(number), false];
    const block = (await this.#options.client.agreed("eth_getBlockByNumber", asked)) as RpcBlock | null;
    return block === null ? undefined : (formatBlock(block) as MinedBlock);
  }

  async #firstBlock(number: bigint): Promise<MinedBlock | undefined> {
    try {
      return (await this.#client.getBlock({ blockNumber: number })) as MinedBlock;
    } catch (error) {
      if (error instanceof BlockNotFoundError) return undefined;
      throw error;
    }
  }

  #checkParent(parent: Cursor, block: MinedBlock): void {
    if (parent.hash !== undefined && block.parentHash !== parent.hash) throw this.#moved(block.number);
  }

  #moved(number: bigint): InconsistentAnswerError {
    return new InconsistentAnswerError(`the chain moved at block ${number} while it was read`, {
      next: "nothing: it is read again",
    });
  }
}

type MinedBlock = Block<bigint, false, "latest">;

/** A follower of the deployment's events, from its start block on, that survives reorganisations and being killed. */
export function createFollower(options: FollowerOptions): Follower {
  return new ChainFollower(options);
}
