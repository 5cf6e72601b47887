import { type Hex, hexToBytes } from "viem";
import { BadInputError } from "../../core/errors.ts";
import { intervalOf } from "../../core/exact/order.ts";
import { type UnpackedLeaf, unpackLeaf } from "../../core/exact/packing.ts";
import { spaces } from "../../core/exact/tape/types.ts";
import { storeNode } from "../trace/trace-step.ts";
import { claimedList, Naming, type ReadAnswer } from "./claimed-tree.ts";
import { DisputeHistoryError } from "./errors.ts";
import { type Evidence, OpenNode, withLeaf } from "./evidence.ts";
import {
  checkpointSteps,
  checkpointsOf,
  claims,
  descent,
  type Move,
  type Round,
  rangesOf,
  searchedLeaves,
  stageOf,
  unpackSums,
} from "./moves.ts";
import { namedRoot, siblingsOf, stateTreeOf, treeOf, witnessOpening } from "./nodes.ts";
import { rawPlace } from "./objects.ts";
import type { OwnRun } from "./own-run.ts";
import { type Answer, type Posted, readAnswer } from "./posted.ts";
import { openNode } from "./program-nodes.ts";

const anyRange = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/**
 * The challenger's move, from its own run and from what is on chain: the round, and the provider's answers in this
 * challenge, in order. It keeps nothing, so that a dispute goes on from a cold start with the same moves.
 *
 * @returns undefined when it is not the challenger's turn, or when nothing that was posted is wrong
 * @throws DisputeHistoryError when an answer is missing, or is none that the contract would have taken
 */
export async function challengerMove(
  own: OwnRun,
  answers: readonly Answer[],
  round: Round,
): Promise<Move | undefined> {
  const read = answers.map((answer) => ({ round: answer.round, posted: readAnswer(answer) }));
  switch (stageOf(round)) {
    case "TraceName":
      return await nameTrace(own, read, round);
    case "Step":
      return await nameStep(own, read, round);
    case "Node":
      return await nameTensor(own, read, round);
    case "StateName":
      return await nameSlot(own, read, round);
    case "Leaf":
      return await nameLeaf(own, read, round);
    case "Element":
      return await ruleElement(own, read, round);
    case "Sum":
      return await judgeSums(own, read, round);
    default:
      return undefined;
  }
}

/** The newest answer that is one of these moves. */
export function newest<M extends Posted["move"]>(
  answers: readonly ReadAnswer[],
  ...moves: readonly M[]
): Extract<Posted, { move: M }> {
  const found = answers.findLast(({ posted }) => (moves as readonly string[]).includes(posted.move));
  if (found === undefined) throw new DisputeHistoryError(`The answer ${moves.join(" or ")} is missing.`);
  return found.posted as Extract<Posted, { move: M }>;
}

/** The first posted root that is not the own one; with all of them right it is the leaf behind them, as before. */
async function nameTrace(own: OwnRun, answers: readonly ReadAnswer[], { position: p }: Round): Promise<Move> {
  const { roots } = newest(answers, "postTrace");
  const leaves = searchedLeaves(p);
  let number = 0;
  while (number < roots.length) {
    const [root] = await own.stateRoots([leaves[number]! * own.order.interval]);
    if (root !== roots[number]) break;
    number++;
  }
  return descent("nameTrace", namedRoot(roots, number));
}

async function nameStep(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  { interval, position: p }: Round,
): Promise<Move | undefined> {
  const { firstStep } = intervalOf(own.order, Number(interval));
  const { witnesses, roots } = postedStates(answers);
  const first = Number(p.firstStep);
  const ends = checkpointSteps(first, Number(p.steps));
  const [before, ...mine] = await own.stateRoots([first, ...ends]);
  // From a state that is not the own one, nobody can say what is right.
  if (before !== p.stateBefore) return undefined;
  const seen = await own.witnesses(Number(interval));
  const number = ends.findIndex((end, i) => {
    if (roots[i] !== mine[i]) return true;
    for (let step = i === 0 ? first : ends[i - 1]!; step < end; step++) {
      if (witnesses[step - firstStep] !== seen[step - firstStep]) return true;
    }
    return false;
  });
  return number < 0 ? undefined : namedStep(answers, p, firstStep, number);
}

