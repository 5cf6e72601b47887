import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import type { LocalAccount } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import { connectContracts } from "../../chain/contracts.ts";
import type { DeployedName, Deployment } from "../../chain/deployment.ts";
import { createFollower, type EventHandler, type Follower } from "../../chain/follower/follower.ts";
import { followerSchema } from "../../chain/follower/store.ts";
import { createTransactionQueue } from "../../chain/transactions/queue.ts";
import { transactionSchema } from "../../chain/transactions/store.ts";
import type { Schema } from "../../storage/state/migrations.ts";
import { privateFolder } from "../../storage/state/private-folder.ts";
import { openState, type State } from "../../storage/state/state.ts";
import { checkChain, observeFollower, observeQueue } from "../chain-metrics.ts";
import { readingAgreed, readingForStrangers } from "../storage-node/context.ts";
import type { HealthCheck, HealthReport } from "../telemetry.ts";
import type { Duty, JobContext } from "./duty.ts";
import { JobLedger, jobContracts, jobLedgerHandler, jobLedgerSchema } from "./job-ledger.ts";
import { JobMetrics, type MeasuredKeeper, measureKeeper } from "./job-metrics.ts";

export type KeeperOptions = {
  /** Folder of everything that this keeper keeps. */
  readonly dataDirectory: string;
  readonly account: LocalAccount;
  readonly chain: ChainClient;
  readonly deployment: Deployment;
  readonly log: Logger;
  /** Milliseconds between two looks at what is due; 2,000 by default. */
  readonly interval?: number;
  /** Takes the keeper's metrics; no other keeper may write to the same. */
  readonly metrics?: Registry;
};

export type KeeperParts = {
  /** Tables of the duties. */
  readonly schemas?: readonly Schema[];
  /** Contracts that are followed besides those of jobs, and what takes their events over. */
  readonly follows?: { readonly contracts: readonly DeployedName[]; readonly handler: EventHandler };
  duties(context: JobContext, state: State): readonly Duty[];
  /** Jobs in which the keeper has another part than that of consumer, provider or challenger, for its metrics. */
  jobs?(context: JobContext, state: State): NonNullable<MeasuredKeeper["jobs"]>;
};

/** Milliseconds for which the chain may not have been followed before the keeper counts as ill. */
const longestGap = 60_000;

/**
 * A keeper of jobs: follows market, jobs and disputes, and does its duties again and again. Everything that matters is on
 * disk or on chain: it may be killed at any point and started again.
 */
export class JobKeeper {
  readonly ledger: JobLedger;
  readonly #options: KeeperOptions;
  readonly #state: State;
  readonly #follower: Follower;
  readonly #duties: readonly Duty[];
  readonly #metrics: JobMetrics;
  readonly #stopping = new AbortController();
  /** Duties whose last try has failed, and why. */
  readonly #failing = new Map<string, string>();
  /** When the chain was last followed to its head. */
  #followedAt = performance.now();
  #loops: Promise<void>[] = [];
  #following: Promise<void> = Promise.resolve();

  private constructor(
    options: KeeperOptions,
    parts: {
      state: State;
      follower: Follower;
      ledger: JobLedger;
      duties: readonly Duty[];
      metrics: JobMetrics;
    },
  ) {
    this.#options = options;
    this.#state = parts.state;
    this.#follower = parts.follower;
    this.#duties = parts.duties;
    this.#metrics = parts.metrics;
    this.ledger = parts.ledger;
  }

