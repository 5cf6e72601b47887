import { join } from "node:path";
import type { Address } from "viem";
import type { State } from "../../storage/state/state.ts";
import type { Executor } from "../../training/executors/types.ts";
import { JobCashier } from "../jobs/cashier.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { JobStorage } from "../jobs/job-storage.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import {
  CommitteeLedger,
  committeeContracts,
  committeeHandler,
  committeeSchema,
} from "../validator/committee-ledger.ts";
import { Committees } from "../validator/committees.ts";
import { Disputant } from "./disputant.ts";
import { Inspector } from "./inspector.ts";
import { WatchList, watchSchema } from "./watch-list.ts";
import { WitnessInspector } from "./witness-inspector.ts";

/** Looks of a keeper from one look at the time to the next, while a job is executed. */
const looks = 5;

export type ChallengerOptions = KeeperOptions & {
  readonly storage: JobStorage;
  readonly executor: Executor;
  readonly limits: MachineLimits;
  /** Micro-batches of the jobs that are executed again at a time; which ones is drawn by lot when not all fit. */
  readonly budget: number;
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
  { dataDirectory, account, storage, executor, limits, budget, interval = 2_000, payTo }: ChallengerOptions,
  context: JobContext,
  state: State,
  only?: bigint,
): Duty[] {
  const { ledger } = context;
  const watched = new WatchList(state);
  const all = new Committees({ ...context, committees: new CommitteeLedger(state) });
  const isMeant = (jobId: bigint) => only === undefined || jobId === only;
  const compute = { ...context, storage, executor, limits, folder: join(dataDirectory, "jobs"), isMeant };
  const isOwn = ({ challenger }: ChallengeRecord) => challenger === account.address;
  return [
    // What has a deadline on chain comes before what takes long.
    new Disputant(compute),
    new WitnessInspector({
      ...compute,
      all,
      // Of a job that was found right, the own run is here; of any other there is nothing to hold them against.
      suspects: async ({ jobId }, opened) =>
        isMeant(jobId) && watched.verdict(jobId) === "right" ? [...opened.keys()].sort((a, b) => a - b) : [],
      onWrong: (jobId) => watched.decide(jobId, "wrong"),
    }),
    new Inspector({ ...compute, watched, budget, lookEvery: looks * interval }),
    new JobJanitor({
      ...context,
      only: ({ jobId }) => isMeant(jobId) && ledger.challengesOf(jobId).some(isOwn),
    }),
    new JobCashier({ ...context, payTo, jobs: () => ledger.jobsOfChallenger(account.address) }),
  ];
}
