import { type Address, isAddressEqual, type Log, parseEventLogs } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { type ChallengeRecord, type DisputeEvent, foldChallenge } from "../jobs/challenge-record.ts";
import { type JobStatus, voidReason } from "../jobs/job-record.ts";

const ends = { JobFinalised: "Finalised", JobFailed: "Failed", JobVoided: "Void" } as const;

/** One job as everybody sees it who follows the chain. */
export class Table {
  readonly jobId: bigint;
  status: JobStatus = "Training";
  /** The job's end was reported, and is not settled. */
  isOwed = false;
  isRewarded = false;
  /** Last second of the grace for what is due; undefined as long as no timeout was called. */
  graceEnds: number | undefined;
  readonly #contracts: Contracts;
  readonly #deployment: Deployment;
  readonly #events = new Map<bigint, DisputeEvent[]>();
  readonly #challenges = new Map<bigint, ChallengeRecord>();
  readonly #deadlines = new Map<bigint, bigint>();

  constructor(jobId: bigint, { contracts, deployment }: { contracts: Contracts; deployment: Deployment }) {
    this.jobId = jobId;
    this.#contracts = contracts;
    this.#deployment = deployment;
  }

  get challenges(): readonly ChallengeRecord[] {
    return [...this.#challenges.values()];
  }

  get isOver(): boolean {
    return this.status === "Finalised" || this.status === "Failed" || this.status === "Void";
  }

  challenge(challengeId: bigint): ChallengeRecord | undefined {
    return this.#challenges.get(challengeId);
  }

  /** Whether an account's challenge has convicted the provider: part of the slash is its own. */
  hasConvicted(account: Address): boolean {
    return this.challenges.some(
      ({ challenger, outcome }) => outcome === "convicted" && isAddressEqual(challenger, account),
    );
  }

  /** Last second of the turn of a challenge. */
  async deadlineOf(challengeId: bigint): Promise<bigint> {
    let deadline = this.#deadlines.get(challengeId);
    if (deadline === undefined) {
      deadline = await this.#contracts.DisputeGame.read.deadlineOf([challengeId]);
      this.#deadlines.set(challengeId, deadline);
    }
    return deadline;
  }

  /** Takes in what a transaction said. */
  read(logs: readonly Log[]): void {
    if (logs.length === 0) return;
    this.#deadlines.clear();
    for (const event of parseEventLogs({ abi: abis.JobRegistry, logs: this.#of("JobRegistry", logs) })) {
      if (event.eventName === "JobCommitted") this.status = "Committed";
      else if (event.eventName === "TimeoutCalled") this.graceEnds = Number(event.args.graceEnds);
      else if (event.eventName === "SettlementPending") {
        this.status = event.args.reason === voidReason ? "Void" : "Failed";
        this.isOwed = true;
      } else if (event.eventName in ends) {
        this.status = ends[event.eventName as keyof typeof ends];
        this.isOwed = false;
      }
    }
    const touched = new Set<bigint>();
    for (const { eventName, args } of parseEventLogs({
      abi: abis.DisputeGame,
      logs: this.#of("DisputeGame", logs),
    })) {
      if (eventName === "RewardPaid") this.isRewarded = true;
      if (!("challengeId" in args)) continue;
      const { challengeId } = args;
      const events = this.#events.get(challengeId) ?? [];
      events.push({ name: `DisputeGame.${eventName}`, args } as DisputeEvent);
      this.#events.set(challengeId, events);
      touched.add(challengeId);
    }
    for (const challengeId of touched) {
      const challenge = foldChallenge(this.#events.get(challengeId)!);
      if (challenge !== undefined) this.#challenges.set(challengeId, challenge);
    }
  }

  /** What one contract said: a timeout called in the game looks like one called in the registry. */
  #of(contract: "JobRegistry" | "DisputeGame", logs: readonly Log[]): Log[] {
    const address = addressOf(this.#deployment, contract);
    return logs.filter((log) => isAddressEqual(log.address, address));
  }
}
