/** Names that a challenger gives because it wants to, not because anything is wrong there. */
import { type Hex, zeroHash } from "viem";
import {
  checkpointSteps,
  checkpointsOf,
  descent,
  type Move,
  type Round,
  searchedLeaves,
} from "../../../../keepers/src/training/dispute/moves.ts";
import { levelsDown } from "../../../../keepers/src/training/dispute/nodes.ts";
import type { Story } from "./story.ts";
import { Tree } from "./tree.ts";

/** Names a tensor, or the way to it. */
export function towards(claimed: Story, round: Round, place: number): Move {
  const level = Number(round.position.level);
  const down = levelsDown(level, Number(round.position.leaves));
  if (level === down) return nameTensor(claimed, round, place);
  const { tree } = claimed.list(Number(round.position.firstStep));
  const at = place >> (level - down);
  const number = BigInt(at - (Number(round.position.index) << down));
  return descent("nameChild", number, tree.node(level - down, at), tree.proof(at, level - down, level));
}

/** Names the part of a searched trace that an interval lies in. */
export function searchFor(claimed: Story, { position: p }: Round, interval: number): Move {
  const ends = searchedLeaves(p);
  const number = ends.findIndex((end) => end > interval);
  return nameRoot(
    ends.slice(0, -1).map((leaf) => claimed.traceRootAt(leaf)),
    number,
  );
}

/** Names one of the state roots that were posted in a search, or the leaf behind them. */
export function nameRoot(roots: readonly Hex[], number: number): Move {
  const tree = new Tree(roots);
  const isFirst = number === 0;
  const isBehind = number === roots.length;
  return descent("nameTrace", {
    number: BigInt(number),
    before: isFirst ? zeroHash : roots[number - 1],
    beforeSiblings: isFirst ? [] : tree.proof(number - 1),
    next: isBehind ? zeroHash : roots[number],
    nextSiblings: isBehind ? [] : tree.proof(number),
  });
}

export function nameStep(claimed: Story, { interval, position: p }: Round, number: number): Move {
  const roots = checkpointSteps(Number(p.firstStep), Number(p.steps)).map((end) => claimed.roots[end]!);
  const tree = new Tree(roots);
  return descent("nameStep", {
    number: BigInt(number),
    before: number === 0 ? p.stateBefore : roots[number - 1],
    beforeSiblings: number === 0 ? [] : tree.proof(number - 1),
    next: roots[number],
    nextSiblings: tree.proof(number),
    ...witnessOf(
      claimed,
      Number(interval),
      Number(p.firstStep) + number,
      checkpointsOf(Number(p.steps)).width,
    ),
  });
}

function witnessOf(claimed: Story, interval: number, step: number, width: number) {
  if (width > 1) return { witness: zeroHash, witnessSiblings: [] };
  const witnesses = claimed.witnessesOf(interval);
  const at = step - interval * claimed.job.order.interval;
  return { witness: witnesses[at]!, witnessSiblings: new Tree(witnesses).proof(at) };
}

function nameTensor(claimed: Story, { position: p }: Round, place: number): Move {
  const { job } = claimed;
  const { tree, commitments } = claimed.list(Number(p.firstStep));
  const level = Number(p.level);
  const { tape, node } = job.places[place]!;
  return descent("nameTensor", {
    number: BigInt(place - (Number(p.index) << levelsDown(level, Number(p.leaves)))),
    commitment: commitments[place],
    siblings: tree.proof(place, 0, level),
    descriptor: job.descriptor(tape, node),
    descriptorSiblings: job.descriptorProof(tape, node),
  });
}
