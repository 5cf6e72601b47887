/** The challenger's moves against a claimed story, from its own. */
import { type Hex, toHex } from "viem";
import { candidatesOf, finishOf } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { spaces } from "../../../../keepers/src/core/exact/tape/types.ts";
import { storeNode } from "../../../../keepers/src/training/trace/trace-step.ts";
import { Here } from "./here.ts";
import { checkpoints, type Move, opensAtOnce, type Round, rangesOf, stages } from "./moves.ts";
import type { Story } from "./story.ts";
import { levelsDown, Tree } from "./tree.ts";

/** The challenger's next move against `claimed`, from its own story; undefined when nothing is wrong. */
export function challengerMove(own: Story, claimed: Story, round: Round, sums?: Hex): Move | undefined {
  const { job } = own;
  const { position: p } = round;
  const [level, index] = [Number(p.level), Number(p.index)];
  const step = Number(p.firstStep);
  const descent = (name: string, ...args: unknown[]): Move => ({ book: "descent", name, args });
  const child = (mine: Tree, theirs: Tree): Move | undefined => {
    const number = firstDifference(mine.below(level, index), theirs.below(level, index));
    if (number === undefined) return undefined;
    const down = levelsDown(level, Number(p.leaves));
    const at = (index << down) + number;
    return descent(
      "nameChild",
      BigInt(number),
      theirs.node(level - down, at),
      theirs.proof(at, level - down, level),
    );
  };
  switch (stages[round.stage]) {
    case "TraceName":
      return child(own.trace(), claimed.trace());
    case "Step": {
      const steps = Number(p.steps);
      const { count, width } = checkpoints(steps);
      const ends = Array.from({ length: count }, (_, i) => step + Math.min((i + 1) * width, steps));
      const number = ends.findIndex((end, i) => {
        const from = i === 0 ? step : ends[i - 1]!;
        const isWitness = Array.from({ length: end - from }, (_, j) => from + j).some(
          (each) => own.witnesses[each] !== claimed.witnesses[each],
        );
        return isWitness || own.roots[end] !== claimed.roots[end];
      });
      if (number < 0) return undefined;
      return nameStep(claimed, round, number);
    }
    case "Node": {
      const place = wrongPlace(own, claimed, step);
      return place === undefined ? undefined : towards(claimed, round, place);
    }
    case "Leaf": {
      const here = new Here(job, round);
      const mine = own.tensors(step)[here.number]!;
      if (mine.exponent !== Number(p.exponent)) return exponentMove(own, claimed, round, here);
      return child(own.dataTree(step, here.number), claimed.dataTree(step, here.number));
    }
    case "Element": {
      const here = new Here(job, round);
      const [mine, theirs] = [own, claimed].map((story) => story.tensors(step)[here.number]!);
      const { geometry } = claimed.committed(step, here.number).tree;
      const { first, count } = geometry.leafElements(index);
      const out = Array.from({ length: count }, (_, i) => first + i).find(
        (element) => mine!.mantissas[element] !== theirs!.mantissas[element],
      );
      if (out === undefined) return undefined;
      const leaf = toHex(claimed.committed(step, here.number).tree.leaf(index));
      return elementMove(own, claimed, here, out, leaf);
    }
    case "Sum": {
      const here = new Here(job, round);
      const out = Number(p.out);
      const ranges = rangesOf(Number(p.from), Number(p.to));
      const number = ranges.findIndex(({ from, to }, i) => here.sum(own, out, from, to) !== sumAt(sums!, i));
      if (number < 0) {
        const leaf = p.claim === 0n ? index : undefined;
        const evidence = here.evidence(claimed, out, { leaf, range: { from: 0, to: 0 } });
        return { book: "range", name: "ruleTotal", args: [evidence, sums] };
      }
      const evidence = here.evidence(claimed, out, { range: ranges[number]! });
      if (!opensAtOnce(evidence)) return { book: "range", name: "narrowSum", args: [sums, BigInt(number)] };
      return { book: "sum", name: "ruleSum", args: [evidence, sums, BigInt(number)] };
    }
    default:
      throw new TypeError(`stage ${round.stage} is not the challenger's`);
  }
}

/** The first wrong tensor of a step, or the STORE whose slot is not in the state. */
function wrongPlace(own: Story, claimed: Story, step: number): number | undefined {
  const { job } = own;
  const place = firstDifference(own.list(step).commitments, claimed.list(step).commitments);
  if (place !== undefined) return place;
  const slot = firstDifference(own.stateTree(step + 1).leaves, claimed.stateTree(step + 1).leaves);
  return slot === undefined ? undefined : job.placeOf(2, storeNode(job.program.tapes[2], spaces.state, slot));
}

