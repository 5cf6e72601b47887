import type { OperatorSecrets } from "../../chain/secrets.ts";
import type { Executor } from "../../training/executors/types.ts";
import type { DutyContext } from "../storage-node/context.ts";
import type { JobLedger } from "./job-ledger.ts";
import type { JobMetrics } from "./job-metrics.ts";
import type { JobStorage } from "./job-storage.ts";
import type { MachineLimits } from "./published-program.ts";

/** What every duty around jobs works with. */
export type JobContext = DutyContext & {
  readonly ledger: JobLedger;
  readonly metrics: JobMetrics;
};

/** What duties that compute work with besides. */
export type ComputeParts = {
  readonly storage: JobStorage;
  readonly executor: Executor;
  readonly limits: MachineLimits;
  /** Folder of everything that belongs to jobs: runs, results, downloads. */
  readonly folder: string;
  /** Rebuilds the secrets of runs whose traces are committed to; who commits to none needs none. */
  readonly secrets?: OperatorSecrets;
  /** Whether data is opened of which a label is no class, to be shown to the game; such a job is refused without it. */
  readonly takesMislabelled?: boolean;
};

/** What duties that depend on others' storage work with besides. */
export type FetchParts = {
  /** Seconds for which something may take to arrive: what has not come by then counts as withheld. */
  readonly fetchTime: number;
};

/** Work that a keeper does again and again. */
export interface Duty {
  readonly name: string;
  /** Does what is due; the next call finds what is left. */
  tick(signal: AbortSignal): Promise<void>;
  /** Lets go of what was kept open. */
  close?(): Promise<void>;
}
