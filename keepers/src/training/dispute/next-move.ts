import type { Hex } from "viem";
import { askedIn } from "./asked.ts";
import { challengerMove } from "./challenger-player.ts";
import type { ClaimedRun } from "./claimed-run.ts";
import { type MislabelledSample, mislabelledMove } from "./mislabelled-player.ts";
import { type Move, ownerOf, type Round } from "./moves.ts";
import type { OwnRun } from "./own-run.ts";
import type { Answer } from "./posted.ts";
import { providerMove } from "./provider-player.ts";
import { ClaimedRoundRun, RoundRun } from "./round-run.ts";

/** A side of a dispute, with all that it plays from. */
export type Player =
  | {
      readonly role: "provider";
      readonly run: ClaimedRun;
      /** Of a member of a committee: siblings of its leaf under the root that was signed. */
      readonly signed?: readonly Hex[];
    }
  | {
      readonly role: "challenger";
      readonly own: OwnRun;
      /** The provider's moves in this challenge, in order. */
      readonly answers: readonly Answer[];
      /** Where no trace can lead through: what convicts, whatever was posted. */
      readonly sample?: MislabelledSample;
    };

/**
 * A side's next move in a round; it follows from the chain and the side's own run alone.
 *
 * @returns undefined when it is the other side's turn, the challenge is over, or there is nothing to show
 */
export async function nextMove(player: Player, round: Round): Promise<Move | undefined> {
  if (ownerOf(round) !== player.role) return undefined;
  const run = player.role === "provider" ? player.run : player.own;
  // A step of many micro-batches is not in memory: what the move reads of it has to be known before.
  const asked = askedIn(run.program, run.order.microBatches, round);
  if (player.role === "provider") {
    return await providerMove(new ClaimedRoundRun(player.run, asked), round, player.signed);
  }
  const { answers, sample } = player;
  const own = new RoundRun(player.own, asked);
  if (sample !== undefined) return await mislabelledMove(own, sample, answers, round);
  return await challengerMove(own, answers, round);
}
