import { join } from "node:path";
import { Registry } from "prom-client";
import type { Address } from "viem";
import type { TransactionQueue } from "../../chain/transactions/queue.ts";
import type { CostModel } from "../../core/market/cost.ts";
import type { Abilities } from "../../core/market/types.ts";
import type { PartsExecutor } from "../../training/executors/parts.ts";
import type { Executor } from "../../training/executors/types.ts";
import { ClusterMetrics } from "../cluster/metrics.ts";
import { JobCashier } from "../jobs/cashier.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { SessionWrapper } from "../jobs/job-run.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { Appraiser } from "./appraiser.ts";
import { Bidder } from "./bidder.ts";
import { Crew, type CrewTerms } from "./crew.ts";
import { Decisions, decisionSchema } from "./decisions.ts";
import { Defender } from "./defender.ts";
import { InstalmentClaims } from "./instalments.ts";
import { IntervalDesk, type IntervalDeskParts } from "./interval-desk.ts";
import { Locker } from "./locker.ts";
import { Paymaster } from "./paymaster.ts";
import { Payroll, payrollSchema } from "./payroll.ts";
import { Pleader, type Pleading, pleaSchema } from "./pleader.ts";
import { Prices } from "./prices.ts";
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
    /** How it makes sure of a won job's data before it locks stake; the data is trusted to be there when this is left out. */
    readonly pleading?: Pleading;
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
export function openProvider(options: ProviderOptions): Promise<JobKeeper> {
  const { dataDirectory, account, mostJobs = 1, takesOrders = true, feedMargin = 5, payTo } = options;
  const { executor, limits, abilities, costs, worker, patience, fetchTime = 1800 } = options;
  return JobKeeper.open(options, {
    schemas: [payrollSchema, decisionSchema, pleaSchema],
    duties(context, state) {
      const { ledger } = context;
      const storage = options.storage(context.queue);
      const compute = { ...context, storage, executor, limits, folder: join(dataDirectory, "jobs") };
      const decisions = new Decisions(state);
      const appraiser = new Appraiser({ ...compute, decisions, abilities, costs, fetchTime });
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
      const { pleading } = options;
      const pleader = pleading && new Pleader({ ...context, state, ...pleading });
      const isOwn = (provider: Address | undefined) => provider === account.address;
      return [
        // What has a deadline on chain comes before what takes long.
        new Defender({ ...compute, worker }),
        new WitnessOpener({ ...compute, worker }),
        ...(options.shows === undefined ? [] : [new IntervalDesk({ ...compute, worker, ...options.shows })]),
        new Revealer({ ...context, decisions, prices }),
        new Locker({ ...compute, pleader, patience }),
        new Bidder({ ...context, appraiser, prices, mostJobs, takesOrders, patience }),
        ...(pleader === undefined ? [] : [pleader]),
        new InstalmentClaims({ ...compute, storage }),
        ...(workers === undefined ? [] : [new Paymaster({ ...context, payroll, desk: workers.desk })]),
        new JobJanitor({
          ...context,
          only: ({ provider, auction }) => isOwn(provider) || auction?.bids.has(account.address) === true,
        }),
        new JobCashier({ ...context, payTo, jobs: () => ledger.jobsOfProvider(account.address) }),
        new Trainer({ ...compute, storage, worker, crew }),
      ];
    },
  });
}
