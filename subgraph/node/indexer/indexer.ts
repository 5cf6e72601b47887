import { setImmediate } from "node:timers/promises";
import { type Address, BaseError } from "viem";
import { type Clock, systemClock } from "../../../keepers/src/chain/clock.ts";
import { ReorgTooDeepError } from "../../../keepers/src/chain/follower/errors.ts";
import {
  InconsistentAnswerError,
  RpcUnavailableError,
  WrongChainError,
} from "../../../keepers/src/chain/rpc/errors.ts";
import { MappingError } from "../errors.ts";
import type { DataSourceEntry, EventHandlerEntry, Subgraph } from "../manifest.ts";
import type { EntityStore, IndexedBlock } from "../store/entity-store.ts";
import { Mapping } from "../wasm/mapping.ts";
import type { BlockWork, ChainSource } from "./chain-source.ts";

export type IndexerObserver = {
  /** The newest block of the chain, each time it is looked at. */
  seen?(head: bigint): void;
  indexed?(head: bigint, block: IndexedBlock, events: number): void;
  reorganised?(depth: bigint): void;
  logged?(source: string, level: number, message: string): void;
  /** An answer that will be asked for again. */
  retried?(error: Error): void;
  /** A mapping stopped: nothing more is indexed. */
  failed?(error: MappingError): void;
};

export type IndexerOptions = {
  readonly subgraph: Subgraph;
  readonly store: EntityStore;
  readonly source: ChainSource;
  /** Blocks below the head that may still change; deeper ones are read in bulk. */
  readonly history?: bigint;
  /** Most blocks in one step of a bulk read. */
  readonly maximumRange?: bigint;
  /** Milliseconds between two looks at a head that does not move. */
  readonly pollInterval?: number;
  readonly clock?: Clock;
  readonly observer?: IndexerObserver;
};

export type IndexerStep =
  | { readonly kind: "idle" | "failed" }
  | { readonly kind: "advanced"; readonly to: bigint; readonly events: number };

type Source = {
  readonly startBlock: bigint;
  readonly mapping: Mapping;
  readonly handlers: ReadonlyMap<string, EventHandlerEntry>;
};

/** Blocks near the head that are read, with all their headers, in one step. */
const nearRange = 32n;
/** Milliseconds of indexing after which whoever else waits for this thread, queries above all, has its turn. */
const slice = 40;
/** Events in one transaction of what is read at once: what many of them change is written once. */
const transactionEvents = 5_000;
/** Bytes of the database's log that are taken over while there is nothing to do, and before anything more is written. */
const restingLog = 16 * 2 ** 20;
const longestLog = 256 * 2 ** 20;

/** Which blocks a step reads, and how. */
type Range = { readonly from: bigint; readonly to: bigint; readonly isSparse: boolean };

/** How blocks are handled that follow `last`. */
type Advance = {
  readonly last: IndexedBlock | undefined;
  readonly head: bigint;
  /** Whether a mapping that stops is believed. */
  readonly isSure: boolean;
  /** For blocks that take the place of what is above `last`: called once they have. */
  readonly reorganised?: () => void;
};
const lower = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/**
 * Runs the mappings of a subgraph over the blocks of a chain, each once and in order. What a block changes is stored in one
 * transaction with its place in the chain; a block that leaves the chain is taken back.
 */
export class Indexer {
  readonly #options: IndexerOptions;
  readonly #sources = new Map<string, Source[]>();
  readonly #start: bigint;
  readonly #history: bigint;
  /** Blocks that were asked for before they are needed. */
  #ahead: { readonly range: Range; readonly works: Promise<BlockWork[]> } | undefined;

