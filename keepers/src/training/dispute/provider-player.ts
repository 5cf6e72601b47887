import { bytesToHex, type Hex } from "viem";
import { type IntervalSteps, intervalOf } from "../../core/exact/order.ts";
import { spaces } from "../../core/exact/tape/types.ts";
import { storeNode } from "../trace/trace-step.ts";
import type { ClaimedRun } from "./claimed-run.ts";
import type { ComputedStep } from "./computed-step.ts";
import { OpenNode } from "./evidence.ts";
import { openLeaf, openNeighbours } from "./leaves.ts";
import {
  checkpointSteps,
  descent,
  type Move,
  packSums,
  type Round,
  rangesOf,
  searchedLeaves,
  stageOf,
} from "./moves.ts";
import { levelsDown, nodeOf, nodesBelow, siblingsOf, stateTreeOf } from "./nodes.ts";
import { openNode } from "./program-nodes.ts";

const none: Hex = `0x${"00".repeat(32)}`;

/**
 * The move of whoever claimed a run, from what it committed to; the same whenever it is asked for.
 *
 * @param signed of a member of a committee: siblings of its leaf under the root that was signed
 * @returns undefined when it is not the provider's turn, or when nothing that it has answers: then it has lost
 */
export async function providerMove(
  run: ClaimedRun,
  round: Round,
  signed: readonly Hex[] = [],
): Promise<Move | undefined> {
  const { position: p } = round;
  const [level, index] = [Number(p.level), Number(p.index)];
  const step = Number(p.firstStep);
  const number = Number(p.place);
  switch (stageOf(round)) {
    case "TraceRoots": {
      const leaves = await run.leaves();
      const asked = searchedLeaves(p).slice(0, -1);
      return descent(
        "postTrace",
        asked.map((leaf) => leaves[leaf]!.stateRoot),
      );
    }
    case "TraceLeaves":
      return await openInterval(run, round);
    case "MemberLeaves":
      return await openClaim(run, round, signed);
    case "States":
      return descent(
        "postStates",
        await statesIn(run, Number(round.interval), { firstStep: step, steps: Number(p.steps) }),
      );
    case "Tensors":
      return await tensors(run, round);
    case "TensorNodes":
      return descent("postNodes", nodesBelow((await run.step(step)).list.tree, level, index));
    case "StateNodes":
      return descent("postNodes", nodesBelow(stateTreeOf(await run.slots(step + 1)), level, index));
    case "Hashes": {
      const computed = await run.step(step);
      const tree = computed.data(number);
      const { exponent } = computed.tensors[number]!;
      return descent("postHashes", BigInt(exponent), nodesBelow(tree, tree.depth, 0));
    }
    case "HashNodes":
      return descent("postNodes", nodesBelow((await run.step(step)).data(number), level, index));
    case "OpenLeaf": {
      const computed = await run.step(step);
      const leaf = bytesToHex(computed.tree(number).leaf(index));
      return descent("postLeaf", leaf);
    }
    case "Link":
      return await link(run, await run.step(step), number);
    case "Sums": {
      const node = openedNode(await run.step(step), number);
      const ranges = rangesOf({ from: Number(p.from), to: Number(p.to) });
      const sums = ranges.map((range) => node.sum(Number(p.out), range));
      return { book: "range", name: "postSums", args: [packSums(sums)] };
    }
    case "Witness":
      return witness(openedNode(await run.step(step), number));
    default:
      return undefined;
  }
}

/** A node of the provider's own step: its list is whole. */
function openedNode(step: ComputedStep, number: number): OpenNode {
  return new OpenNode(step, number, (place) => siblingsOf(step.list.tree, place));
}

/** Opens what a search arrived at; there is nothing to open where other roots were posted for the two leaves. */
async function openInterval(run: ClaimedRun, { position: p }: Round): Promise<Move | undefined> {
  const leaves = await run.leaves();
  const interval = Number(p.from);
  const [before, next] = [openLeaf(leaves, interval), openLeaf(leaves, interval + 1)];
  const isLast = interval + 2 === leaves.length;
  if (interval > 0 && before.stateRoot !== p.stateBefore) return undefined;
  if (!isLast && next.stateRoot !== p.stateAfter) return undefined;
  const posted = await statesIn(run, interval, intervalOf(run.order, interval));
  return descent("openInterval", before, next, posted);
}

/** Opens what a member has signed of an interval. */
async function openClaim(run: ClaimedRun, round: Round, signed: readonly Hex[]): Promise<Move> {
  const leaves = await run.leaves();
  const interval = Number(round.interval);
  const { firstStep, steps } = intervalOf(run.order, interval);
  return descent(
    "openClaim",
    ...openNeighbours(leaves, interval),
    signed,
    await run.witnesses(interval),
    await run.stateRoots(checkpointSteps(firstStep, steps)),
  );
}

/** State roots inside some steps of an interval (`PostedStates`). */
async function statesIn(run: ClaimedRun, interval: number, { firstStep, steps }: IntervalSteps) {
  // Narrowed states stand for fewer steps than the interval has; then the witnesses were posted before.
  const isWhole = steps === intervalOf(run.order, interval).steps;
  return {
    salt: isWhole ? run.salt(interval) : none,
    witnesses: isWhole ? await run.witnesses(interval) : [],
    roots: await run.stateRoots(checkpointSteps(firstStep, steps)),
  };
}

async function tensors(run: ClaimedRun, { position: p }: Round): Promise<Move> {
  const computed = await run.step(Number(p.firstStep));
  const { tree } = computed.list;
  const place = computed.numberOf(0, run.program.witness, run.order.microBatches - 1);
  return descent("postTensors", {
    nodes: nodesBelow(tree, tree.depth, 0),
    siblings: siblingsOf(tree, place, 0, tree.depth - levelsDown(tree.depth, tree.leaves)),
  });
}

/** Shows that a LOAD is what its slot holds; there is nothing to show where it is not. */
async function link(run: ClaimedRun, step: ComputedStep, number: number): Promise<Move | undefined> {
  const { program } = run;
  const node = step.node(number);
  if (node.opcode !== "LOAD") return undefined;
  const { space, slot } = node.attributes;
  const { commitments, tree } = step.list;
  const { descriptor } = openNode(program, step.places[number]!);
  const commitment = commitments[number]!;
  if (space === spaces.state) {
    const slots = await run.slots(step.step);
    if (slots[slot] !== commitment) return undefined;
    const siblings = siblingsOf(stateTreeOf(slots), slot);
    return descent("answerLink", { descriptor, siblings, store: "0x", storeSiblings: [] });
  }
  const store = storeNode(program.tapes[1], space, slot);
  const place = step.numberOf(1, store);
  if (nodeOf(tree, 0, place) !== commitment) return undefined;
  const opened = openNode(program, { tape: 1, node: store });
  return descent("answerLink", {
    descriptor,
    siblings: siblingsOf(tree, place),
    store: opened.descriptor,
    storeSiblings: opened.siblings,
  });
}

/** Shows an element that needs the exponent, at once or by its sums. */
async function witness(node: OpenNode): Promise<Move | undefined> {
  const out = await node.neediest();
  if (out === undefined) return undefined;
  const evidence = node.whole(out);
  const { products, descriptor } = node;
  if (evidence !== undefined) {
    return { book: products > 0 ? "sum" : "element", name: "answerWitness", args: [evidence] };
  }
  const sums = rangesOf({ from: 0, to: products }).map((range) => node.sum(out, range));
  return { book: "range", name: "answerWitnessSums", args: [descriptor, BigInt(out), packSums(sums)] };
}