/** The witnesses of the interval, and the state roots that were posted last. */
function postedStates(answers: readonly ReadAnswer[]) {
  const states = answers.flatMap(({ posted }) => ("witnesses" in posted ? [posted] : []));
  const witnesses = states.find((each) => each.witnesses.length > 0)?.witnesses;
  const roots = states.at(-1)?.roots;
  if (witnesses === undefined || roots === undefined)
    throw new DisputeHistoryError("The states are missing.");
  return { witnesses, roots };
}

/** Names a step, or a checkpoint, among those posted last. */
export function namedStep(
  answers: readonly ReadAnswer[],
  p: Round["position"],
  firstStep: number,
  number: number,
): Move {
  const { witnesses, roots } = postedStates(answers);
  const tree = treeOf(roots);
  const isOne = checkpointsOf(Number(p.steps)).width === 1;
  return descent("nameStep", {
    number: BigInt(number),
    before: number === 0 ? p.stateBefore : roots[number - 1],
    beforeSiblings: number === 0 ? [] : siblingsOf(tree, number - 1),
    next: roots[number],
    nextSiblings: siblingsOf(tree, number),
    ...witnessOpening(witnesses, Number(p.firstStep) + number - firstStep, isOne),
  });
}

async function nameTensor(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  round: Round,
): Promise<Move | undefined> {
  const step = await own.step(Number(round.position.firstStep));
  const naming = new Naming(round, newest(answers, "postTensors", "postNodes").nodes);
  const number = naming.firstDifference(step.list.tree);
  if (number === undefined) {
    // With all tensors right it is the state after the step that is not what was stored.
    const [after] = await own.stateRoots([step.step + 1]);
    return after === round.position.stateAfter ? undefined : descent("nameState");
  }
  if (naming.lower > 0) return descent("nameChild", ...naming.child(number));
  return namedTensor(own, naming, number, step.places[naming.first + number]!);
}

/** Names a tensor among those posted last. */
export function namedTensor(
  { program }: Pick<OwnRun, "program">,
  naming: Naming,
  number: number,
  place: { readonly tape: number; readonly node: number },
): Move {
  const { descriptor, siblings } = openNode(program, place);
  return descent("nameTensor", {
    number: BigInt(number),
    commitment: naming.nodes[number],
    siblings: naming.siblings(number),
    descriptor,
    descriptorSiblings: siblings,
  });
}

/** The first slot of the state after the step that does not hold what was stored; the list was found to be right. */
async function nameSlot(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  round: Round,
): Promise<Move | undefined> {
  const step = await own.step(Number(round.position.firstStep));
  const naming = new Naming(round, newest(answers, "postNodes").nodes);
  const number = naming.firstDifference(stateTreeOf(await own.slots(step.step + 1)));
  if (number === undefined) return undefined;
  if (naming.lower > 0) return descent("nameChild", ...naming.child(number));
  const node = storeNode(own.program.tapes[2], spaces.state, naming.first + number);
  const place = step.numberOf(2, node);
  const { commitments, tree } = step.list;
  const { descriptor, siblings } = openNode(own.program, { tape: 2, node });
  return descent("ruleSlot", {
    number: BigInt(number),
    leaf: naming.nodes[number],
    siblings: naming.siblings(number),
    store: descriptor,
    storeSiblings: siblings,
    commitment: commitments[place],
    listSiblings: siblingsOf(tree, place),
  });
}