  constructor(options: IndexerOptions) {
    this.#options = options;
    this.#history = options.history ?? 256n;
    const { dataSources } = options.subgraph;
    this.#start = dataSources.reduce(
      (least, { startBlock }) => lower(least, startBlock),
      dataSources[0]?.startBlock ?? 0n,
    );
    for (const entry of dataSources) this.#add(entry);
  }

  /** Whether a mapping stopped; the block it stopped at is not part of the data. */
  get hasFailed(): boolean {
    return this.#options.store.stoppedAt() !== undefined;
  }

  /** One look at the chain, and at most one step forward, from where the chain parted if it did. */
  async step(): Promise<IndexerStep> {
    const { source, store, observer } = this.#options;
    const head = await source.head();
    observer?.seen?.(head);
    if (await this.#isStopped(head)) return { kind: "failed" };
    const last = store.head();
    const ancestor = last === undefined ? undefined : await this.#ancestor(last, head);
    if (ancestor !== undefined) return this.#replace(ancestor, last!, head);
    const from = last === undefined ? this.#start : last.number + 1n;
    if (from > head) {
      // Nobody waits for it, and where it fails the next one does it.
      store.database.checkpoint(restingLog).catch(() => {});
      return { kind: "idle" };
    }
    const range = this.#rangeFrom(from, head);
    const works = await this.#read(range);
    // While these blocks are handled, the next ones are on their way.
    if (range.to < head) this.#readAhead(this.#rangeFrom(range.to + 1n, head));
    const step = await this.#advance([Promise.resolve(works)], { last, head, isSure: !range.isSparse });
    if (step !== undefined) return step;
    // A mapping stopped, perhaps over a log that an answer left out: every header is looked at before it is believed.
    store.rollBack(last?.number ?? from - 1n);
    this.#ahead = undefined;
    const again = source.blocks(from, range.to, false);
    return (await this.#advance([again], { last, head, isSure: true }))!;
  }

  async catchUp(): Promise<void> {
    for (;;) {
      const { kind } = await this.step();
      if (kind === "idle" || kind === "failed") return;
    }
  }

  /** Follows until aborted; waits and goes on when endpoints fail, or when the block in which a mapping stopped is replaced. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock = systemClock, pollInterval = 500, observer } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const { kind } = await this.step();
        failures = 0;
        if (kind === "idle" || kind === "failed") await clock.sleep(pollInterval, signal);
      } catch (error) {
        const isTransient =
          error instanceof BaseError ||
          error instanceof RpcUnavailableError ||
          error instanceof WrongChainError ||
          error instanceof InconsistentAnswerError;
        if (!isTransient) throw error;
        observer?.retried?.(error);
        await clock.sleep(Math.min(pollInterval * 2 ** failures++, 60_000), signal);
      }
    }
  }

  /** Whether a mapping stopped in a block that is still part of the chain. */
  async #isStopped(head: bigint): Promise<boolean> {
    const { source, store } = this.#options;
    const stopped = store.stoppedAt();
    if (stopped === undefined) return false;
    if (head < stopped.number || (await source.header(stopped.number)).hash === stopped.hash) return true;
    store.setStopped(undefined);
    return false;
  }

  #add(entry: DataSourceEntry): void {
    const { store, observer } = this.#options;
    const mapping = new Mapping(entry.bytecode, {
      store,
      source: { address: entry.address, network: entry.network },
      log: (level, message) => observer?.logged?.(entry.name, level, message),
    });
    const address = entry.address.toLowerCase();
    const handlers = new Map(entry.handlers.map((handler) => [handler.topic, handler]));
    this.#sources.set(address, [
      ...(this.#sources.get(address) ?? []),
      { startBlock: entry.startBlock, mapping, handlers },
    ]);
  }

  /** The newest indexed block that is still in the chain, when the last one is not. */
  async #ancestor(last: IndexedBlock, head: bigint): Promise<bigint | undefined> {
    const { source, store } = this.#options;
    const isInChain = async ({ number, hash }: IndexedBlock) => (await source.header(number)).hash === hash;
    // A head below the last block is an endpoint that lags, unless it names another block than the one that was indexed.
    const [top] = store.blocksDownFrom(lower(last.number, head), 1);
    if (top === undefined || (await isInChain(top))) return undefined;
    const blocks = store.blocksDownFrom(top.number - 1n, Number(this.#history));
    // Blocks below one of the chain are of the chain: steps downwards that double, then halves of the last one.
    let replaced = -1;
    let kept = 0;
    while (kept < blocks.length && !(await isInChain(blocks[kept]!))) {
      replaced = kept;
      kept = kept === blocks.length - 1 ? blocks.length : Math.min(2 * kept + 1, blocks.length - 1);
    }
    if (kept >= blocks.length) throw new ReorgTooDeepError("subgraph", last.number, Number(this.#history));
    while (kept - replaced > 1) {
      const middle = (kept + replaced) >> 1;
      if (await isInChain(blocks[middle]!)) kept = middle;
      else replaced = middle;
    }
    return blocks[kept]!.number;
  }

  /** Takes the blocks above `ancestor` back and handles those that are in their place, in one transaction if they are not many. */
  async #replace(ancestor: bigint, last: IndexedBlock, head: bigint): Promise<IndexerStep> {
    const { source, store, observer } = this.#options;
    this.#ahead = undefined;
    const to = lower(last.number, head);
    const batches: Promise<BlockWork[]>[] = [];
    for (let from = ancestor + 1n; from <= to; from += nearRange) {
      const read = () => source.blocks(from, lower(to, from + nearRange - 1n), false);
      // Two at a time are on their way.
      const works = batches.length < 2 ? read() : batches.at(-2)!.then(read);
      // Whoever awaits it sees the error.
      works.catch(() => {});
      batches.push(works);
    }
    const [block] = store.blocksDownFrom(ancestor, 1);
    const reorganised = () => observer?.reorganised?.(last.number - ancestor);
    return (await this.#advance(batches, { last: block, head, isSure: true, reorganised }))!;
  }

  #rangeFrom(from: bigint, head: bigint): Range {
    const { maximumRange = 2_000n } = this.#options;
    const settled = head - this.#history;
    return from <= settled
      ? { from, to: lower(settled, from + maximumRange - 1n), isSparse: true }
      : { from, to: lower(head, from + nearRange - 1n), isSparse: false };
  }

  #readAhead(range: Range): void {
    const works = this.#options.source.blocks(range.from, range.to, range.isSparse);
    // Whoever takes it sees the error; nobody may.
    works.catch(() => {});
    this.#ahead = { range, works };
  }

  async #read(range: Range): Promise<BlockWork[]> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const isWanted =
      ahead !== undefined &&
      ahead.range.from === range.from &&
      ahead.range.to <= range.to &&
      ahead.range.isSparse === range.isSparse;
    return isWanted ? ahead.works : this.#options.source.blocks(range.from, range.to, range.isSparse);
  }

  /** Each block must follow the one before it, as far as they are neighbours. */
  #checkLinks(works: readonly BlockWork[], last: IndexedBlock | undefined): void {
    let previous: Pick<IndexedBlock, "number" | "hash" | "timestamp"> | undefined = last;
    for (const { block } of works) {
      if (
        previous !== undefined &&
        block.number === previous.number + 1n &&
        block.parentHash !== previous.hash
      )
        throw new InconsistentAnswerError(`block ${block.number} does not follow the block before it`);
      if (previous !== undefined && block.timestamp < previous.timestamp)
        throw new InconsistentAnswerError(`block ${block.number} is older than the block before it`);
      previous = block;
    }
  }

  /**
   * Handles and stores blocks that follow `last`, in transactions of so many events; undefined when a mapping stopped that may
   * have been misled (unless `isSure`). With `reorganised`, what is above `last` is taken back first.
   */
  async #advance(
    batches: readonly Promise<readonly BlockWork[]>[],
    { last, head, isSure, reorganised }: Advance,
  ): Promise<IndexerStep | undefined> {
    const { store, observer } = this.#options;
    const { database } = store;
    let [events, done] = [0, 0];
    let indexed: IndexedBlock | undefined;
    let failure: MappingError | undefined;
    let [isOpen, isReorganised] = [false, false];
    let until = 0;
    const begin = () => {
      database.begin();
      [isOpen, done, until] = [true, 0, performance.now() + slice];
    };
    const commit = async () => {
      store.settle();
      database.commit();
      isOpen = false;
      events += done;
      if (isReorganised) reorganised?.();
      isReorganised = false;
      if (indexed !== undefined) observer?.indexed?.(head, indexed, done);
      await database.checkpoint(longestLog);
      await setImmediate();
    };
    try {
      if (reorganised !== undefined) {
        begin();
        // What was asked for goes on its way in between.
        for (const _type of store.takeBack(last!.number)) await setImmediate();
        isReorganised = true;
      }
      for (const batch of batches) {
        // What was handled of a chain that cannot be read any further is kept.
        const works = await batch.catch(async (error: unknown) => {
          if (isOpen && indexed !== undefined) await commit();
          throw error;
        });
        this.#checkLinks(works, indexed ?? last);
        for (const work of works) {
          if (!isOpen) begin();
          const handled = this.#tryHandle(work);
          if (handled instanceof MappingError) {
            failure = handled;
            if (isSure) store.setStopped(work.block);
            break;
          }
          done += handled;
          indexed = store.commit(work.block);
          if (done >= transactionEvents) await commit();
          else if (performance.now() >= until) {
            await setImmediate();
            until = performance.now() + slice;
          }
        }
        if (failure !== undefined) break;
      }
      if (isOpen) await commit();
    } catch (error) {
      if (isOpen) {
        database.rollBack();
        store.forget();
      }
      throw error;
    }
    if (failure === undefined) return { kind: "advanced", to: indexed!.number, events };
    if (!isSure) return undefined;
    observer?.failed?.(failure);
    return { kind: "failed" };
  }

  /** As `#handle`; a mapping that stopped leaves nothing of its block behind. */
  #tryHandle(work: BlockWork): number | MappingError {
    try {
      return this.#handle(work);
    } catch (error) {
      this.#options.store.discard();
      if (error instanceof MappingError) return error;
      throw error;
    }
  }

  /** Runs the handlers of one block's events in the order of the chain; gives how many there were. */
  #handle({ block, logs, transactions }: BlockWork): number {
    let events = 0;
    for (const log of logs) {
      for (const { startBlock, mapping, handlers } of this.#sources.get(log.address.toLowerCase()) ?? []) {
        const entry = handlers.get(log.topics[0] ?? "");
        if (entry === undefined || log.blockNumber < startBlock) continue;
        const values = entry.decode(log);
        if (values === undefined) continue;
        mapping.handle(
          entry.handler,
          { address: log.address as Address, logIndex: log.logIndex, inputs: entry.event.inputs, values },
          block,
          transactions.get(log.transactionHash)!,
        );
        events++;
      }
    }
    return events;
  }
}
