import { type Address, type Hex, isAddressEqual, zeroHash } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import type { ClaimedRun } from "../../training/dispute/claimed-run.ts";
import { challengeOf } from "../../training/dispute/find-interval.ts";
import { type Move, packSums, searchedLeaves, unpackSums } from "../../training/dispute/moves.ts";
import { nextMove } from "../../training/dispute/next-move.ts";
import type { OwnRun } from "../../training/dispute/own-run.ts";
import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import {
  type Agent,
  garbageOffer,
  moveOffer,
  type Offer,
  type Scene,
  type Timing,
  tidyOffers,
  timeOf,
} from "./agent.ts";
import { Dice } from "./dice.ts";
import { shamMove } from "./sham-moves.ts";
import type { ToldRun } from "./told-run.ts";

/** How somebody behaves who does not want to lose. Moves of a challenge count from 0. */
export type Conduct = {
  /** When it moves, most of the time. */
  readonly timing: Timing;
  /** Chance in a hundred that a move is made at another time. */
  readonly mood: number;
  /** From which move of a challenge on it is silent; none by default. */
  readonly silentFrom: number | undefined;
  /** Chance in a hundred that something unreadable comes before a move. */
  readonly garbage: number;
  /** Added to the first of the sums that it posts. */
  readonly tilt: bigint;
  /** The state roots that it posts in a search. */
  readonly search: SearchConduct;
};

/** Roots that a provider posts in a search: its own, or others than it can open. */
export const searchConducts = ["own", "right", "half right", "garbage", "zeros", "repeated"] as const;
export type SearchConduct = (typeof searchConducts)[number];

/** When a party of this conduct makes its move of a round. */
function timingOf(conduct: Conduct, { challengeId, moves }: ChallengeRecord, seed: string): Timing {
  if (conduct.silentFrom !== undefined && moves >= conduct.silentFrom) return "never";
  const dice = new Dice(seed, `timing ${challengeId} ${moves}`);
  return dice.chance(conduct.mood) ? dice.pick(["prompt", "window", "grace"] as const) : conduct.timing;
}

/** A provider that answers from a run that is not the right one. */
export class LyingProvider implements Agent {
  readonly name = "lying provider";
  readonly isHonest = false;
  readonly account: Address;
  readonly #scene: Scene;
  readonly #run: ClaimedRun;
  readonly #conduct: Conduct;
  readonly #friends: readonly Address[];
  readonly #seed: string;

  /** @param friends challengers that it answers at once */
  constructor(scene: Scene, run: ClaimedRun, conduct: Conduct, friends: readonly Address[], seed: string) {
    this.#scene = scene;
    this.#run = run;
    this.#conduct = conduct;
    this.#friends = friends;
    this.#seed = seed;
    this.account = scene.world.provider.address;
  }

