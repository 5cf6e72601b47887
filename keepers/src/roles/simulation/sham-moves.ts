import { intervalOf } from "../../core/exact/order.ts";
import type { BinaryTree } from "../../core/merkle/binary-tree.ts";
import type { ClaimedRun } from "../../training/dispute/claimed-run.ts";
import { OpenNode, withLeaf } from "../../training/dispute/evidence.ts";
import {
  checkpointSteps,
  checkpointsOf,
  descent,
  type Move,
  packSums,
  type Round,
  rangesOf,
  stageOf,
} from "../../training/dispute/moves.ts";
import {
  levelsDown,
  namedRoot,
  nodeOf,
  nodesBelow,
  siblingsOf,
  stateTreeOf,
  treeOf,
  witnessOpening,
} from "../../training/dispute/nodes.ts";
import { rawPlace } from "../../training/dispute/objects.ts";
import { type Posted, readAnswer } from "../../training/dispute/posted.ts";
import { openNode } from "../../training/dispute/program-nodes.ts";
import type { ChallengeRecord } from "../jobs/challenge-record.ts";
import type { Dice } from "./dice.ts";

/**
 * A challenger's move that the game takes although nothing is wrong where it points: for who wants time, money or trouble.
 *
 * @param claimed the provider's run: whoever follows the chain and computes knows it
 */
export async function shamMove(
  claimed: ClaimedRun,
  { round, answers }: Pick<Required<ChallengeRecord>, "round" | "answers">,
  dice: Dice,
): Promise<Move | undefined> {
  const { position: p } = round;
  const step = Number(p.firstStep);
  switch (stageOf(round)) {
    case "TraceName":
      return anyRoot(readAnswer(answers.at(-1)!), dice);
    case "Step":
      return await anyStep(claimed, round, dice);
    case "Node":
      return await anyTensor(claimed, round, dice);
    case "StateName":
      return await anySlot(claimed, round, dice);
    case "Leaf":
      return await anyLeaf(claimed, round, dice);
    case "Element":
      return await anyElement(claimed, round, dice);
    case "Sum": {
      const node = await nodeOfRound(claimed, round);
      const ranges = rangesOf({ from: Number(p.from), to: Number(p.to) });
      const sums = packSums(ranges.map((range) => node.sum(Number(p.out), range)));
      const number = dice.int(0, ranges.length - 1);
      const evidence = dice.chance(60) ? node.range(Number(p.out), ranges[number]!) : undefined;
      if (evidence === undefined) return { book: "range", name: "narrowSum", args: [sums, BigInt(number)] };
      return { book: "sum", name: "ruleSum", args: [evidence, sums, BigInt(number)] };
    }
    default:
      throw new TypeError(`${stageOf(round)} of step ${step} is no challenger's turn`);
  }
}

/** Any of the roots that were posted last, whatever the provider's run has there, or the leaf behind them. */
function anyRoot(posted: Posted, dice: Dice): Move {
  const roots = "roots" in posted ? posted.roots : [];
  return descent("nameTrace", namedRoot(roots, dice.int(0, roots.length)));
}

async function anyStep(claimed: ClaimedRun, round: Round, dice: Dice): Promise<Move> {
  const { interval, position: p } = round;
  const ends = checkpointSteps(Number(p.firstStep), Number(p.steps));
  const roots = await claimed.stateRoots(ends);
  const tree = treeOf(roots);
  const number = dice.int(0, ends.length - 1);
  return descent("nameStep", {
    number: BigInt(number),
    before: number === 0 ? p.stateBefore : roots[number - 1],
    beforeSiblings: number === 0 ? [] : siblingsOf(tree, number - 1),
    next: roots[number],
    nextSiblings: siblingsOf(tree, number),
    ...witnessOpening(
      await claimed.witnesses(Number(interval)),
      Number(p.firstStep) + number - intervalOf(claimed.order, Number(interval)).firstStep,
      checkpointsOf(Number(p.steps)).width === 1,
    ),
  });
}

async function anyTensor(claimed: ClaimedRun, round: Round, dice: Dice): Promise<Move> {
  if (dice.chance(10)) return descent("nameState");
  const { position: p } = round;
  const computed = await claimed.step(Number(p.firstStep));
  const { tree, commitments } = computed.list;
  const [level, leaves] = [Number(p.level), Number(p.leaves)];
  const down = levelsDown(level, leaves);
  if (level > down) return childOf(tree, round, dice);
  const first = Number(p.index) << down;
  const number = dice.int(0, Math.min(2 ** down, leaves - first) - 1);
  const place = first + number;
  const { descriptor, siblings } = openNode(claimed.program, computed.places[place]!);
  return descent("nameTensor", {
    number: BigInt(number),
    commitment: commitments[place],
    siblings: siblingsOf(tree, place, 0, level),
    descriptor,
    descriptorSiblings: siblings,
  });
}

async function anySlot(claimed: ClaimedRun, round: Round, dice: Dice): Promise<Move> {
  const slots = await claimed.slots(Number(round.position.firstStep) + 1);
  return childOf(stateTreeOf(slots), round, dice);
}

async function anyLeaf(claimed: ClaimedRun, round: Round, dice: Dice): Promise<Move | undefined> {
  const node = await nodeOfRound(claimed, round);
  if (dice.chance(15) && node.isRequantized) return descent("claimTooLarge", node.descriptor);
  if (dice.chance(15) && node.isNarrowed) {
    const out = dice.int(0, node.tensor.mantissas.length - 1);
    return { book: "range", name: "askSums", args: [node.descriptor, BigInt(out)] };
  }
  if (dice.chance(10)) return await anyElement(claimed, round, dice);
  return childOf(node.step.data(node.number), round, dice);
}

async function anyElement(claimed: ClaimedRun, round: Round, dice: Dice): Promise<Move | undefined> {
  const node = await nodeOfRound(claimed, round);
  const out = dice.int(0, node.tensor.mantissas.length - 1);
  const whole = node.isNarrowed && dice.chance(30) ? undefined : node.whole(out);
  if (whole === undefined) return { book: "range", name: "askSums", args: [node.descriptor, BigInt(out)] };
  const leaf = node.step.tree(node.number).leaf(Number(round.position.index));
  const evidence = withLeaf(whole, stageOf(round) === "Element" ? leaf : "0x");
  const each = node.node;
  if (each.opcode !== "INPUT") {
    return { book: node.products > 0 ? "sum" : "element", name: "ruleElement", args: [evidence] };
  }
  const { microBatch } = node.step.places[node.number]!;
  const object = await claimed.object({ step: node.step.step, microBatch, ...rawPlace(each, out) });
  return { book: "input", name: "ruleInput", args: [evidence, object] };
}

async function nodeOfRound(claimed: ClaimedRun, { position: p }: Round): Promise<OpenNode> {
  const step = await claimed.step(Number(p.firstStep));
  return new OpenNode(step, Number(p.place), (place) => siblingsOf(step.list.tree, place));
}

/** Names any node below the one that the round is about. */
function childOf(tree: BinaryTree, { position: p }: Round, dice: Dice): Move {
  const [level, index] = [Number(p.level), Number(p.index)];
  const count = nodesBelow(tree, level, index).length;
  const lower = level - levelsDown(level, tree.leaves);
  const number = dice.int(0, count - 1);
  const at = index * 2 ** (level - lower) + number;
  return descent("nameChild", BigInt(number), nodeOf(tree, lower, at), siblingsOf(tree, at, lower, level));
}
