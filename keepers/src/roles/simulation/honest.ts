import { type Address, isAddressEqual } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import type { LeafClaim } from "../../training/dispute/claimed-run.ts";
import { openingMove } from "../../training/dispute/find-interval.ts";
import { nextMove } from "../../training/dispute/next-move.ts";
import { turnOf } from "../jobs/challenge-record.ts";
import { type Agent, moveOffer, type Offer, type Scene, type Timing, tidyOffers, timeOf } from "./agent.ts";
import type { ToldRun } from "./told-run.ts";

/** Answers challenges from the right run, as `Defender` does, and has late challengers lose. */
export class HonestProvider implements Agent {
  readonly name = "honest provider";
  readonly isHonest = true;
  readonly account: Address;
  readonly #scene: Scene;
  readonly #timing: Timing;

  constructor(scene: Scene, timing: Timing) {
    this.#scene = scene;
    this.#timing = timing;
    this.account = scene.world.provider.address;
  }

  async offers(): Promise<Offer[]> {
    const { table, open } = this.#scene;
    const offers = await tidyOffers(this.#scene, this.account);
    if (table.isOver) return offers;
    for (const challenge of table.challenges) {
      if (turnOf(challenge) !== "provider") continue;
      const at = await timeOf(this.#scene, challenge, this.#timing);
      if (at === undefined) continue;
      const move = await nextMove({ role: "provider", run: open.right }, challenge.round!);
      if (move !== undefined) offers.push(moveOffer(this.#scene, this.account, challenge, at, move));
    }
    return offers;
  }
}

export type HonestChallengerOptions = {
  readonly timing: Timing;
  /** What can be fetched of the leaves. */
  readonly leaves: readonly LeafClaim[] | undefined;
  /** Salts that the provider has opened, for the committee. */
  readonly salts: ToldRun | undefined;
  /** What was committed to. */
  readonly claimed: Pick<ToldRun, "traceRoot" | "publishedLeaves">;
  /** Whether it challenges in the last second in which it may. */
  readonly isLate: boolean;
};

/** Looks at a committed job, challenges the first wrong interval and plays to the end, as `Inspector` and `Disputant` do. */
export class HonestChallenger implements Agent {
  readonly name = "honest challenger";
  readonly isHonest = true;
  readonly account: Address;
  readonly #scene: Scene;
  readonly #options: HonestChallengerOptions;

  constructor(scene: Scene, options: HonestChallengerOptions) {
    this.#scene = scene;
    this.#options = options;
    this.account = scene.world.challenger.address;
  }

  async offers(): Promise<Offer[]> {
    const { table } = this.#scene;
    const own = table.challenges.filter(({ challenger }) => isAddressEqual(challenger, this.account));
    if (own.length === 0) return table.isOver ? [] : await this.#begin();
    const offers = await tidyOffers(this.#scene, this.account);
    if (table.isOver) return [...offers, ...(await this.#reward())];
    for (const challenge of own) {
      if (turnOf(challenge) !== "challenger") continue;
      const at = await timeOf(this.#scene, challenge, this.#options.timing);
      const { right } = this.#scene.open;
      const player = { role: "challenger", own: right, answers: challenge.answers } as const;
      const move = await nextMove(player, challenge.round!);
      if (move !== undefined && at !== undefined) {
        offers.push(moveOffer(this.#scene, this.account, challenge, at, move));
      }
    }
    return offers;
  }

  async #begin(): Promise<Offer[]> {
    const { world, table, open, challengeUntil } = this.#scene;
    const { leaves, salts, claimed, isLate } = this.#options;
    const { right, jobId } = open;
    const isRight = claimed.publishedLeaves.at(-1)!.stateRoot === right.publishedLeaves.at(-1)!.stateRoot;
    // As the inspector: leaves that are withheld are no reason to challenge a result that is right.
    if (leaves === undefined && isRight) return [];
    const salt = salts && ((interval: number) => salts.salt(interval));
    const move = await openingMove(right, claimed, leaves, { salt });
    if (move === undefined) return [];
    const bond = await this.#bond();
    const { deployment } = world;
    const call =
      move.kind === "challengeTrace"
        ? encodeCall(deployment, "DisputeGame", "challengeTrace", [jobId], bond)
        : encodeCall(
            deployment,
            "DisputeGame",
            "challenge",
            [jobId, BigInt(move.interval), move.before, move.next],
            bond,
          );
    const at = isLate ? challengeUntil : world.chain.now + 600;
    return [{ at, key: `open:${table.jobId}`, from: this.account, call }];
  }

  async #bond(): Promise<bigint> {
    const { world, open } = this.#scene;
    const { dispute } = await world.contracts.JobRegistry.read.parametersOf([open.jobId]);
    return dispute.challengerBond;
  }

  /** Has the reward paid where it is its own. */
  async #reward(): Promise<Offer[]> {
    const { world, table, open } = this.#scene;
    if (table.isRewarded) return [];
    const job = await world.contracts.DisputeGame.read.jobs([open.jobId]);
    const [rewardAfter, winner] = [job[2], job[10]];
    const challenger = table.challenge(winner)?.challenger;
    if (challenger === undefined || !isAddressEqual(challenger, this.account)) return [];
    const call = encodeCall(world.deployment, "DisputeGame", "payReward", [open.jobId]);
    return [{ at: rewardAfter + 1, key: "payReward", from: this.account, call }];
  }
}

/** Pays for what anybody may do when nobody else does it: an end for every job. */
export class Bystander implements Agent {
  readonly name = "bystander";
  readonly isHonest = false;
  readonly account: Address;
  readonly #scene: Scene;
  readonly #patience: number;

  /** @param patience seconds after which it does what others could have done */
  constructor(scene: Scene, patience: number) {
    this.#scene = scene;
    this.#patience = patience;
    this.account = scene.world.bystander.address;
  }

  async offers(): Promise<Offer[]> {
    const { world, table, open, challengeUntil } = this.#scene;
    const others = await tidyOffers(this.#scene, this.account, true);
    const offers = others.map((offer) => ({ ...offer, at: offer.at + this.#patience }));
    if (table.status === "Committed" && table.challenges.every(isDone)) {
      const [call, at] =
        table.graceEnds === undefined
          ? ["callTimeout" as const, challengeUntil + this.#patience]
          : ["finalise" as const, table.graceEnds + this.#patience];
      const key = `${call}:${table.challenges.length}`;
      const encoded = encodeCall(world.deployment, "JobRegistry", call, [open.jobId]);
      offers.push({ at, key, from: this.account, call: encoded });
    }
    return offers;
  }
}

function isDone({ outcome, isSettled }: { outcome: string | undefined; isSettled: boolean }): boolean {
  return isSettled || outcome === "lost";
}
