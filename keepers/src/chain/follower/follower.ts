import { type Address, BaseError, type Block, BlockNotFoundError } from "viem";
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
    return this.#advance([last], logs, head);
  }

  /** Blocks that may still be reorganised: every header is read, every log tied to its header. */
  async #advanceNear(cursor: Cursor, to: bigint, head: bigint): Promise<Step> {
    const numbers: bigint[] = [];
    for (let number = cursor.number + 1n; number <= to; number++) numbers.push(number);
    const blocks = await Promise.all(numbers.map((number) => this.#block(number)));
    let parent = cursor;
    for (const block of blocks) {
      this.#checkParent(parent, block);
      parent = block;
    }
    const logs = await this.#logs.read(numbers[0]!, to);
    const found: MinedLog[] = [];
    for (const block of blocks) {
      const own = logs.filter(({ blockNumber }) => blockNumber === block.number);
      if (own.some(({ blockHash }) => blockHash !== block.hash)) throw this.#moved(block.number);
      found.push(...(await this.#checkBloom(block, own)));
    }
    return this.#advance(blocks, found, head);
  }

  /** Compares logs with what the block's header says about them, so that an endpoint cannot hide or invent any. */
  async #checkBloom(block: MinedBlock, logs: readonly MinedLog[]): Promise<readonly MinedLog[]> {
    for (const { address } of logs) {
      if (mayHoldLogOf(block.logsBloom, address) === false) {
        throw new InconsistentAnswerError(
          `block ${block.number} does not hold the log that was given for it`,
        );
      }
    }
    const missing = [...this.#followed.keys()].some(
      (address) =>
        mayHoldLogOf(block.logsBloom, address as Address) === true &&
        !logs.some((log) => log.address.toLowerCase() === address),
    );
    // A bloom may say yes without a log; asked by hash, an endpoint that has not indexed the block says so instead.
    return missing ? this.#logs.readBlock(block.hash) : logs;
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
      this.#store.forgetBelow(lower(last.number, head - this.#history));
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

  async #block(number: bigint): Promise<MinedBlock> {
    const block = await this.#client.getBlock({ blockNumber: number }).catch((cause: unknown) => {
      if (!(cause instanceof BlockNotFoundError)) throw cause;
      throw new RpcUnavailableError(`no endpoint has block ${number} yet`, { cause });
    });
    return block as MinedBlock;
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
