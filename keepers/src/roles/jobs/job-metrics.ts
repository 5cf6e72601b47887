import type { Logger } from "pino";
import { Counter, Gauge, type Registry } from "prom-client";
import { formatUnits } from "viem";
import type { DutyContext, Reading } from "../storage-node/context.ts";
import type { JobLedger } from "./job-ledger.ts";
import type { JobRecord, JobStatus } from "./job-record.ts";

/** Contracts that owe people money; staking owes a challenger its share of what was slashed. */
export const purses = ["Escrow", "Market", "DisputeGame", "MemberGame", "Staking"] as const;
export type Purse = (typeof purses)[number];

/** What checking intervals of a trace again came to. */
export type CheckOutcome = "right" | "wrong" | "unreadable";

const statuses: readonly JobStatus[] = [
  "Open",
  "Matched",
  "Training",
  "Committed",
  "Attested",
  "Finalised",
  "Expired",
  "Cancelled",
  "Failed",
  "Void",
];

/** Tokens and coins have 18 decimals; metrics are floating point. */
const inWhole = (units: bigint) => Number(formatUnits(units, 18));

/** What the duties of a keeper of jobs count as they go. */
export class JobMetrics {
  readonly #paid: Counter<"purse">;
  readonly #intervals: Counter<"outcome">;
  readonly #steps: Counter<"way">;
  readonly #failures: Counter<"duty">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#paid = new Counter({
      name: "assay_paid_out_total",
      help: "Money fetched from each contract, in tokens; from DisputeGame in the chain's coin",
      labelNames: ["purse"],
      registers,
    });
    this.#intervals = new Counter({
      name: "assay_intervals_checked_total",
      help: "Intervals of others' traces that were executed again, by what they came to",
      labelNames: ["outcome"],
      registers,
    });
    this.#steps = new Counter({
      name: "assay_steps_recomputed_total",
      help: "Steps of drawn intervals and of what comes before them, by how they were computed again",
      labelNames: ["way"],
      registers,
    });
    this.#failures = new Counter({
      name: "assay_duty_failures_total",
      help: "Times that a duty failed and was tried again",
      labelNames: ["duty"],
      registers,
    });
  }

  paidOut(purse: Purse, units: bigint): void {
    this.#paid.inc({ purse }, inWhole(units));
  }

  checked(outcome: CheckOutcome, intervals: number): void {
    this.#intervals.inc({ outcome }, intervals);
  }

  recomputed(way: "executed" | "verified", steps: number): void {
    this.#steps.inc({ way }, steps);
  }

  failed(duty: string): void {
    this.#failures.inc({ duty });
  }
}

export type MeasuredKeeper = Pick<DutyContext, "operator"> &
  Reading & {
    readonly log: Logger;
    readonly ledger: JobLedger;
    /** Jobs in which the keeper has another part than that of consumer, provider or challenger. */
    readonly jobs?: () => readonly JobRecord[];
  };

/** Adds what is read when somebody asks for metrics: jobs and disputes from the ledger, money from the chain. */
export function measureKeeper(registry: Registry, keeper: MeasuredKeeper): void {
  const registers = [registry];
  const { ledger, operator } = keeper;
  new Gauge({
    name: "assay_jobs",
    help: "Jobs in which this account has a part, by status",
    labelNames: ["status"],
    registers,
    collect() {
      for (const status of statuses) this.set({ status }, 0);
      for (const { status } of ownJobs(keeper)) this.inc({ status });
    },
  });
  new Gauge({
    name: "assay_open_jobs",
    help: "Jobs of the whole market that have not ended, by status",
    labelNames: ["status"],
    registers,
    collect() {
      this.reset();
      for (const { status } of ledger.openJobs()) this.inc({ status });
    },
  });
  new Gauge({
    name: "assay_open_challenges",
    help: "Challenges that are not settled: all, and those in which this account is a party",
    labelNames: ["of"],
    registers,
    collect() {
      const open = ledger.openChallenges();
      const own = open.filter(({ challenger, claim }) => [challenger, claim.provider].includes(operator));
      this.set({ of: "all" }, open.length);
      this.set({ of: "own" }, own.length);
    },
  });
  measureMoney(registers, keeper);
}

/** What the chain cannot tell at the moment stays as it was. */
function measureMoney(registers: Registry[], { client, contracts, operator, log }: MeasuredKeeper): void {
  const read = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      log.debug({ what, reason: (error as Error).message }, "could not be measured");
    }
  };
  new Gauge({
    name: "assay_stake_tokens",
    help: "Stake: locked for jobs, bundles and committees, and free",
    labelNames: ["part"],
    registers,
    collect() {
      return read("stake", async () => {
        const { stake, locked } = await contracts.Staking.read.operatorOf([operator]);
        this.set({ part: "locked" }, inWhole(locked));
        this.set({ part: "free" }, inWhole(stake - locked));
      });
    },
  });
  new Gauge({
    name: "assay_balance_coins",
    help: "The account's balance in the chain's coin: what transactions and bonds are paid with",
    registers,
    collect() {
      return read("balance", async () =>
        this.set(inWhole(await client.public.getBalance({ address: operator }))),
      );
    },
  });
  new Gauge({
    name: "assay_credit",
    help: "Money that each contract owes the account, in tokens; DisputeGame's in the chain's coin",
    labelNames: ["purse"],
    registers,
    collect() {
      return read("credits", async () => {
        const credits = await Promise.all(purses.map((purse) => contracts[purse].read.creditOf([operator])));
        for (const [i, purse] of purses.entries()) this.set({ purse }, inWhole(credits[i]!));
      });
    },
  });
}

function ownJobs({ ledger, operator, jobs }: MeasuredKeeper): Iterable<JobRecord> {
  const found = [
    ...ledger.jobsOfConsumer(operator),
    ...ledger.jobsOfProvider(operator),
    ...ledger.jobsOfChallenger(operator),
    ...(jobs?.() ?? []),
  ];
  return new Map(found.map((job) => [job.jobId, job])).values();
}
