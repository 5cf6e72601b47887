/** The provider's moves, from its own story. */
import { type Hex, toHex } from "viem";
import { spaces } from "../../../../keepers/src/core/exact/tape/types.ts";
import { storeNode } from "../../../../keepers/src/training/trace/trace-step.ts";
import { Here } from "./here.ts";
import { checkpoints, type Move, opensAtOnce, packSums, type Round, rangesOf, stages } from "./moves.ts";
import { leafOf, type Story } from "./story.ts";
import { Tree } from "./tree.ts";

const none: Hex = `0x${"00".repeat(32)}`;

/** The two leaves around an interval. */
export function leavesOf(story: Story, interval: number) {
  const trace = story.trace();
  return [interval, interval + 1].map((leaf) => ({
    stateRoot: story.traceRootAt(leaf),
    witnessHash: story.h(leaf),
    siblings: trace.proof(leaf),
  })) as [LeafOpening, LeafOpening];
}
export type LeafOpening = { stateRoot: Hex; witnessHash: Hex; siblings: Hex[] };

/** The provider's move from its story, or undefined where it has none. */
export function providerMove(story: Story, round: Round, tilt: bigint = 0n): Move | undefined {
  const { job } = story;
  const { position: p } = round;
  const interval = Number(round.interval);
  const descent = (name: string, ...args: unknown[]): Move => ({ book: "descent", name, args });
  const [level, index] = [Number(p.level), Number(p.index)];
  const step = Number(p.firstStep);
  const here = (): Here => new Here(job, round);
  switch (stages[round.stage]) {
    case "TraceNodes":
      return descent("postNodes", story.trace().below(level, index));
    case "TraceLeaves":
      return descent("openLeaves", ...leavesOf(story, index - 1));
    case "States": {
      const steps = Number(p.steps);
      const { count, width } = checkpoints(steps);
      const isFirst = steps === job.stepsOf(interval).length;
      return descent("postStates", {
        salt: isFirst ? story.salt(interval) : none,
        witnesses: isFirst ? story.witnessesOf(interval) : [],
        roots: Array.from({ length: count }, (_, i) => story.roots[step + Math.min((i + 1) * width, steps)]!),
      });
    }
    case "Tensors": {
      const { tree } = story.list(step);
      return descent("postTensors", {
        nodes: tree.below(tree.depth, 0),
        witness: story.witnesses[step]!,
        witnessSiblings: new Tree(story.witnessesOf(interval)).proof(step - interval * job.order.interval),
        listSiblings: tree.proof(job.witnessPlace),
      });
    }
    case "TensorNodes":
      return descent("postNodes", story.list(step).tree.below(level, index));
    case "Hashes": {
      const tree = story.dataTree(step, Number(p.place));
      const { exponent } = story.tensors(step)[Number(p.place)]!;
      return descent("postHashes", BigInt(exponent), tree.below(tree.depth, 0));
    }
    case "HashNodes":
      return descent("postNodes", story.dataTree(step, Number(p.place)).below(level, index));
    case "OpenLeaf":
      return descent(
        "postLeaf",
        here().descriptor,
        toHex(story.committed(step, Number(p.place)).tree.leaf(index)),
      );
    case "Link":
      return linkAnswer(story, here());
    case "Sums": {
      const sums = rangesOf(Number(p.from), Number(p.to)).map(({ from, to }) =>
        here().sum(story, Number(p.out), from, to),
      );
      sums[0]! += tilt;
      return { book: "range", name: "postSums", args: [packSums(sums)] };
    }
    case "Witness":
      return witnessAnswer(story, here());
    default:
      throw new TypeError(`stage ${round.stage} is not the provider's`);
  }
}

function linkAnswer(story: Story, { job, node, step, number, descriptor }: Here): Move | undefined {
  if (node.opcode !== "LOAD" && node.opcode !== "STORE") throw new TypeError("no link");
  const { space, slot } = node.attributes;
  const answer = (siblings: Hex[], store: Hex = "0x", storeSiblings: Hex[] = []): Move => ({
    book: "descent",
    name: "answerLink",
    args: [{ descriptor, siblings, store, storeSiblings }],
  });
  if (space === spaces.state) {
    const tree = story.stateTree(node.opcode === "LOAD" ? step : step + 1);
    const isLinked = tree.node(0, slot) === leafOf(story.list(step).commitments[number]!);
    return isLinked ? answer(tree.proof(slot)) : undefined;
  }
  const store = storeNode(job.program.tapes[1], space, slot);
  const { tree, commitments } = story.list(step);
  const place = job.placeOf(1, store);
  if (commitments[place] !== commitments[number]) return undefined;
  return answer(tree.proof(place), job.descriptor(1, store), job.descriptorProof(1, store));
}

function witnessAnswer(story: Story, here: Here): Move | undefined {
  const tensor = story.tensors(here.step)[here.number]!;
  let largest = 0;
  tensor.mantissas.forEach((mantissa, i) => {
    if (Math.abs(mantissa) > Math.abs(tensor.mantissas[largest]!)) largest = i;
  });
  const terms = here.terms(story);
  const evidence = here.evidence(story, largest);
  if (opensAtOnce(evidence))
    return { book: terms > 0 ? "sum" : "element", name: "answerWitness", args: [evidence] };
  const sums = rangesOf(0, terms).map(({ from, to }) => here.sum(story, largest, from, to));
  return {
    book: "range",
    name: "answerWitnessSums",
    args: [here.descriptor, BigInt(largest), packSums(sums)],
  };
}
