import type { Hex } from "viem";
import { traceLength } from "../../core/exact/commitment.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { noInterval, stageOf } from "../../training/dispute/moves.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";

type TraceSize = Pick<TrainingOrder, "steps" | "interval">;

/**
 * State roots of the leaves of a trace that are known: the result, and what challenges of the job have brought to light.
 *
 * @param result state root of the last leaf
 */
export function knownLeaves(
  { steps, interval }: TraceSize,
  result: Hex,
  challenges: readonly ChallengeRecord[],
): Map<number, Hex> {
  const leaves = new Map<number, Hex>([[traceLength(steps, interval) - 1, result]]);
  for (const challenge of challenges) {
    for (const [leaf, root] of leavesOf(challenge)) leaves.set(leaf, root);
  }
  return leaves;
}

/**
 * Whether a challenger whose last search came upon an interval that is right goes on with another one, and how many it has
 * begun. Each search halves what is left to look at.
 *
 * @param own its challenges of the job
 */
export function searchesOn(
  { steps, interval }: TraceSize,
  own: readonly ChallengeRecord[],
): { readonly isDue: boolean; readonly begun: number } {
  const searches = own.filter((challenge) => challenge.interval === noInterval);
  const isSearching = searches.some(
    ({ round }) => round !== undefined && stageOf(round).startsWith("Trace"),
  );
  const most = Math.ceil(Math.log2(traceLength(steps, interval))) + 1;
  return { isDue: !isSearching && searches.length < most, begun: searches.length };
}

/** State roots of the two leaves around the interval of a challenge, where they are known. */
function leavesOf({ round, answers }: ChallengeRecord): [number, Hex][] {
  const rounds = [...answers.map((answer) => answer.round), ...(round === undefined ? [] : [round])];
  const opened = rounds.find((each) => stageOf(each) === "States");
  if (opened === undefined) return [];
  const { interval, position } = opened;
  return [
    [Number(interval), position.stateBefore],
    [Number(interval) + 1, position.stateAfter],
  ];
}
