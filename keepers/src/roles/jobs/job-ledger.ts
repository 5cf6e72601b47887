import type { Address, Hex } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import type { EventHandler } from "../../chain/follower/follower.ts";
import { type ClaimName, claimIdOf, claimNameOf } from "../../core/market/instalments.ts";
import type { AuctionTerms, Order } from "../../core/market/types.ts";
import type { Row, State } from "../../storage/state/state.ts";
import {
  type AccusationEvent,
  type AccusationRecord,
  type ChallengeRecord,
  type DisputeEvent,
  foldAccusation,
  foldChallenge,
} from "./challenge-record.ts";
import { readArguments, writeArguments } from "./event-json.ts";
import { foldJob, type JobEvent, type JobRecord } from "./job-record.ts";
import {
  addPosted,
  OrderRounds,
  ordersOf,
  postedArguments,
  postedOrdersMigration,
  removePosted,
} from "./posted-orders.ts";

/**
 * Every event of market, jobs and disputes, one row each, so that a reorganisation takes rows back. What jobs and challenges
 * are follows from their rows alone.
 */
export const jobLedgerSchema = {
  name: "jobs",
  migrations: [
    `CREATE TABLE job_events (
       block_number INTEGER NOT NULL,
       log_index INTEGER NOT NULL,
       block_hash TEXT NOT NULL,
       name TEXT NOT NULL,
       job_id TEXT,
       challenge_id TEXT,
       order_hash TEXT,
       account TEXT,
       arguments TEXT NOT NULL,
       PRIMARY KEY (block_hash, log_index)
     ) STRICT;
     CREATE INDEX job_events_by_job ON job_events (job_id, block_number, log_index);
     CREATE INDEX job_events_by_challenge ON job_events (challenge_id, block_number, log_index);
     CREATE INDEX job_events_by_account ON job_events (account, name);
     CREATE INDEX job_events_by_order ON job_events (order_hash, name);
     CREATE INDEX job_events_by_name ON job_events (name, job_id);
     CREATE TABLE job_events_version (version INTEGER NOT NULL) STRICT;
     INSERT INTO job_events_version (version) VALUES (0);`,
    `ALTER TABLE job_events ADD COLUMN claim_id TEXT;
     UPDATE job_events SET claim_id = job_id WHERE name LIKE 'DisputeGame.%';
     CREATE INDEX job_events_by_claim ON job_events (claim_id, name);`,
    postedOrdersMigration,
  ],
} as const;

/** Contracts whose events the ledger takes over. */
export const jobContracts = ["Market", "JobRegistry", "Instalments", "DisputeGame", "MemberGame"] as const;

type JobLedgerEvent = Extract<AssayEvent, { contract: (typeof jobContracts)[number] }>;

/** What events have in common by name. */
type EventFields = {
  readonly jobId?: bigint;
  readonly number?: bigint;
  readonly challengeId?: bigint;
  readonly accusationId?: bigint;
  readonly orderHash?: Hex;
  readonly provider?: Address;
  readonly challenger?: Address;
  readonly accuser?: Address;
  readonly consumer?: Address;
};

