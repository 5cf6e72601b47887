import { join } from "node:path";
import type { Address } from "viem";
import type { State } from "../../storage/state/state.ts";
import type { Executor } from "../../training/executors/types.ts";
import { JobCashier } from "../jobs/cashier.ts";
import { CellQuestions } from "../jobs/cell-questions.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";
import { ComputeTurns } from "../jobs/compute-turns.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { defaultFetchTime } from "../jobs/fetch-time.ts";
import { FolderFindings } from "../jobs/folder-findings.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { JobStorage } from "../jobs/job-storage.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import { RunSweeper } from "../jobs/run-sweeper.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { Accuser } from "../validator/accuser.ts";
import {
  CommitteeLedger,
  committeeContracts,
  committeeHandler,
  committeeSchema,
} from "../validator/committee-ledger.ts";
import { Committees } from "../validator/committees.ts";
import { Disputant } from "./disputant.ts";
import { Inspector } from "./inspector.ts";
import type { SecondsOfMoves } from "./problem-of-dispute.ts";
import { WatchList, watchSchema } from "./watch-list.ts";
import { WitnessInspector } from "./witness-inspector.ts";

/** Looks of a keeper from one look at the time to the next, while a job is executed. */
const looks = 5;
/** Jobs that are looked at side by side by default: each may have a quarter of the memory for its objects. */
const mostInspections = 4;
/** Looks after which a right result, of which nothing could be fetched, is let be: more than an hour later by default. */
const mostLooks = 10;

export type ChallengerOptions = KeeperOptions &
  Pick<SideBySideOptions, "patience"> & {
    readonly storage: JobStorage;
    readonly executor: Executor;
    readonly limits: MachineLimits;
    /** Jobs that are looked at side by side, while what they need is fetched; 4 by default. */
    readonly inspections?: number;
    /** Micro-batches of the jobs that are executed again at a time; which ones is drawn by lot when not all fit. */
    readonly budget: number;
    /** Seconds that data, or a result, may take to arrive before it counts as withheld; 1,800 by default. */
    readonly fetchTime?: number;
    /** Where rewards go; to the challenger's own account by default. */
    readonly payTo?: Address;
  };

/** What a challenger keeps and follows besides jobs: committees, because what is opened to them shows more of a trace. */
export const challengerTables = {
  schemas: [watchSchema, committeeSchema],
  follows: { contracts: committeeContracts, handler: committeeHandler },
} as const;

/**
 * The challenger role: executes committed jobs again, challenges the first wrong interval, plays the dispute to its end,
 * collects bond and reward. It needs no stake; every challenge takes a bond in the chain's coin.
 */
export function openChallenger(options: ChallengerOptions): Promise<JobKeeper> {
  return JobKeeper.open(options, {
    ...challengerTables,
    duties: (context, state) => challengerDuties(options, context, state),
  });
}

/**
 * What a challenger does.
 *
 * @param only the job that it looks at; all by default
 */
export function challengerDuties(
  options: ChallengerOptions,
  context: JobContext,
  state: State,
  only?: bigint,
): Duty[] {
  const { dataDirectory, account, storage, executor, limits, budget, payTo } = options;
  const { interval = 2_000, fetchTime = defaultFetchTime, inspections: most = mostInspections } = options;
  const { ledger } = context;
  const watched = new WatchList(state);
  const committees = new CommitteeLedger(state);
  const all = new Committees({ ...context, committees });
  const isMeant = (jobId: bigint) => only === undefined || jobId === only;
  const folder = join(dataDirectory, "jobs");
  // What nobody can train on would be paid for like any result, if whoever could show it refused to look at it.
  const compute = { ...context, storage, executor, limits, folder, isMeant, takesMislabelled: true };
  const waiting = { fetchTime, most, patience: options.patience, lookEvery: looks * interval };
  const moves: SecondsOfMoves = new Map();
  const findings = new FolderFindings(folder);
  const questions = new CellQuestions({ ...context, isMeant });
  const isOwn = ({ challenger }: ChallengeRecord) => challenger === account.address;
  return [
    // What has a deadline on chain comes before what takes long.
    new Disputant({ ...compute, ...waiting, turns: new ComputeTurns(context.log) }),
    new WitnessInspector({
      ...compute,
      ...waiting,
      all,
      moves,
      // Of a job that was found right, the own run is here; of any other there is nothing to hold them against.
      suspects: async ({ jobId }, opened) =>
        isMeant(jobId) && watched.verdict(jobId) === "right" ? [...opened.keys()].sort((a, b) => a - b) : [],
      onWrong: (jobId) => watched.decide(jobId, "wrong"),
    }),
    new Accuser({
      ...compute,
      all,
      committees,
      find: async (job, _, interval) =>
        isMeant(job.jobId) ? await findings.find(job, interval, false) : undefined,
    }),
    // Before what was asked for is known, no look at it can be left out.
    questions,
    // Whoever looks at one job wants to know what it comes to.
    new Inspector({
      ...compute,
      ...waiting,
      watched,
      moves,
      questions,
      budget,
      mostLooks: only === undefined ? mostLooks : 1,
    }),
    new JobJanitor({
      ...context,
      only: (job) =>
        isMeant(job.jobId) && (questions.hasAsked(job) || ledger.challengesOf(job.jobId).some(isOwn)),
    }),
    new JobCashier({ ...context, payTo, jobs: () => ledger.jobsOfChallenger(account.address) }),
    // Who looks at one job may look at what was computed of others, too.
    ...(only === undefined ? [new RunSweeper({ ...context, committees, folder })] : []),
  ];
}