/** Names a tensor, or the way to it; as a link where it is a LOAD, or a STORE that is right by itself. */
export function towards(claimed: Story, round: Round, place: number, isLink?: boolean): Move {
  const level = Number(round.position.level);
  const down = levelsDown(level, Number(round.position.leaves));
  if (level === down) {
    const { tape, node } = claimed.job.places[place]!;
    const isStore =
      claimed.job.program.tapes[tape][node]!.opcode === "STORE" && isCopied(claimed, round, place);
    return nameTensor(claimed, round, place, isLink ?? (isStore ? true : undefined));
  }
  const { tree } = claimed.list(Number(round.position.firstStep));
  const at = place >> (level - down);
  const number = BigInt(at - (Number(round.position.index) << down));
  const args = [number, tree.node(level - down, at), tree.proof(at, level - down, level)];
  return { book: "descent", name: "nameChild", args };
}

/** Whether the tensor of a STORE is the one that it copies. */
function isCopied(claimed: Story, round: Round, place: number): boolean {
  const { commitments } = claimed.list(Number(round.position.firstStep));
  const [input] = claimed.job.inputsOf(claimed.job.places[place]!);
  return commitments[input!] === commitments[place];
}

export function sumAt(sums: Hex, i: number): bigint {
  return BigInt.asIntN(64, BigInt(`0x${sums.slice(2 + 16 * i, 18 + 16 * i)}`));
}

function firstDifference(mine: readonly Hex[], theirs: readonly Hex[]): number | undefined {
  const number = theirs.findIndex((node, i) => node !== mine[i]);
  return number < 0 ? undefined : number;
}

export function nameStep(claimed: Story, { position: p }: Round, number: number): Move {
  const [step, steps] = [Number(p.firstStep), Number(p.steps)];
  const { count, width } = checkpoints(steps);
  const roots = Array.from(
    { length: count },
    (_, i) => claimed.roots[step + Math.min((i + 1) * width, steps)]!,
  );
  const tree = new Tree(roots);
  return {
    book: "descent",
    name: "nameStep",
    args: [
      {
        number: BigInt(number),
        before: number === 0 ? p.stateBefore : roots[number - 1],
        beforeSiblings: number === 0 ? [] : tree.proof(number - 1),
        next: roots[number],
        nextSiblings: tree.proof(number),
      },
    ],
  };
}

export function nameTensor(claimed: Story, round: Round, place: number, isLink?: boolean): Move {
  const { job } = claimed;
  const { position: p } = round;
  const { tree, commitments } = claimed.list(Number(p.firstStep));
  const level = Number(p.level);
  const { tape, node } = job.places[place]!;
  const { opcode } = job.program.tapes[tape][node]!;
  return {
    book: "descent",
    name: "nameTensor",
    args: [
      {
        number: BigInt(place - (Number(p.index) << levelsDown(level, Number(p.leaves)))),
        commitment: commitments[place],
        siblings: tree.proof(place, 0, level),
        descriptor: job.descriptor(tape, node),
        descriptorSiblings: job.descriptorProof(tape, node),
        isLink: isLink ?? opcode === "LOAD",
      },
    ],
  };
}

function exponentMove(own: Story, claimed: Story, round: Round, here: Here): Move {
  const mine = own.tensors(here.step)[here.number]!;
  const isTooLarge =
    finishOf(here.node).kind === "requantize" && Number(round.position.exponent) > mine.exponent;
  if (isTooLarge) return { book: "descent", name: "claimTooLarge", args: [here.descriptor] };
  let largest = 0;
  mine.mantissas.forEach((mantissa, i) => {
    if (Math.abs(mantissa) > Math.abs(mine.mantissas[largest]!)) largest = i;
  });
  return elementMove(own, claimed, here, largest);
}

function elementMove(own: Story, claimed: Story, here: Here, out: number, leaf?: Hex): Move {
  const evidence = { ...here.evidence(claimed, out), ...(leaf !== undefined && { leaf }) };
  if (here.node.opcode === "INPUT") {
    return { book: "input", name: "ruleInput", args: [evidence, here.objectEvidence(out)] };
  }
  const terms = here.terms(own);
  if (opensAtOnce(evidence) || candidatesOf(here.node) > 1) {
    return { book: terms > 0 ? "sum" : "element", name: "ruleElement", args: [evidence] };
  }
  return { book: "range", name: "askSums", args: [here.descriptor, BigInt(out)] };
}
