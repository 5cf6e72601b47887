import { zeroHash } from "viem";
import { contributionsOf } from "../../core/market/contributions.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { isSurely } from "../storage-node/agreement.ts";
import { withAllowance } from "../storage-node/allowance.ts";
import { chainTime, sendCall, tryCall } from "../storage-node/context.ts";
import type { PayRound, Payroll } from "./payroll.ts";
import type { WorkerDesk } from "./worker-desk.ts";

export type PaymasterParts = JobContext & {
  readonly payroll: Payroll;
  /** Tells workers where they stand. */
  readonly desk: Pick<WorkerDesk, "tellShares">;
};

/** Settles with workers: posts the root over their totals, answers demands, closes rounds. */
export class Paymaster implements Duty {
  readonly name = "workers' pay";
  readonly #parts: PaymasterParts;

  constructor(parts: PaymasterParts) {
    this.#parts = parts;
    const { desk, payroll } = parts;
    desk.tellShares((jobId, worker) => {
      const round = payroll.rounds().find((one) => one.jobId === jobId);
      const totals = payroll.contributions(jobId).filter(({ total }) => total > 0n);
      if (round?.trained === false || totals.length === 0) return undefined;
      return contributionsOf(totals).find(worker);
    });
  }

  async tick(): Promise<void> {
    const { payroll } = this.#parts;
    await forEach(payroll.rounds(), (round) => this.#settle(round));
  }

  async #settle({ jobId, trained }: PayRound): Promise<void> {
    const { contracts, operator, ledger, payroll } = this.#parts;
    const round = await contracts.WorkerRewards.read.roundOf([jobId, operator]);
    if (round.openedAt === 0) return;
    if (round.forceUntil === 0) {
      // A job that ended some other way owes its workers all the same.
      if (trained || ledger.job(jobId)?.status !== "Training") await this.#post(jobId);
      return;
    }
    await this.#answer(jobId);
    const isOver = await isSurely(this.#parts, "whether a round of pay is over", async (chain) => {
      const { forceUntil, claimUntil, openDemands } = await chain.contracts.WorkerRewards.read.roundOf([
        jobId,
        operator,
      ]);
      const now = await chainTime(chain.client);
      return forceUntil !== 0 && now > BigInt(claimUntil) && openDemands === 0;
    });
    if (!isOver) return;
    await tryCall(this.#parts, `close-round:${jobId}`, "WorkerRewards", "close", [jobId, operator]);
    const credit = await contracts.WorkerRewards.read.creditOf([operator]);
    const key = `withdraw-round:${jobId}`;
    if (credit > 0n && !(await tryCall(this.#parts, key, "WorkerRewards", "withdraw", [operator]))) return;
    payroll.closed(jobId);
  }

  async #post(jobId: bigint): Promise<void> {
    const { payroll, log } = this.#parts;
    const totals = payroll.contributions(jobId).filter(({ total }) => total > 0n);
    const settled =
      totals.length === 0 ? ({ top: zeroHash, workers: 0, deposit: 0n } as const) : contributionsOf(totals);
    const { top, workers, deposit } = settled;
    const pull = { key: `pay:${jobId}:${top}`, spender: "WorkerRewards", amount: deposit } as const;
    await withAllowance(this.#parts, pull, () =>
      sendCall(this.#parts, pull.key, "WorkerRewards", "postRoot", [jobId, top, workers, deposit]),
    );
    log.info({ jobId, workers, deposit: String(deposit) }, "workers' pay settled");
  }

  /** Shows that the root pays what is demanded, or pays the rest: what is not answered costs a tenth more. */
  async #answer(jobId: bigint): Promise<void> {
    const { contracts, operator, payroll } = this.#parts;
    const totals = payroll.contributions(jobId).filter(({ total }) => total > 0n);
    if (totals.length === 0) return;
    const contributions = contributionsOf(totals);
    await forEach(totals, async ({ worker }) => {
      const demand = await contracts.WorkerRewards.read.demandOf([jobId, operator, worker]);
      if (demand.answerUntil === 0) return;
      const { total, index, proof } = contributions.find(worker)!;
      const key = `${jobId}:${worker}:${demand.total}`;
      const paid = await contracts.WorkerRewards.read.paidTo([jobId, operator, worker]);
      if (total >= demand.total && paid < total) {
        const args = [jobId, operator, worker, total, BigInt(index), proof] as const;
        if (await tryCall(this.#parts, `answer:${key}`, "WorkerRewards", "answer", args)) return;
      }
      const missing = demand.total > paid ? demand.total - paid : 0n;
      const pull = { key: `include:${key}`, spender: "WorkerRewards", amount: missing } as const;
      await withAllowance(this.#parts, pull, () =>
        tryCall(this.#parts, pull.key, "WorkerRewards", "include", [jobId, worker]),
      );
    });
  }
}
