import type { Address, Hex } from "viem";
import { type Call, encodeCall } from "../../chain/contracts.ts";
import { books, encodeMove, type Move } from "../../training/dispute/moves.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";
import { dueInDispute } from "../jobs/dispute-duty.ts";
import type { Dice } from "./dice.ts";
import type { Table } from "./table.ts";
import type { OpenJob, World } from "./world.ts";

/** Something that an agent would do next, at a time that it chooses. */
export type Offer = {
  /** Seconds since 1970; what is past is done at once. */
  readonly at: number;
  /** Names what is done; what was tried is not tried again. */
  readonly key: string;
  readonly from: Address;
  readonly call: Call;
};

/** Whatever acts in a simulation. */
export interface Agent {
  readonly name: string;
  readonly account: Address;
  readonly isHonest: boolean;
  /** What it would do next, as things stand. */
  offers(): Promise<readonly Offer[]>;
}

/** What agents see: the chain, and one job on it. */
export type Scene = {
  readonly world: World;
  readonly table: Table;
  readonly open: OpenJob;
  /** Seconds since 1970 until when challenges are taken; known once the job is committed. */
  challengeUntil: number;
};

/** When a party moves: at once, in the last second of its turn, in the last second of the grace, or never again. */
export type Timing = "prompt" | "window" | "grace" | "never";

/** Seconds that it takes to see a block and to answer it. */
const latency = 12;

/** When a move is made that is due in a challenge; undefined when not, or not before somebody calls the timeout. */
export async function timeOf(
  { world, table }: Scene,
  { challengeId, graceEnds }: ChallengeRecord,
  timing: Timing,
): Promise<number | undefined> {
  if (timing === "never") return undefined;
  if (timing === "prompt") return world.chain.now + latency;
  if (graceEnds !== undefined) return Number(graceEnds);
  return timing === "window" ? Number(await table.deadlineOf(challengeId)) : undefined;
}

/** The offer to make a move. */
export function moveOffer(
  { world }: Scene,
  from: Address,
  { challengeId, moves, round }: ChallengeRecord,
  at: number,
  move: Move,
): Offer {
  const args = [challengeId, books[move.book], encodeMove(round!, move)] as const;
  return {
    at,
    key: `play:${challengeId}:${moves}:${move.name}`,
    from,
    call: encodeCall(world.deployment, "DisputeGame", "play", args),
  };
}

/** A move that nobody can read. */
export function garbageOffer(
  { world }: Scene,
  from: Address,
  { challengeId, moves, round }: ChallengeRecord,
  at: number,
  dice: Dice,
): Offer {
  const right = encodeMove(round!, { book: "descent", name: "nameState", args: [] });
  const data: Hex = dice.chance(50) ? `0x${dice.hash().slice(2)}` : `${right}${dice.hash().slice(2)}`;
  const args = [challengeId, dice.int(0, 4), data] as const;
  return {
    at,
    key: `garbage:${challengeId}:${moves}`,
    from,
    call: encodeCall(world.deployment, "DisputeGame", "play", args),
  };
}

/**
 * What an account can do about the challenges of the job besides moving in them, and about the end that was reported, by the
 * keepers' rules.
 */
export async function tidyOffers(
  { world, table }: Scene,
  account: Address,
  isForAll = false,
): Promise<Offer[]> {
  const offers: Offer[] = [];
  const { now } = world.chain;
  for (const challenge of table.challenges) {
    const { challengeId, moves } = challenge;
    const due = await dueInDispute(challenge, {
      isOver: table.isOver,
      account,
      isForAll,
      deadline: () => table.deadlineOf(challengeId),
    });
    if (due === undefined) continue;
    offers.push({
      at: Math.max(now + latency, Number(due.from)),
      key: `${due.call}:${challengeId}:${due.call === "settle" ? "" : moves}`,
      from: account,
      call: encodeCall(world.deployment, "DisputeGame", due.call, [challengeId]),
    });
  }
  if (table.isOwed && (isForAll || table.hasConvicted(account))) {
    offers.push({
      at: now + latency,
      key: `settle:${table.jobId}`,
      from: account,
      call: encodeCall(world.deployment, "JobRegistry", "settle", [table.jobId]),
    });
  }
  return offers;
}