/** The own node that a round is about; operands are proved in the list that the provider posted. */
async function nodeOfRound(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  { position: p }: Round,
): Promise<OpenNode> {
  const step = await own.step(Number(p.firstStep));
  const { tree } = step.list;
  const list = claimedList(answers, tree);
  return new OpenNode(step, Number(p.place), (place) => list.siblings(place, 0, tree.depth));
}

async function nameLeaf(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  round: Round,
): Promise<Move | undefined> {
  const node = await nodeOfRound(own, answers, round);
  if (node.tensor.exponent !== Number(round.position.exponent)) return await ruleExponent(own, node, round);
  const naming = new Naming(round, newest(answers, "postHashes", "postNodes").nodes);
  const number = naming.firstDifference(node.step.data(node.number));
  return number === undefined ? undefined : descent("nameChild", ...naming.child(number));
}

async function ruleExponent(own: OwnRun, node: OpenNode, { position: p }: Round): Promise<Move | undefined> {
  if (node.isRequantized && Number(p.exponent) > node.tensor.exponent) {
    return descent("claimTooLarge", node.descriptor);
  }
  // What needs the right exponent does not fit a smaller one; any other finish has one exponent alone.
  return await ruling(own, node, node.isRequantized ? ((await node.neediest()) ?? 0) : 0);
}

async function ruleElement(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  round: Round,
): Promise<Move | undefined> {
  const node = await nodeOfRound(own, answers, round);
  const { leaf } = newest(answers, "postLeaf");
  const { layout, mantissas } = node.tensor;
  let posted: UnpackedLeaf;
  try {
    posted = unpackLeaf(layout, Number(round.position.index), hexToBytes(leaf), anyRange);
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return descent("ruleLeaf", node.descriptor, leaf);
  }
  const wrong = posted.mantissas.findIndex((mantissa, i) => mantissa !== mantissas[posted.first + i]);
  return wrong < 0 ? undefined : await ruling(own, node, posted.first + wrong, leaf);
}

/** Rules on an element, or asks for its sums where it does not open at once. */
async function ruling(own: OwnRun, node: OpenNode, out: number, leaf: Hex = "0x"): Promise<Move> {
  const whole = node.whole(out);
  if (whole === undefined) {
    return { book: "range", name: "askSums", args: [node.descriptor, BigInt(out)] };
  }
  const evidence = withLeaf(whole, leaf);
  const each = node.node;
  if (each.opcode !== "INPUT") {
    return { book: node.products > 0 ? "sum" : "element", name: "ruleElement", args: [evidence] };
  }
  const { microBatch } = node.step.places[node.number]!;
  const object = await own.object({ step: node.step.step, microBatch, ...rawPlace(each, out) });
  return { book: "input", name: "ruleInput", args: [evidence, object] };
}

async function judgeSums(
  own: OwnRun,
  answers: readonly ReadAnswer[],
  round: Round,
): Promise<Move | undefined> {
  const { position: p } = round;
  const node = await nodeOfRound(own, answers, round);
  const { sums } = newest(answers, "postSums", "answerWitnessSums");
  const posted = unpackSums(sums);
  const out = Number(p.out);
  const ranges = rangesOf({ from: Number(p.from), to: Number(p.to) });
  const number = ranges.findIndex((range, i) => node.sum(out, range) !== posted[i]);
  if (number < 0) {
    // Only the first sums stand for the whole element.
    if (Number(p.to) - Number(p.from) !== node.products) return undefined;
    const leaf = p.claim === claims.mantissa ? newest(answers, "postLeaf").leaf : "0x";
    return { book: "range", name: "ruleTotal", args: [withLeaf(node.rest(out), leaf), sums] };
  }
  const evidence: Evidence | undefined = node.range(out, ranges[number]!);
  if (evidence === undefined) return { book: "range", name: "narrowSum", args: [sums, BigInt(number)] };
  return { book: "sum", name: "ruleSum", args: [evidence, sums, BigInt(number)] };
}
