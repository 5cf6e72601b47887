import { join } from "node:path";
import { Registry } from "prom-client";
import type { Address } from "viem";
import { OperatorSecrets } from "../../chain/secrets.ts";
import type { TransactionQueue } from "../../chain/transactions/queue.ts";
import type { CostModel } from "../../core/market/cost.ts";
import type { Abilities } from "../../core/market/types.ts";
import type { PartsExecutor } from "../../training/executors/parts.ts";
import type { Executor } from "../../training/executors/types.ts";
import { Disputant } from "../challenger/disputant.ts";
import { ClusterMetrics } from "../cluster/metrics.ts";
import { JobCashier } from "../jobs/cashier.ts";
import { ComputeTurns } from "../jobs/compute-turns.ts";
import { defaultFetchTime } from "../jobs/fetch-time.ts";
import { FolderFindings } from "../jobs/folder-findings.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { both, JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { SessionWrapper } from "../jobs/job-run.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "../storage-node/ledger.ts";
import { Accuser } from "../validator/accuser.ts";
import {
  CommitteeLedger,
  committeeContracts,
  committeeHandler,
  committeeSchema,
} from "../validator/committee-ledger.ts";
import { Committees } from "../validator/committees.ts";
import { Appraiser } from "./appraiser.ts";
import { Bidder, mostAppraisals } from "./bidder.ts";
import { Crew, type CrewTerms } from "./crew.ts";
import { Decisions, decisionSchema } from "./decisions.ts";
import { Defender } from "./defender.ts";
import { HeldData } from "./held-data.ts";
import { InstalmentClaims } from "./instalments.ts";
import { IntervalDesk, type IntervalDeskParts } from "./interval-desk.ts";
import { Locker } from "./locker.ts";
import { OwnerAnswers } from "./owner-answers.ts";
import { Paymaster } from "./paymaster.ts";
import { Payroll, payrollSchema } from "./payroll.ts";
import { Prices } from "./prices.ts";
import { ResultKeeper } from "./result-keeper.ts";
import { ResultQuestions } from "./result-questions.ts";
import { Revealer } from "./revealer.ts";
import { Trainer } from "./trainer.ts";
import { WitnessOpener } from "./witness-opener.ts";
import type { WorkerDesk } from "./worker-desk.ts";

export type ProviderOptions = KeeperOptions &
  Pick<SideBySideOptions, "patience"> & {
    /** Storage that results are stored with; what it pays for must go through the provider's own queue of transactions. */
    storage(queue: TransactionQueue): ResultStorage;
    readonly executor: Executor;
    readonly limits: MachineLimits;
    readonly abilities: Abilities;
    readonly costs: CostModel;
    /** Jobs that may be under way at once; 1 by default. */
    readonly mostJobs?: number;
    /** Whether orders that were posted without an auction are taken at the provider's own price; they are by default. */
    readonly takesOrders?: boolean;
    /**
     * Per cent that is asked above the costs where an order is priced by a feed that may move before the bid is mined; 5 by
     * default. An auction fixes its rate, and needs none.
     */
    readonly feedMargin?: number;
    /** Seconds that an order's program and data may take to arrive before it is refused; 1,800 by default. */
    readonly fetchTime?: number;
    /** Where earnings go; to the provider's own account by default. */
    readonly payTo?: Address;
    /** Stands between the engine and what is committed to, so that a demonstration can cheat. */
    readonly worker?: SessionWrapper;
    /** Lets the members of committees ask for what saves them work. The host is not closed here. */
    readonly shows?: Pick<IntervalDeskParts, "host" | "engine">;
    /** Lets strangers compute for pay. The desk is not closed here. */
    readonly crew?: {
      readonly desk: WorkerDesk;
      readonly terms: CrewTerms;
      readonly executor: PartsExecutor;
    };
  };

/**
 * The provider role: bids for orders, trains what it wins, stores and commits to the result, answers disputes, collects.
 * The account must be an operator with the provider's role and enough free stake.
 */
export async function openProvider(options: ProviderOptions): Promise<JobKeeper> {
  const { dataDirectory, account, mostJobs = 1, takesOrders = true, feedMargin = 5, payTo } = options;
  const { executor, limits, abilities, costs, worker, patience, fetchTime = defaultFetchTime } = options;
  const secrets = await OperatorSecrets.open(account, options.deployment.chainId);
  return JobKeeper.open(options, {
    schemas: [payrollSchema, decisionSchema, committeeSchema, ledgerSchema],
    follows: {
      contracts: [...committeeContracts, "RetrievalChallenges"],
      handler: both(committeeHandler, ledgerHandler),
    },
    duties(context, state) {
      const { ledger } = context;
      const storage = options.storage(context.queue);
      const folder = join(dataDirectory, "jobs");
      const compute = { ...context, storage, executor, limits, folder, secrets, fetchTime, patience };
      const turns = new ComputeTurns(context.log);
      const decisions = new Decisions(state);
      const held = new HeldData({ folder: compute.folder, most: mostAppraisals });
      const appraiser = new Appraiser({ ...compute, decisions, held, abilities, costs, fetchTime });
      const prices = new Prices({ ...context, feedMargin });
      const payroll = new Payroll(state);
      const workers = options.crew;
      const crew =
        workers &&
        new Crew({
          ...context,
          account,
          payroll,
          ...workers,
          metrics: new ClusterMetrics(options.metrics ?? new Registry(), workers.desk),
        });
      const committees = new CommitteeLedger(state);
      const all = new Committees({ ...context, committees });
      const findings = new FolderFindings(folder);
      const retrievals = new Ledger(state);
      const isOwn = (provider: Address | undefined) => provider === account.address;
      return [
        // What has a deadline on chain comes before what takes long.
        new Defender({ ...compute, turns, worker }),
        new WitnessOpener({ ...compute, worker }),
        new OwnerAnswers({ ...compute, storage, retrievals }),
        new Disputant({ ...compute, turns, isMeant: () => true }),
        new Accuser({
          ...compute,
          all,
          committees,
          // Its trace is that of its run: what members say of it otherwise is wrong.
          find: async (job, _, interval) =>
            isOwn(job.provider) ? await findings.find(job, interval, true) : undefined,
        }),
        ...(options.shows === undefined ? [] : [new IntervalDesk({ ...compute, worker, ...options.shows })]),
        new Revealer({ ...context, decisions, prices }),
        new Locker({ ...compute, held, patience }),
        new Bidder({ ...context, appraiser, prices, held, mostJobs, takesOrders, patience }),
        new ResultKeeper({ ...compute, storage, patience }),
        new ResultQuestions({ ...context, retrievals }),
        new InstalmentClaims({ ...compute, storage, patience }),
        ...(workers === undefined ? [] : [new Paymaster({ ...context, payroll, desk: workers.desk })]),
        new JobJanitor({
          ...context,
          only: ({ provider, auction }) => isOwn(provider) || auction?.bids.has(account.address) === true,
        }),
        new JobCashier({ ...context, payTo, jobs: () => ledger.jobsOfProvider(account.address) }),
        new Trainer({ ...compute, storage, worker, crew, patience }),
      ];
    },
  });
}
