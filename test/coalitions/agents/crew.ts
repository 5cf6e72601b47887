import type { Hex } from "viem";
import {
  type Contributions,
  contributionsOf,
  runningTotalTypedData,
} from "../../../keepers/src/core/market/contributions.ts";
import { type Party, workers } from "../cast.ts";
import type { Plan } from "../conduct.ts";
import type { Scene } from "../scene.ts";
import { hour, tokens } from "../world.ts";
import type { Agent } from "./agent.ts";

/** What a provider puts up for totals that it does not show. */
const surety = 40n * tokens;
/** What the first of the crew has earned after each stretch of work; the others have earned twice as much, and so on. */
const earned = [5n * tokens, 12n * tokens] as const;
/** Seconds of a stretch. */
const stretch = 2 * hour;
/** How often a worker comes for what it has already had. */
const mostClaims = 3;

type Round = {
  readonly jobId: bigint;
  readonly provider: Party;
  readonly since: number;
  /** What the provider has signed for, the newest last. */
  readonly signed: Map<Party, { readonly total: bigint; readonly signature: Hex }[]>;
  shown: Contributions | undefined;
};

/** Has two work for whoever trains: the provider signs for what they have earned and shows it, and they come for it. */
export class Crew implements Agent {
  readonly #scene: Scene;
  readonly #plan: Plan;
  readonly #rounds: Round[] = [];
  /** Whoever means no good comes first. */
  readonly #workers: readonly Party[];

  constructor(scene: Scene, plan: Plan) {
    this.#scene = scene;
    this.#plan = plan;
    this.#workers = [...workers].sort((a, b) => Number(scene.isHonest(a)) - Number(scene.isHonest(b)));
    if (!plan.hasCrew) return;
    scene.on(({ eventName, args }) => {
      if (eventName !== "JobLocked") return;
      const { jobId, provider } = args as { jobId: bigint; provider: Hex };
      const round = { jobId, provider: scene.partyAt(provider)!, since: scene.now };
      this.#rounds.push({ ...round, signed: new Map(), shown: undefined });
      for (let i = 1; i <= earned.length; i++) scene.wakeAt(scene.now + i * stretch);
    });
  }

  async act(): Promise<boolean> {
    let isDone = false;
    for (const round of this.#rounds) {
      const { jobId, provider } = round;
      const key = `open ${jobId}`;
      isDone = (await this.#scene.try(key, provider, "WorkerRewards", "open", [jobId, surety])) || isDone;
      await this.#sign(round);
      isDone = (await this.#show(round)) || isDone;
      if (round.shown === undefined) continue;
      for (const worker of this.#workers) isDone = (await this.#comeFor(round, worker)) || isDone;
      for (const worker of this.#workers) isDone = (await this.#settle(round, worker)) || isDone;
    }
    return isDone;
  }

  /** The provider countersigns what was earned, stretch by stretch. */
  async #sign({ jobId, provider, since, signed }: Round): Promise<void> {
    const { deployment } = this.#scene.world;
    const domain = { chainId: deployment.chainId, rewards: deployment.addresses.WorkerRewards! };
    for (const [place, worker] of workers.entries()) {
      const own = signed.get(worker) ?? [];
      signed.set(worker, own);
      while (own.length < earned.length && this.#scene.now >= since + (own.length + 1) * stretch) {
        const total = earned[own.length]! * BigInt(place + 1);
        const typed = runningTotalTypedData(
          { jobId, worker: this.#scene.world.address(worker), total },
          domain,
        );
        const signature = await this.#scene.world.account(provider).signTypedData(typed);
        this.#scene.ledger.earn(
          this.#scene.world.address(provider),
          this.#scene.world.address(worker),
          total - (own.at(-1)?.total ?? 0n),
        );
        own.push({ total, signature });
      }
    }
  }

  /** Shows one tree of all totals once the work is done: of all, or without somebody, or of older ones. */
  async #show(round: Round): Promise<boolean> {
    const { jobId, provider, signed } = round;
    if (round.shown !== undefined || signed.get(workers[0])?.length !== earned.length) return false;
    const { forgetsWorker, showsOlder } = this.#plan.providers[provider] ?? {};
    const shares = workers.filter((worker) => forgetsWorker !== true || worker !== workers[0]);
    const shown = contributionsOf(
      shares.map((worker) => {
        const { total } = signed.get(worker)!.at(showsOlder === true ? 0 : -1)!;
        return { worker: this.#scene.world.address(worker), total };
      }),
    );
    const args = [jobId, shown.top, shown.workers, shown.deposit] as const;
    if (!(await this.#scene.try(`show ${jobId}`, provider, "WorkerRewards", "postRoot", args))) return false;
    round.shown = shown;
    return true;
  }

  /** A worker claims what is shown for it, and demands what is not. */
  async #comeFor({ jobId, provider, signed, shown }: Round, worker: Party): Promise<boolean> {
    const { world } = this.#scene;
    const [payer, address] = [world.address(provider), world.address(worker)];
    const { claimsAgain, demandsFirst } = this.#plan.workers[worker] ?? {};
    const { total, signature } = signed.get(worker)!.at(-1)!;
    const share = shown!.find(address);
    const demand = () => {
      const args = [jobId, payer, total, signature] as const;
      return this.#scene.try(`demand ${jobId}`, worker, "WorkerRewards", "demand", args);
    };
    let isDone = demandsFirst === true && (await demand());
    for (let i = 0; share !== undefined && i < (claimsAgain === true ? mostClaims : 1); i++) {
      const siblings = share.proof.map(({ node, sum }) => ({ node, sum }));
      const args = [jobId, payer, address, share.total, BigInt(share.index), siblings] as const;
      const key = `claim ${jobId}/${i}`;
      isDone = (await this.#scene.try(key, worker, "WorkerRewards", "claim", args)) || isDone;
    }
    if ((share?.total ?? 0n) < total) isDone = (await demand()) || isDone;
    return isDone;
  }

  /** What was demanded is answered by an honest provider, and had by force of another. */
  async #settle({ jobId, provider, shown }: Round, worker: Party): Promise<boolean> {
    const { world } = this.#scene;
    const [payer, address] = [world.address(provider), world.address(worker)];
    const { answerUntil } = await world.contracts.WorkerRewards.read.demandOf([jobId, payer, address]);
    if (answerUntil === 0) return false;
    if (this.#scene.now > answerUntil) {
      const args = [jobId, payer, address] as const;
      return await this.#scene.try(`force ${jobId}`, worker, "WorkerRewards", "execute", args);
    }
    if (!this.#scene.isHonest(provider)) return false;
    const share = shown!.find(address);
    const paid = await world.contracts.WorkerRewards.read.paidTo([jobId, payer, address]);
    if (share === undefined || share.total <= paid) {
      const key = `include ${jobId}/${worker}`;
      return await this.#scene.try(key, provider, "WorkerRewards", "include", [jobId, address]);
    }
    const siblings = share.proof.map(({ node, sum }) => ({ node, sum }));
    const args = [jobId, payer, address, share.total, BigInt(share.index), siblings] as const;
    return await this.#scene.try(`answer ${jobId}/${worker}`, provider, "WorkerRewards", "answer", args);
  }
}
