import type { Hex } from "viem";
import type { Position, Round, TrainingClaim } from "../../../../keepers/src/training/dispute/moves.ts";
import type { Answer } from "../../../../keepers/src/training/dispute/posted.ts";

/** Events of one challenge, decoded (`IDisputeGame`). */
export type DisputeEvent =
  | { readonly name: "Challenged"; readonly claim: TrainingClaim }
  | {
      readonly name: "Moved";
      readonly stage: number;
      readonly interval: bigint;
      readonly position: Position;
    }
  | { readonly name: "Posted"; readonly selector: Hex; readonly arguments: Hex };

/** How a challenge stands, and what the provider answered so far. */
export type DisputeHistory = { readonly round: Round; readonly answers: readonly Answer[] };

/** Puts together what the players need from the events of one challenge, in the order of the chain. */
export function historyOf(events: readonly DisputeEvent[]): DisputeHistory {
  let claim: TrainingClaim | undefined;
  let round: Round | undefined;
  const answers: Answer[] = [];
  for (const event of events) {
    if (event.name === "Challenged") {
      claim = event.claim;
    } else if (event.name === "Moved") {
      if (claim === undefined) throw new TypeError("The challenge does not begin with its claim.");
      const { stage, interval, position } = event;
      round = { stage, interval, position, claim };
    } else {
      if (round === undefined) throw new TypeError("An answer comes before its round.");
      answers.push({ round, selector: event.selector, arguments: event.arguments });
    }
  }
  if (round === undefined) throw new TypeError("The challenge has no round.");
  return { round, answers };
}
