import { zeroHash } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { agreedOrUsual, isSurely } from "../storage-node/agreement.ts";
import { withAllowance } from "../storage-node/allowance.ts";
import { chainTime, type Reading, sendCall, tryCall } from "../storage-node/context.ts";
import type { PayRound, Payroll } from "./payroll.ts";
import { Shares } from "./shares.ts";
import type { WorkerDesk } from "./worker-desk.ts";

export type PaymasterParts = JobContext & {
  readonly payroll: Payroll;
  /** Tells workers where they stand. */
  readonly desk: Pick<WorkerDesk, "tellShares">;
};

type Round = Awaited<ReturnType<Contracts["WorkerRewards"]["read"]["roundOf"]>>;

/** Settles with workers: posts the root over their totals, answers demands, closes rounds. */
export class Paymaster implements Duty {
  readonly name = "workers' pay";
  readonly #parts: PaymasterParts;
  readonly #shares: Shares;

  constructor(parts: PaymasterParts) {
    this.#parts = parts;
    const { desk, payroll } = parts;
    const shares = new Shares(payroll);
    this.#shares = shares;
    // From the moment that a root is sent, however the job came to its end: before it is on chain there is nothing to claim.
    desk.tellShares((jobId, worker) => shares.find(jobId, worker));
  }

  async tick(): Promise<void> {
    const { payroll } = this.#parts;
    await forEach(payroll.rounds(), (round) => this.#settle(round));
  }

  async #settle({ jobId, trained }: PayRound): Promise<void> {
    const { operator, ledger, payroll, queue } = this.#parts;
    const { value: round, isAgreed } = await agreedOrUsual<Round>(
      this.#parts,
      "a round of pay",
      ({ contracts }) => contracts.WorkerRewards.read.roundOf([jobId, operator]),
    );
    if (round.openedAt === 0) {
      // One that was never opened, and will not be any more, leaves nothing to settle.
      const isOpening = queue.pending().some(({ key }) => key.startsWith(`open-round:${jobId}:`));
      const status = ledger.job(jobId)?.status;
      if (isAgreed && !isOpening && status !== undefined && status !== "Training") payroll.closed(jobId);
      return;
    }
    if (round.forceUntil === 0) {
      // A job that ended some other way owes its workers all the same.
      if (trained || ledger.job(jobId)?.status !== "Training") await this.#post(jobId);
      return;
    }
    // A keeper of an earlier version posted roots without keeping their totals: what is owed by now is the best guess.
    if (isAgreed) payroll.settle(jobId);
    if (round.openDemands > 0) await this.#answer(jobId);
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
    const isEmpty = await isSurely(this.#parts, "whether a round leaves nothing", async ({ contracts }) => {
      return (await contracts.WorkerRewards.read.creditOf([operator])) === 0n;
    });
    const key = `withdraw-round:${jobId}`;
    if (!isEmpty && !(await tryCall(this.#parts, key, "WorkerRewards", "withdraw", [operator]))) return;
    payroll.closed(jobId);
  }

  async #post(jobId: bigint): Promise<void> {
    const { payroll, log } = this.#parts;
    payroll.settle(jobId);
    const { top, workers, deposit } =
      this.#shares.of(jobId) ?? ({ top: zeroHash, workers: 0, deposit: 0n } as const);
    const pull = { key: `pay:${jobId}:${top}`, spender: "WorkerRewards", amount: deposit } as const;
    await withAllowance(this.#parts, pull, () =>
      sendCall(this.#parts, pull.key, "WorkerRewards", "postRoot", [jobId, top, workers, deposit]),
    );
    log.info({ jobId, workers, deposit: String(deposit) }, "workers' pay settled");
  }

  /** Shows that the root pays what is demanded, or pays the rest: what is not answered costs a tenth more. */
  async #answer(jobId: bigint): Promise<void> {
    const { operator, payroll } = this.#parts;
    // Also whom the root knows nothing of: chunks are taken and signed for until workers notice it.
    const workers = payroll.contributions(jobId).filter(({ total }) => total > 0n);
    await forEach(workers, async ({ worker }) => {
      const name = [jobId, operator, worker] as const;
      const look = async ({ contracts }: Reading) => ({
        demand: await contracts.WorkerRewards.read.demandOf(name),
        paid: await contracts.WorkerRewards.read.paidTo(name),
      });
      const { demand, paid } = (await agreedOrUsual(this.#parts, "what a worker demands", look)).value;
      if (demand.answerUntil === 0) return;
      const share = this.#shares.find(jobId, worker);
      const key = `${jobId}:${worker}:${demand.total}`;
      if (share !== undefined && share.total >= demand.total && paid < share.total) {
        const args = [...name, share.total, BigInt(share.index), share.proof] as const;
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
