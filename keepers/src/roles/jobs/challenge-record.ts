import type { Address } from "viem";
import type { ContractEvent } from "../../chain/contracts.ts";
import { claimNameOf } from "../../core/market/instalments.ts";
import { ownerOf, type Role, type Round, type TrainingClaim } from "../../training/dispute/moves.ts";
import type { Answer } from "../../training/dispute/posted.ts";

/** The games that disputes are played in: over what a provider computed, and over what a member of a committee signed. */
export type GameName = "DisputeGame" | "MemberGame";

type EventOf<G extends GameName> =
  ContractEvent<G> extends infer E
    ? E extends { eventName: infer F extends string; args: infer A }
      ? { readonly name: `${G}.${F}`; readonly args: A }
      : never
    : never;

/** An event of a challenge, as the ledger keeps it. */
export type DisputeEvent = EventOf<"DisputeGame">;
/** An event of an accusation, as the ledger keeps it. */
export type AccusationEvent = EventOf<"MemberGame">;

/** A challenge, from its events. */
export type ChallengeRecord = {
  readonly game: GameName;
  readonly challengeId: bigint;
  readonly jobId: bigint;
  /** The commitment that was challenged: a checkpoint's number, or 0 for the last one. */
  readonly checkpoint: number;
  readonly challenger: Address;
  readonly claim: TrainingClaim;
  /** The interval that was challenged; the largest uint32 when it was the whole trace. */
  readonly interval: bigint;
  /** What is due, as the last event gave it. */
  round: Round | undefined;
  /** Moves made. */
  moves: number;
  /** What the provider posted, oldest first. */
  readonly answers: Answer[];
  /** Until when the late party may still move, once its timeout was called. */
  graceEnds: bigint | undefined;
  /** How it ended; a challenge of a job that is over is open until it is settled. */
  outcome: "lost" | "convicted" | undefined;
  isSettled: boolean;
};

/** An accusation of a member of a committee, from its events: its number is the challenge's, its accuser the challenger. */
export type AccusationRecord = ChallengeRecord & {
  readonly game: "MemberGame";
  readonly attempt: bigint;
  readonly position: number;
  /** The member was slashed. */
  isPunished: boolean;
};

/** Whose turn it is; undefined when nobody is to move. */
export function turnOf({ round, outcome, isSettled }: ChallengeRecord): Role | undefined {
  return outcome !== undefined || isSettled || round === undefined ? undefined : ownerOf(round);
}

/** What the events of one challenge come to, in their order; undefined without the one that opens it. */
export function foldChallenge(events: readonly DisputeEvent[]): ChallengeRecord | undefined {
  const opened = events.find((event) => event.name === "DisputeGame.Challenged");
  if (opened === undefined) return undefined;
  const { challengeId, challenger, claim, interval } = opened.args;
  const challenge: ChallengeRecord = {
    game: "DisputeGame",
    challengeId,
    ...claimNameOf(opened.args.jobId),
    challenger,
    claim,
    interval,
    ...unmoved(),
  };
  for (const event of events) apply(challenge, event);
  return challenge;
}

/** What the events of one accusation come to, in their order; undefined without the one that opens it. */
export function foldAccusation(events: readonly AccusationEvent[]): AccusationRecord | undefined {
  const opened = events.find((event) => event.name === "MemberGame.Accused");
  if (opened === undefined) return undefined;
  const { accusationId, jobId, accuser, attempt, position, interval, claim } = opened.args;
  const accusation: AccusationRecord = {
    game: "MemberGame",
    challengeId: accusationId,
    jobId,
    checkpoint: 0,
    challenger: accuser,
    claim,
    interval,
    attempt,
    position: Number(position),
    isPunished: false,
    ...unmoved(),
  };
  for (const event of events) {
    if (event.name === "MemberGame.MemberPunished") accusation.isPunished = true;
    apply(accusation, event);
  }
  return accusation;
}

/** A dispute in which nobody has moved. */
function unmoved() {
  return {
    round: undefined,
    moves: 0,
    answers: [],
    graceEnds: undefined,
    outcome: undefined,
    isSettled: false,
  };
}

function apply(challenge: ChallengeRecord, event: DisputeEvent | AccusationEvent): void {
  switch (event.name) {
    case "MemberGame.Moved":
    case "DisputeGame.Moved": {
      const { stage, interval, position } = event.args;
      challenge.round = { stage, interval, position, claim: challenge.claim };
      challenge.moves++;
      challenge.graceEnds = undefined;
      return;
    }
    case "MemberGame.Posted":
    case "DisputeGame.Posted": {
      // The contract takes a move for the round that the event before it gave, and emits the next one behind it.
      const { selector, arguments: rest } = event.args;
      challenge.answers.push({ round: challenge.round!, selector, arguments: rest });
      return;
    }
    case "MemberGame.TimeoutCalled":
    case "DisputeGame.TimeoutCalled":
      challenge.graceEnds = event.args.graceEnds;
      return;
    case "MemberGame.AccusationLost":
    case "DisputeGame.ChallengeLost":
      challenge.outcome = "lost";
      return;
    case "MemberGame.MemberConvicted":
    case "DisputeGame.ProviderConvicted":
      challenge.outcome = "convicted";
      return;
    case "MemberGame.AccusationSettled":
    case "DisputeGame.ChallengeSettled":
      challenge.isSettled = true;
      return;
  }
}
