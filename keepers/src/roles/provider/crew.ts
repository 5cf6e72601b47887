import { randomBytes } from "node:crypto";
import type { LocalAccount } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { type ClusterOptions, ClusterSession } from "../../training/cluster/session.ts";
import type { PartsExecutor } from "../../training/executors/parts.ts";
import type { TrainingSession } from "../../training/executors/types.ts";
import { listCheckpoints } from "../../training/trainer/checkpoint.ts";
import { rewindRun } from "../../training/trainer/rewind.ts";
import { checkpointFolder } from "../../training/trainer/run-folder.ts";
import type { ClusterMetrics } from "../cluster/metrics.ts";
import type { JobContext } from "../jobs/duty.ts";
import type { JobRun } from "../jobs/job-run.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import { withAllowance } from "../storage-node/allowance.ts";
import { sendCall } from "../storage-node/context.ts";
import { jobRecords, type Payroll } from "./payroll.ts";
import { isShortOfTime } from "./training-time.ts";
import type { WorkerDesk } from "./worker-desk.ts";

export type CrewTerms = {
  /** Base units of the token for each chunk. */
  readonly perChunk: bigint;
  /** Most that all workers of one job get; the surety of the round is as much. */
  readonly budget: bigint;
  /** Workers that have to agree on a chunk; each of them is paid. */
  readonly copies: number;
  /** Part of the chunks, from 0 to 1, that is computed here as well before it is taken. */
  readonly checkShare: number;
  /** Chunks that a step is cut into, at most. */
  readonly chunks: number;
};

export type CrewParts = Omit<JobContext, "metrics"> & {
  readonly account: Pick<LocalAccount, "signTypedData">;
  readonly executor: PartsExecutor;
  readonly payroll: Payroll;
  readonly desk: WorkerDesk;
  readonly terms: CrewTerms;
  readonly metrics: ClusterMetrics;
};

/** The time that a job has, and takes here without workers. */
export type CrewClock = {
  readonly secondsPerStep: number;
  /** Seconds until the job has to be committed to. */
  secondsLeft(): number;
};

/** The workers of a provider: while a job trains, they may join it, and are owed for each chunk. */
export class Crew {
  readonly #parts: CrewParts;

  constructor(parts: CrewParts) {
    this.#parts = parts;
  }

  /**
   * Gets a job ready to be trained by workers: the round of their pay is open on chain before the first chunk, and what
   * liars may have spoilt is forgotten.
   */
  async prepare(jobId: bigint, { run }: JobRun): Promise<void> {
    const { payroll, operator, log, metrics } = this.#parts;
    // Before anything that can fail: a round that an earlier attempt has opened is paid out though this one ends here.
    payroll.begin(jobId);
    const { value: round } = await agreedOrUsual(this.#parts, "a round of pay", ({ contracts }) =>
      contracts.WorkerRewards.read.roundOf([jobId, operator]),
    );
    if (round.openedAt === 0) await this.#openRound(jobId);
    const tainted = payroll.tainted(jobId);
    if (tainted === undefined) return;
    log.warn({ jobId, step: tainted }, "workers lied: training again from the checkpoint before");
    await rewindRun(run, tainted);
    payroll.rewound(jobId, tainted);
    metrics.rewound();
  }

  async #openRound(jobId: bigint): Promise<void> {
    const { terms } = this.#parts;
    const key = `open-round:${jobId}:${terms.budget}`;
    const pull = { key, spender: "WorkerRewards", amount: terms.budget } as const;
    try {
      await withAllowance(this.#parts, pull, () =>
        sendCall(this.#parts, pull.key, "WorkerRewards", "open", [jobId, terms.budget]),
      );
    } catch (error) {
      // What was read may be behind: a round that is there already is what was wanted.
      if (!(error instanceof TransactionFailedError) || error.errorName !== "AlreadyOpen") throw error;
    }
  }

  /**
   * The session in which workers train a job. They are sent away when it is closed, and as soon as there is only time enough
   * left for the provider alone to make what is left, and again whatever counts on their word: whatever strangers do, have done
   * or leave undone, is no reason to be late.
   */
  async open(
    jobId: bigint,
    { job, run }: JobRun,
    firstStep: number,
    signal: AbortSignal | undefined,
    clock: CrewClock,
  ): Promise<TrainingSession> {
    const { executor, payroll, desk, terms, account, deployment, operator, metrics, log } = this.#parts;
    const { microBatches } = job.options;
    const chunkSize = microBatches / Math.min(microBatches, 2 ** Math.floor(Math.log2(terms.chunks)));
    const folder = checkpointFolder(run);
    let checkpoints = await listCheckpoints(folder);
    /** Where the run would go back to if all who were ever taken at their word turned out to have lied. */
    const whereSure = (step: number) => {
      const vouched = payroll.firstVouched(jobId);
      if (vouched === undefined) return step;
      return Math.min(step, checkpoints.findLast((at) => at <= vouched) ?? 0);
    };
    const options: ClusterOptions = {
      chunkSize,
      copies: terms.copies,
      checkShare: terms.checkShare,
      secret: randomBytes(32),
      records: jobRecords(payroll, jobId, terms.perChunk),
      firstStep,
      signal,
      observer: metrics,
      ownStep: 1000 * clock.secondsPerStep,
      mustHurry: (step, ownStep = 0) => {
        const secondsPerStep = Math.max(clock.secondsPerStep, ownStep / 1000);
        const secondsLeft = clock.secondsLeft();
        const steps = run.order.steps - whereSure(step);
        if (!isShortOfTime({ steps, secondsPerStep, secondsLeft })) return false;
        log.warn({ jobId, step, secondsLeft }, "time is short: training goes on without workers");
        desk.withdraw();
        return true;
      },
    };
    const session = await ClusterSession.open(executor, run.program, job.options, options);
    desk.offer({
      session,
      engine: job.options,
      chunkSize,
      onLate: () => metrics.result("late"),
      pay: {
        terms: {
          chainId: deployment.chainId,
          rewards: addressOf(deployment, "WorkerRewards"),
          provider: operator,
          jobId: String(jobId),
          perChunk: String(terms.perChunk),
        },
        signer: account,
        total: (worker) => payroll.total(jobId, worker),
        // What is given out may all come back.
        affordsMore: () =>
          payroll.owed(jobId) + BigInt(session.outstanding + 1) * terms.perChunk <= terms.budget,
      },
    });
    return {
      program: run.program,
      setState: (state) => session.setState(state),
      async run(steps) {
        checkpoints = await listCheckpoints(folder);
        return await session.run(steps);
      },
      getState: () => session.getState(),
      async close() {
        desk.withdraw();
        await session.close();
      },
    };
  }

  /** The job is trained: its workers can be settled with. */
  trained(jobId: bigint): void {
    this.#parts.payroll.trained(jobId);
  }
}
