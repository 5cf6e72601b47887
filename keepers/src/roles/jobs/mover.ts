import { books, encodeMove } from "../../training/dispute/moves.ts";
import { nextMove, type Player } from "../../training/dispute/next-move.ts";
import { tryCall } from "../storage-node/context.ts";
import type { ChallengeRecord } from "./challenge-record.ts";
import type { JobContext } from "./duty.ts";
import type { InTurn } from "./shortest-first.ts";

/**
 * Makes a side's next move in a challenge, once for each round. Says whether there was one to make.
 *
 * @param inTurn computes the move when it is its turn, at once by default; the move is sent outside of the turn
 * @throws what computing the move throws
 */
export async function makeMove(
  context: JobContext,
  challenge: ChallengeRecord,
  player: Player,
  inTurn: InTurn = (part) => part(),
): Promise<boolean> {
  const { game, challengeId, round, moves } = challenge;
  const move = await inTurn(() => nextMove(player, round!));
  if (move === undefined) return false;
  // A move that is under way or was made stays the one of its round, whatever is computed later.
  const key = `${game === "DisputeGame" ? "play" : "play-member"}:${challengeId}:${moves}`;
  const facts = { challengeId, move: move.name, role: player.role };
  const args = [challengeId, books[move.book], encodeMove(round!, move)] as const;
  if (await tryCall(context, key, game, "play", args)) context.log.info(facts, "moved");
  else context.log.warn(facts, "the game refused a move: the challenge may have ended in the meantime");
  return true;
}
