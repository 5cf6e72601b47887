/** Both sides of a dispute, each with its own story, as encoded moves. */
import { type Abi, concatHex, encodeFunctionData, type Hex, numberToHex, toHex } from "viem";
import {
  candidatesOf,
  elementOf,
  finishOf,
  partialSum,
  termsOf,
} from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { readerOf } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import type { OperationContext, TensorReader } from "../../../../keepers/src/core/exact/ops/types.ts";
import { spaces, type TapeNode, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { storeNode } from "../../../../keepers/src/training/trace/trace-step.ts";
import { type Job, leafOf, type Story } from "./story.ts";
import { levelsDown, Tree } from "./tree.ts";

/** Codes of `Stage`. */
export const stages = [
  "None",
  "States",
  "Step",
  "Tensors",
  "TensorNodes",
  "Node",
  "Hashes",
  "HashNodes",
  "Leaf",
  "OpenLeaf",
  "Element",
  "Sums",
  "Sum",
  "Witness",
  "Link",
  "TraceNodes",
  "TraceName",
  "TraceLeaves",
  "Closed",
] as const;
export type StageName = (typeof stages)[number];

export const providerStages: ReadonlySet<StageName> = new Set<StageName>([
  "States",
  "Tensors",
  "TensorNodes",
  "Hashes",
  "HashNodes",
  "OpenLeaf",
  "Sums",
  "Witness",
  "Link",
  "TraceNodes",
  "TraceLeaves",
]);

/** The round as the game emits it. */
export type Round = {
  stage: number;
  interval: bigint;
  position: {
    stateBefore: Hex;
    stateAfter: Hex;
    firstStep: bigint;
    steps: bigint;
    place: bigint;
    level: bigint;
    index: bigint;
    leaves: bigint;
    exponent: bigint;
    claim: bigint;
    out: bigint;
    from: bigint;
    to: bigint;
    total: bigint;
    sums: Hex;
  };
};

/** Codes of `RuleBook`. */
export const books = { descent: 0, element: 1, sum: 2, range: 3, input: 4 } as const;
export type Book = keyof typeof books;
export type Move = { readonly book: Book; readonly name: string; readonly args: readonly unknown[] };

export type Abis = { readonly [B in Book]: Abi };

export const encodeMove = (abis: Abis, round: Round, { book, name, args }: Move): Hex =>
  encodeFunctionData({ abi: abis[book], functionName: name, args: [round, ...args] });

const none: Hex = `0x${"00".repeat(32)}`;
const emptyEvidence = {
  descriptor: "0x" as Hex,
  out: 0n,
  leaf: "0x" as Hex,
  operands: "0x" as Hex,
  proofs: [] as Hex[][],
  store: "0x" as Hex,
  storeProof: [] as Hex[],
  order: "0x" as Hex,
};
export type Evidence = typeof emptyEvidence;

/** Steps of one round of state roots. */
function checkpoints(steps: number): { count: number; width: number } {
  const width = Math.ceil(steps / 32);
  return { count: Math.ceil(steps / width), width };
}

export function rangesOf(from: number, to: number): { from: number; to: number }[] {
  const width = Math.ceil((to - from) / 64);
  return Array.from({ length: Math.ceil((to - from) / width) }, (_, i) => ({
    from: from + i * width,
    to: Math.min(from + (i + 1) * width, to),
  }));
}

const packSums = (sums: readonly bigint[]): Hex =>
  concatHex(sums.map((sum) => numberToHex(sum, { size: 8, signed: true })));

/** A reader that notes which elements were asked for. */
class Noting implements TensorReader {
  readonly layout: Tensor["layout"];
  readonly exponent: number;
  readonly elements = new Set<number>();
  readonly #reader: TensorReader;
  constructor(tensor: Tensor) {
    this.layout = tensor.layout;
    this.exponent = tensor.exponent;
    this.#reader = readerOf(tensor);
  }
  readonly at = (index: number): number => {
    this.elements.add(index);
    return this.#reader.at(index);
  };
}

/** What the round says about its node. */
export class Here {
  readonly job: Job;
  readonly step: number;
  readonly number: number;
  readonly place: Job["places"][number];
  readonly node: TapeNode;

  constructor(job: Job, round: Round) {
    this.job = job;
    this.step = Number(round.position.firstStep);
    this.number = Number(round.position.place);
    this.place = job.places[this.number]!;
    this.node = job.program.tapes[this.place.tape][this.place.node]!;
  }

  get descriptor(): Hex {
    return this.job.descriptor(this.place.tape, this.place.node);
  }

  get descriptorProof(): Hex[] {
    return this.job.descriptorProof(this.place.tape, this.place.node);
  }

  context(story: Story): OperationContext {
    return this.job.contextOf(this.step, this.place, story.states[this.step]!, story.tensors(this.step));
  }

  inputs(story: Story): Tensor[] {
    return this.job.inputsOf(this.place).map((input) => story.tensors(this.step)[input]!);
  }

  terms(story: Story): number {
    const terms = termsOf(this.context(story), this.node, this.inputs(story).map(readerOf));
    return this.node.opcode === "ACCUMULATE" ? this.job.order.microBatches : terms;
  }

  sum(story: Story, out: number, from: number, to: number): bigint {
    return partialSum(this.context(story), this.node, this.inputs(story).map(readerOf), out, 0, from, to);
  }

  /** Evidence on one element: of all its products, of a range of them, or of what is not summed. */
  evidence(
    story: Story,
    out: number,
    more: { leaf?: number; range?: { from: number; to: number } } = {},
  ): Evidence {
    const { job, step, node, place } = this;
    const inputs = this.inputs(story).map((tensor) => new Noting(tensor));
    const context = this.context(story);
    const stored =
      node.opcode === "ACCUMULATE"
        ? storeNode(job.program.tapes[0], spaces.microBatchGradient, node.attributes.slot)
        : undefined;
    const { range } = more;
    if (range === undefined) elementOf(context, node, inputs, out);
    else if (range.from < range.to) partialSum(context, node, inputs, out, 0, range.from, range.to);
    else this.#noteRest(inputs, out);
    let places = job.inputsOf(place);
    let elements = inputs.map((input) => input.elements);
    if (stored !== undefined) {
      const { from, to } = range ?? { from: 0, to: job.order.microBatches };
      places = Array.from({ length: to - from }, (_, i) => job.placeOf(0, stored, from + i));
      elements = places.map(() => new Set([out]));
    }
    const { tree } = story.list(step);
    return {
      ...emptyEvidence,
      descriptor: this.descriptor,
      out: BigInt(out),
      ...(more.leaf !== undefined && {
        leaf: toHex(story.committed(step, this.number).tree.leaf(more.leaf)),
      }),
      operands: concatHex(places.map((input, i) => story.committed(step, input).open(elements[i]!))),
      proofs: places.map((input) => tree.proof(input)),
      ...(stored !== undefined && {
        store: job.descriptor(0, stored),
        storeProof: job.descriptorProof(0, stored),
      }),
      ...((node.opcode === "SGD_WEIGHT" || node.opcode === "INPUT") && { order: job.encodedOrder }),
    };
  }

  /** Bias and gate: what an element needs besides its sum. */
  #noteRest(inputs: readonly Noting[], out: number): void {
    const { node } = this;
    if (!("flags" in node.attributes)) return;
    let next = node.opcode === "AVERAGE_POOL_GRAD" ? 1 : 2;
    if (node.attributes.flags & 1) inputs[next++]!.at(out % node.output.shape.at(-1)!);
    if (node.attributes.flags & 2) inputs[next]!.at(out);
  }

  objectEvidence(out: number) {
    const { job, node, step, place } = this;
    if (node.opcode !== "INPUT") throw new TypeError("only an INPUT reads objects");
    const perRow = node.output.shape.slice(1).reduce((a, b) => a * b, 1);
    const width = [1, 1, 2, 4][node.attributes.encoding]!;
    const offset = node.attributes.offset + (out % perRow) * width;
    const index = job.objectAt(step, place.microBatch, Math.floor(out / perRow));
    const object = job.objects[index]!;
    const tree = job.chunkTree(object);
    const first = Math.floor(offset / 1024);
    const last = Math.floor((offset + width - 1) / 1024);
    const wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return {
      raw: toHex(object.subarray(offset, offset + width)),
      chunks: wanted.map((chunk) => job.chunksOf(object)[chunk]!),
      chunkProofs: wanted.map((chunk) => tree.proof(chunk)),
      objectProof: job.objectTree.proof(index),
    };
  }
}

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

/** Whether an element's operands are few enough to open them together. */
export const opensAtOnce = ({ operands }: Evidence): boolean => (operands.length - 2) / 2 <= 9_000;

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
        return { book: "sum", name: "ruleTotal", args: [evidence, sums] };
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