  async offers(): Promise<Offer[]> {
    const { table } = this.#scene;
    const offers = await tidyOffers(this.#scene, this.account);
    if (table.isOver) return offers;
    for (const challenge of table.challenges) {
      if (turnOf(challenge) !== "provider") continue;
      const isFriend = this.#friends.some((friend) => isAddressEqual(friend, challenge.challenger));
      const timing = isFriend ? "prompt" : timingOf(this.#conduct, challenge, this.#seed);
      const at = await timeOf(this.#scene, challenge, timing);
      if (at === undefined) continue;
      const { moves, challengeId } = challenge;
      const dice = new Dice(this.#seed, `garbage ${challengeId} ${moves}`);
      if (dice.chance(this.#conduct.garbage)) {
        offers.push(garbageOffer(this.#scene, this.account, challenge, at, dice));
      }
      const move = await nextMove({ role: "provider", run: this.#run }, challenge.round!);
      if (move !== undefined) {
        const told = await this.#searched(this.#tilted(move), challenge);
        offers.push(moveOffer(this.#scene, this.account, challenge, at, told));
      }
    }
    return offers;
  }

  #tilted(move: Move): Move {
    if (move.name !== "postSums" || this.#conduct.tilt === 0n) return move;
    const sums = unpackSums(move.args[0] as Hex);
    return { ...move, args: [packSums([sums[0]! + this.#conduct.tilt, ...sums.slice(1)])] };
  }

  /** Other state roots in a search than those of the run. */
  async #searched(move: Move, { challengeId, moves, round }: ChallengeRecord): Promise<Move> {
    if (move.name !== "postTrace") return move;
    const own = move.args[0] as readonly Hex[];
    const { right } = this.#scene.open;
    const rightRoots = async () =>
      await right.stateRoots(
        searchedLeaves(round!.position)
          .slice(0, -1)
          .map((leaf) => leaf * right.order.interval),
      );
    const dice = new Dice(this.#seed, `search ${challengeId} ${moves}`);
    switch (this.#conduct.search) {
      case "own":
        return move;
      case "right":
        return { ...move, args: [await rightRoots()] };
      case "half right": {
        const until = dice.int(0, own.length);
        const roots = await rightRoots();
        return { ...move, args: [own.map((root, i) => (i < until ? roots[i]! : root))] };
      }
      case "garbage":
        return { ...move, args: [own.map((root) => (dice.chance(50) ? dice.hash() : root))] };
      case "zeros":
        return { ...move, args: [own.map(() => zeroHash)] };
      case "repeated": {
        const one = dice.pick(own);
        return { ...move, args: [own.map(() => one)] };
      }
    }
  }
}

/** What a challenger that is not honest does with its turns. */
export type Plot =
  /** Names places where nothing is wrong. */
  | { readonly kind: "sham" }
  /** Plays as if another run were right. */
  | { readonly kind: "mistaken"; readonly own: OwnRun }
  /** Plays as an honest one would: to be first. */
  | { readonly kind: "right" }
  /** Lets its time run out. */
  | { readonly kind: "silent" };

export type FalseChallengerOptions = {
  readonly name: string;
  readonly account: Address;
  readonly plot: Plot;
  readonly conduct: Conduct;
  /** The interval that it challenges; undefined: the trace as if its leaves were not known. */
  readonly interval: number | undefined;
  /** When it challenges, seconds after the commitment; "before" and "after": just before or after the honest one. */
  readonly opens: number | "before" | "after";
  /** The run that was committed to. */
  readonly claimed: ToldRun;
  readonly seed: string;
};

/** A challenger that is after something else than the truth: money, time, or the honest side's losses. */
export class FalseChallenger implements Agent {
  readonly isHonest = false;
  readonly name: string;
  readonly account: Address;
  readonly #scene: Scene;
  readonly #options: FalseChallengerOptions;
  readonly #committedAt: number;

  constructor(scene: Scene, options: FalseChallengerOptions) {
    this.#scene = scene;
    this.#options = options;
    this.#committedAt = scene.world.chain.now;
    this.name = options.name;
    this.account = options.account;
  }

  async offers(): Promise<Offer[]> {
    const { table } = this.#scene;
    const own = table.challenges.filter(({ challenger }) => isAddressEqual(challenger, this.account));
    if (own.length === 0) return table.isOver ? [] : await this.#begin();
    const offers = await tidyOffers(this.#scene, this.account);
    if (table.isOver) return offers;
    for (const challenge of own) {
      if (turnOf(challenge) === "challenger") offers.push(...(await this.#move(challenge)));
    }
    return offers;
  }

  async #move(challenge: ChallengeRecord): Promise<Offer[]> {
    const { conduct, seed } = this.#options;
    const { challengeId, moves } = challenge;
    const at = await timeOf(this.#scene, challenge, timingOf(conduct, challenge, seed));
    const move = at === undefined ? undefined : await this.#choose(challenge);
    if (at === undefined || move === undefined) return [];
    const dice = new Dice(seed, `garbage ${challengeId} ${moves}`);
    const offers = dice.chance(conduct.garbage)
      ? [garbageOffer(this.#scene, this.account, challenge, at, dice)]
      : [];
    return [...offers, moveOffer(this.#scene, this.account, challenge, at, move)];
  }

  async #choose(challenge: ChallengeRecord): Promise<Move | undefined> {
    const { challengeId, moves, answers } = challenge;
    const round = challenge.round!;
    const { plot, claimed, seed } = this.#options;
    switch (plot.kind) {
      case "silent":
        return undefined;
      case "sham":
        return await shamMove(claimed, { round, answers }, new Dice(seed, `sham ${challengeId} ${moves}`));
      case "right":
        return await nextMove({ role: "challenger", own: this.#scene.open.right, answers }, round);
      case "mistaken":
        return await nextMove({ role: "challenger", own: plot.own, answers }, round);
    }
  }

  async #begin(): Promise<Offer[]> {
    const { opens, interval, claimed, name } = this.#options;
    const { world, open, table } = this.#scene;
    const { dispute } = await world.contracts.JobRegistry.read.parametersOf([open.jobId]);
    const bond = dispute.challengerBond;
    const { deployment } = world;
    let call = encodeCall(deployment, "DisputeGame", "challengeTrace", [open.jobId], bond);
    if (interval !== undefined) {
      const { before, next } = challengeOf(claimed.publishedLeaves, interval);
      call = encodeCall(
        deployment,
        "DisputeGame",
        "challenge",
        [open.jobId, BigInt(interval), before, next],
        bond,
      );
    }
    const key = `open:${name}`;
    if (typeof opens === "number") return [{ at: this.#committedAt + opens, key, from: this.account, call }];
    const honest = table.challenges.some(({ challenger }) =>
      isAddressEqual(challenger, world.challenger.address),
    );
    // Before: as soon as the honest challenge is seen on its way, 600 seconds after the commitment.
    if (opens === "before") return [{ at: this.#committedAt + 600, key, from: this.account, call }];
    return honest ? [{ at: world.chain.now, key, from: this.account, call }] : [];
  }
}