/** Takes the events of market, jobs and disputes over. */
export const jobLedgerHandler: EventHandler = {
  applied(event: AssayEvent, state: State): void {
    if (!isFollowed(event)) return;
    state.run("UPDATE job_events_version SET version = version + 1");
    if (event.contract === "Market" && event.eventName === "OrderPosted") addPosted(event, state);
    const { challengeId, accusationId, orderHash, ...accounts } = event.args as EventFields;
    const { jobId, claimId } = namesOf(event);
    state.run(
      `INSERT OR REPLACE INTO job_events
         (block_number, log_index, block_hash, name, job_id, claim_id, challenge_id, order_hash, account, arguments)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      event.blockNumber,
      event.logIndex,
      event.blockHash,
      nameOf(event),
      jobId === undefined ? null : String(jobId),
      claimId === undefined ? null : String(claimId),
      disputeOf(event.contract, challengeId ?? accusationId),
      orderHash ?? null,
      accounts.provider ?? accounts.challenger ?? accounts.accuser ?? accounts.consumer ?? null,
      writeArguments(event.args),
    );
  },
  removed(event: AssayEvent, state: State): void {
    if (!isFollowed(event)) return;
    state.run("UPDATE job_events_version SET version = version + 1");
    if (event.contract === "Market" && event.eventName === "OrderPosted") removePosted(event, state);
    state.run(
      "DELETE FROM job_events WHERE block_hash = ? AND log_index = ?",
      event.blockHash,
      event.logIndex,
    );
  },
};

/** An order as its consumer posted it; what it says of itself is not checked here. */
export type PostedOrder = {
  readonly orderHash: Hex;
  readonly consumer: Address;
  readonly order: Order;
  /** Encoded training order. */
  readonly training: Hex;
  readonly package: Hex;
  readonly signature: Hex;
};

export type AuctionOffer = {
  readonly jobId: bigint;
  readonly orderHash: Hex;
  readonly terms: AuctionTerms;
  readonly commitUntil: bigint;
  readonly revealUntil: bigint;
};

/** Events that end a job. */
const ends = [
  "JobRegistry.JobFinalised",
  "JobRegistry.JobExpired",
  "JobRegistry.JobCancelled",
  "JobRegistry.JobFailed",
  "JobRegistry.JobVoided",
]
  .map((name) => `'${name}'`)
  .join();
/** Events after which the game holds no bond of the provider for a commitment any more. */
const outcomes = ["DisputeGame.JobReleased", "DisputeGame.ProviderConvicted", "DisputeGame.JobVoid"]
  .map((name) => `'${name}'`)
  .join();
const inOrder = "ORDER BY block_number, log_index";

/** A job, and the events that it was folded from. */
type Folded = { readonly from: string; readonly job: JobRecord };

/** What the chain said about jobs, as far as the follower has come. */
export class JobLedger {
  readonly #state: State;
  /** Open jobs as of some version: every duty asks for them at every look. */
  #open: { readonly version: bigint; readonly jobs: readonly JobRecord[] } | undefined;
  /** Open jobs by their id, with what they were folded from. */
  #folded: ReadonlyMap<string, Folded> = new Map();

  constructor(state: State) {
    this.#state = state;
  }

  /** Grows with every event that comes or goes. */
  get version(): bigint {
    return this.#state.get("SELECT version FROM job_events_version")!.version as bigint;
  }

  /** An order that was posted, or put up for auction. */
  order(orderHash: Hex): PostedOrder | undefined {
    const row = postedArguments(this.#state, orderHash);
    return row === undefined ? undefined : argumentsOf<PostedOrder>(row);
  }

  /** A consumer's orders that were posted, belong to no job yet and are good at `now`, oldest first. */
  postedBy(consumer: Address, now: bigint): PostedOrder[] {
    return ordersOf(this.#state, consumer, now).map((orderHash) => this.order(orderHash)!);
  }

  /** Everybody's orders that belong to no job yet, some at each look. */
  orderRounds(): OrderRounds {
    return new OrderRounds(this.#state);
  }

  /** Jobs that have not ended, oldest first. */
  openJobs(): readonly JobRecord[] {
    const { version } = this;
    if (this.#open?.version !== version) this.#open = { version, jobs: this.#readOpen() };
    return this.#open.jobs;
  }

  /** Folds again only the jobs of which something has changed. */
  #readOpen(): readonly JobRecord[] {
    const rows = this.#state.all(
      `SELECT job_id, COUNT(*) AS events, MAX(rowid) AS newest FROM job_events WHERE job_id IN (
         SELECT job_id FROM job_events e WHERE name = 'JobRegistry.JobOpened' AND NOT EXISTS (
           SELECT 1 FROM job_events o WHERE o.job_id = e.job_id AND o.name IN (${ends})))
       GROUP BY job_id ORDER BY CAST(job_id AS INTEGER)`,
    );
    const folded = new Map<string, Folded>();
    for (const { job_id, events, newest } of rows) {
      const id = job_id as string;
      const from = `${events}:${newest}`;
      const known = this.#folded.get(id);
      folded.set(id, known?.from === from ? known : { from, job: this.job(BigInt(id))! });
    }
    this.#folded = folded;
    return [...folded.values()].map(({ job }) => job);
  }

  /**
   * Jobs that have ended and of which something is left to do: bonds of bids that nobody has settled, bonds that are still
   * in the game, the reward for a conviction.
   */
  unsettledJobs(): JobRecord[] {
    return this.#state
      .all(
        `SELECT DISTINCT e.job_id FROM job_events e WHERE EXISTS (
           SELECT 1 FROM job_events o WHERE o.job_id = e.job_id AND o.name IN (${ends}))
         AND (
           (e.name = 'Market.BidCommitted' AND NOT EXISTS (
             SELECT 1 FROM job_events o WHERE o.job_id = e.job_id AND o.account = e.account
               AND o.name IN ('Market.BondReturned', 'Market.BondLost')))
           OR (e.name = 'DisputeGame.ProviderConvicted' AND NOT EXISTS (
             SELECT 1 FROM job_events o WHERE o.claim_id = e.claim_id AND o.name = 'DisputeGame.RewardPaid'))
           OR (e.name = 'DisputeGame.JobOpened' AND NOT EXISTS (
             SELECT 1 FROM job_events o WHERE o.claim_id = e.claim_id AND o.name IN (${outcomes}))))`,
      )
      .map(({ job_id }) => this.job(BigInt(job_id as string))!);
  }

  /** Whether a reward for a job's conviction was paid. */
  isRewarded(jobId: bigint): boolean {
    return (
      this.#state.get(
        "SELECT 1 FROM job_events WHERE job_id = ? AND name = 'DisputeGame.RewardPaid'",
        String(jobId),
      ) !== undefined
    );
  }

  /** Commitments of a job whose bonds are still in the game: what is said of them there is not decided. */
  boundClaims(jobId: bigint): ClaimName[] {
    return this.#claims(
      `name = 'DisputeGame.JobOpened' AND NOT EXISTS (
         SELECT 1 FROM job_events o WHERE o.claim_id = e.claim_id AND o.name IN (${outcomes}))`,
      jobId,
    );
  }

  /** Whether the game still waits for moves in the challenges of a commitment. */
  isBound({ jobId, checkpoint }: ClaimName): boolean {
    return this.boundClaims(jobId).some((claim) => claim.checkpoint === checkpoint);
  }

  /** Commitments of a job that were convicted, and whose reward is not paid. */
  unrewardedClaims(jobId: bigint): ClaimName[] {
    return this.#claims(
      `name = 'DisputeGame.ProviderConvicted' AND NOT EXISTS (
         SELECT 1 FROM job_events o WHERE o.claim_id = e.claim_id AND o.name = 'DisputeGame.RewardPaid')`,
      jobId,
    );
  }

  /** Jobs that an account ever bid for, or was given, oldest first. */
  jobsOfProvider(account: Address): JobRecord[] {
    return this.#jobs("account = ? AND name IN ('Market.BidCommitted', 'JobRegistry.JobMatched')", account);
  }

  /** Jobs that an account ordered, oldest first. */
  jobsOfConsumer(account: Address): JobRecord[] {
    return this.#jobs("account = ? AND name = 'JobRegistry.JobOpened'", account);
  }

  /** Jobs in which an account has challenged, or accused a member of a committee, oldest first. */
  jobsOfChallenger(account: Address): JobRecord[] {
    return this.#jobs("account = ? AND name IN ('DisputeGame.Challenged', 'MemberGame.Accused')", account);
  }

  /** A job with everything that happened to it; undefined when there is none. */
  job(jobId: bigint): JobRecord | undefined {
    const rows = this.#state.all(
      `SELECT name, arguments FROM job_events WHERE job_id = ? ${inOrder}`,
      String(jobId),
    );
    return foldJob(rows.map((row) => eventOf<JobEvent>(row)));
  }

  /** Events of a job and of its challenges so far. */
  eventsOf(jobId: bigint): number {
    const row = this.#state.get(
      `SELECT COUNT(*) AS events FROM job_events WHERE job_id = ?1 OR challenge_id IN
         (SELECT challenge_id FROM job_events WHERE job_id = ?1 AND name IN ('DisputeGame.Challenged', 'MemberGame.Accused'))`,
      String(jobId),
    );
    return Number(row!.events);
  }

  /** Challenges of a job, oldest first. */
  challengesOf(jobId: bigint): ChallengeRecord[] {
    return this.#challenges(
      "SELECT challenge_id FROM job_events WHERE job_id = ? AND name = 'DisputeGame.Challenged'",
      String(jobId),
    );
  }

  /** Challenges that are not settled, oldest first; some of them may be of jobs that have ended. */
  openChallenges(): ChallengeRecord[] {
    return this.#challenges(
      `SELECT challenge_id FROM job_events e WHERE name = 'DisputeGame.Challenged' AND NOT EXISTS (
         SELECT 1 FROM job_events o WHERE o.challenge_id = e.challenge_id
           AND o.name IN ('DisputeGame.ChallengeLost', 'DisputeGame.ChallengeSettled'))`,
    );
  }

  challenge(challengeId: bigint): ChallengeRecord | undefined {
    const rows = this.#state.all(
      `SELECT name, arguments FROM job_events WHERE challenge_id = ? ${inOrder}`,
      String(challengeId),
    );
    return foldChallenge(rows.map((row) => eventOf<DisputeEvent>(row)));
  }

  /** Accusations of members of a job's committees, oldest first. */
  accusationsOf(jobId: bigint): AccusationRecord[] {
    return this.#accusations(
      "SELECT challenge_id FROM job_events WHERE job_id = ? AND name = 'MemberGame.Accused'",
      String(jobId),
    );
  }

  /** Accusations of which something is left to do, oldest first: moves, timeouts, a slash. */
  openAccusations(): AccusationRecord[] {
    return this.#accusations(
      `SELECT challenge_id FROM job_events e WHERE name = 'MemberGame.Accused' AND NOT EXISTS (
         SELECT 1 FROM job_events o WHERE o.challenge_id = e.challenge_id AND o.name IN
           ('MemberGame.AccusationLost', 'MemberGame.AccusationSettled', 'MemberGame.MemberPunished'))`,
    );
  }

  #accusations(select: string, ...values: string[]): AccusationRecord[] {
    return this.#state.all(`${select} ${inOrder}`, ...values).map(({ challenge_id }) => {
      const rows = this.#state.all(
        `SELECT name, arguments FROM job_events WHERE challenge_id = ? ${inOrder}`,
        challenge_id as string,
      );
      return foldAccusation(rows.map((row) => eventOf<AccusationEvent>(row)))!;
    });
  }

  #jobs(where: string, account: Address): JobRecord[] {
    return this.#state
      .all(`SELECT job_id FROM job_events WHERE ${where} GROUP BY job_id ORDER BY MIN(block_number)`, account)
      .flatMap(({ job_id }) => this.job(BigInt(job_id as string)) ?? []);
  }

  #claims(where: string, jobId: bigint): ClaimName[] {
    return this.#state
      .all(`SELECT claim_id FROM job_events e WHERE job_id = ? AND ${where} ${inOrder}`, String(jobId))
      .map(({ claim_id }) => claimNameOf(BigInt(claim_id as string)));
  }

  #challenges(select: string, ...values: string[]): ChallengeRecord[] {
    return this.#state
      .all(`${select} ${inOrder}`, ...values)
      .map(({ challenge_id }) => this.challenge(BigInt(challenge_id as string))!);
  }
}

function isFollowed(event: AssayEvent): event is JobLedgerEvent {
  return (jobContracts as readonly string[]).includes(event.contract);
}

/** What a dispute is filed under: both games count on their own. */
function disputeOf(contract: string, id: bigint | undefined): string | null {
  if (id === undefined) return null;
  return contract === "MemberGame" ? `member:${id}` : String(id);
}

/** The game knows a job's commitments by numbers of their own. */
function namesOf(event: JobLedgerEvent): { readonly jobId?: bigint; readonly claimId?: bigint } {
  const { jobId, number } = event.args as EventFields;
  if (jobId === undefined) return {};
  if (event.contract === "DisputeGame") return { jobId: claimNameOf(jobId).jobId, claimId: jobId };
  if (event.contract === "Instalments")
    return { jobId, claimId: claimIdOf({ jobId, checkpoint: Number(number) }) };
  return { jobId };
}

/** Contracts share names of events: JobOpened is one of the registry's and one of the game's. */
function nameOf({ contract, eventName }: JobLedgerEvent): string {
  return `${contract}.${eventName}`;
}

function argumentsOf<T>(row: Row): T {
  return readArguments<T>(row.arguments as string);
}

function eventOf<T extends { readonly name: string; readonly args: unknown }>(row: Row): T {
  return { name: row.name, args: argumentsOf(row) } as unknown as T;
}