  /** Opens the keeper's state; duties begin with {@link run}. */
  static async open(options: KeeperOptions, parts: KeeperParts): Promise<JobKeeper> {
    const { dataDirectory, account, chain, deployment, log, interval = 2000 } = options;
    const registry = options.metrics ?? new Registry();
    const observed = { log, metrics: registry };
    await privateFolder(dataDirectory);
    const state = openState({
      path: join(dataDirectory, "state.sqlite"),
      schemas: [followerSchema, transactionSchema, jobLedgerSchema, ...(parts.schemas ?? [])],
    });
    const ledger = new JobLedger(state);
    const queue = createTransactionQueue({
      client: chain,
      state,
      account,
      pollInterval: interval,
      // A move ends in whatever the game makes of it; what others do in the same block can double the work.
      gasMargin: 100,
      observer: observeQueue(observed),
    });
    const metrics = new JobMetrics(registry);
    const contracts = connectContracts(chain.public, deployment);
    const context: JobContext = {
      operator: account.address,
      client: chain,
      deployment,
      contracts,
      agreed: readingAgreed({ client: chain, contracts, deployment }),
      queue,
      log,
      ledger,
      metrics,
    };
    // Whoever may read the metrics may do so as often as it likes.
    const reading = readingForStrangers(context);
    measureKeeper(registry, { ...context, ...reading, jobs: parts.jobs?.(context, state) });
    const follower = createFollower({
      client: chain,
      state,
      deployment,
      contracts: [...jobContracts, ...(parts.follows?.contracts ?? [])],
      handler: parts.follows === undefined ? jobLedgerHandler : both(jobLedgerHandler, parts.follows.handler),
      pollInterval: interval,
      observer: observeFollower(observed),
    });
    const duties = parts.duties(context, state);
    return new JobKeeper(options, { state, follower, ledger, duties, metrics });
  }

  /** What the keeper says when it is asked for its health, part by part. */
  get healthChecks(): Readonly<Record<"chain" | "following" | "duties", HealthCheck>> {
    return {
      chain: checkChain(this.#options.chain),
      following: () => this.#followingHealth(),
      // One that waits for somebody else, a storage node say, is no illness: it is tried again.
      duties: () => ({ ok: true, failing: Object.fromEntries(this.#failing) }),
    };
  }

  /** Reads what is new on chain; one reading at a time, whoever asks. */
  catchUp(): Promise<void> {
    const done = this.#following.then(async () => {
      await this.#follower.catchUp();
      this.#followedAt = performance.now();
    });
    this.#following = done.catch(() => undefined);
    return done;
  }

  /** Reads what is new on chain, then does each duty once, in their order. */
  async tick(signal?: AbortSignal): Promise<void> {
    const stopping = this.#stopping.signal;
    const either = signal === undefined ? stopping : AbortSignal.any([stopping, signal]);
    await this.catchUp();
    for (const duty of this.#duties) await duty.tick(either);
  }

  /** Takes up the duties; returns at once. */
  run(): void {
    this.#loops = [
      this.#loop("following", () => this.catchUp()),
      ...this.#duties.map((duty) => this.#loop(duty.name, () => duty.tick(this.#stopping.signal))),
    ];
  }

  /** Ends the duties, waits for what is under way, and closes everything; once. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("the keeper is stopping"));
    await Promise.all(this.#loops);
    for (const duty of this.#duties) await duty.close?.();
    this.#state.close();
  }

  #followingHealth(): HealthReport {
    const silent = performance.now() - this.#followedAt;
    const block = this.#follower.position()?.number;
    return { ok: silent < longestGap, block: block === undefined ? null : String(block), silentMs: silent };
  }

  /** Runs a duty again and again. A failure is logged and tried again: nothing but a stop ends a duty. */
  async #loop(name: string, work: () => Promise<void>): Promise<void> {
    const { log, interval = 2000 } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await work();
        this.#failing.delete(name);
      } catch (error) {
        if (signal.aborted) return;
        this.#failing.set(name, (error as Error).message);
        this.#metrics.failed(name);
        log.warn({ duty: name, reason: (error as Error).message }, "a duty failed and will be tried again");
      }
      await delay(interval, undefined, { signal, ref: true }).catch(() => undefined);
    }
  }
}

/** Has two handlers take events over. */
export function both(first: EventHandler, second: EventHandler): EventHandler {
  return {
    applied(event, state) {
      first.applied(event, state);
      second.applied(event, state);
    },
    removed(event, state) {
      second.removed(event, state);
      first.removed(event, state);
    },
  };
}
