/** Evidence on elements of every kind of node, for contracts to judge and for players to be held to. */
import { concatHex, type Hex, keccak256, toHex, zeroAddress, zeroHash } from "viem";
import { withLeaf } from "../../../../keepers/src/training/dispute/evidence.ts";
import {
  encodeMove,
  type Move,
  type Position,
  packSums,
  type Round,
  rangesOf,
  type StageName,
  stages,
} from "../../../../keepers/src/training/dispute/moves.ts";
import { rawPlace } from "../../../../keepers/src/training/dispute/objects.ts";
import { Random } from "../../../keepers/core/exact/cases-random.ts";
import { oddJob } from "./hand-made.ts";
import { cnnJob, mlpJob } from "./scenes.ts";
import { leafOf, type Story } from "./story.ts";
import { openedNode, runOf } from "./told-run.ts";

const elementsEach = 10;
const step = 1;

/** Jobs that have every kind of node between them. */
export const evidenceJobs = {
  mlp8: { about: "an mlp in E8", make: () => mlpJob(8) },
  mlp16: { about: "an mlp in E16", make: () => mlpJob(16) },
  cnn8: { about: "a residual network in E8", make: () => cnnJob(8) },
  cnn16: { about: "a residual network in E16", make: () => cnnJob(16) },
  odd: { about: "opcodes that no model has", make: () => oddJob(20) },
} as const;
export type EvidenceJob = keyof typeof evidenceJobs;

/** Moves that rule on an element, and the rounds that they fit; the claim is none. */
export type EvidenceCase = {
  /** Opcode and flags. */
  readonly node: string;
  readonly out: number;
  readonly moves: readonly { readonly round: Round; readonly move: Move }[];
};

/** What a contract found to be evidence, by its hash. */
export type RecordedEvidence = { readonly job: EvidenceJob; readonly node: string; readonly digest: Hex };

const noClaim: Round["claim"] = {
  ...{ provider: zeroAddress, challengeUntil: 0n, traceRoot: zeroHash, programRoot: zeroHash },
  ...{ trainingHash: zeroHash, steps: 0n, interval: 0n, logMicroBatches: 0n, nodeCounts: [0n, 0n, 0n] },
  ...{ witnessNode: 0n, slots: 0n },
};

function roundOf(story: Story, stage: StageName, place: number, position: Partial<Position>): Round {
  const { program } = story.job;
  const { tape, node } = story.job.places[place]!;
  return {
    stage: stages.indexOf(stage),
    interval: 0n,
    position: {
      ...{ stateBefore: zeroHash, stateAfter: zeroHash, firstStep: BigInt(step), steps: 1n },
      ...{ witnesses: zeroHash, node: zeroHash, level: 0n, index: 0n, claim: 0n, out: 0n, from: 0n, to: 0n },
      ...{ total: 0n, sums: zeroHash, place: BigInt(place), leaves: BigInt(program.state.length) },
      tensors: story.list(step).tree.root,
      commitment: story.list(step).commitments[place]!,
      descriptor: keccak256(story.job.descriptor(tape, node)),
      exponent: BigInt(story.tensors(step)[place]!.exponent),
      ...position,
    },
    claim: noClaim,
  };
}

/** Some elements of the first node of each opcode and flags: the whole of each, and a part and the rest of its sum. */
export async function evidenceOf(story: Story, about: string): Promise<EvidenceCase[]> {
  const { job } = story;
  const random = new Random(23, about);
  const seen = new Set<string>();
  const cases: EvidenceCase[] = [];
  for (const [place, { tape, node: index, microBatch }] of job.places.entries()) {
    const { opcode, attributes } = job.program.tapes[tape][index]!;
    const key = `${opcode} ${"flags" in attributes ? attributes.flags : ""}`;
    // What a LOAD yields is no element's business.
    if (opcode === "LOAD" || seen.has(key)) continue;
    seen.add(key);
    const node = await openedNode(story, step, place);
    const count = node.tensor.mantissas.length;
    for (let i = 0; i < elementsEach; i++) {
      const out = i === 0 ? 0 : i === 1 ? count - 1 : random.int(0, count - 1);
      const tree = node.step.tree(place);
      const { leaf } = tree.geometry.locate(out);
      const bytes = toHex(tree.leaf(leaf));
      const at = { node: leafOf(bytes), index: BigInt(leaf) };
      const evidence = withLeaf(node.whole(out)!, bytes);
      const { products } = node;
      const round = roundOf(story, "Element", place, at);
      const moves: { round: Round; move: Move }[] = [];
      cases.push({ node: key, out, moves });
      if (opcode === "INPUT") {
        const object = { step, microBatch, ...rawPlace(node.node as never, out) };
        const args = [evidence, await runOf(story).object(object)];
        moves.push({ round, move: { book: "input", name: "ruleInput", args } });
      } else {
        const book = products > 0 ? "sum" : "element";
        moves.push({ round, move: { book, name: "ruleElement", args: [evidence] } });
      }
      if (!node.isNarrowed) continue;
      const ranges = rangesOf({ from: 0, to: products });
      const sums = packSums(ranges.map((each) => node.sum(out, each)));
      const posted = { ...at, out: BigInt(out), to: BigInt(products), sums: keccak256(sums) };
      const named = random.int(0, ranges.length - 1);
      const sumRound = roundOf(story, "Sum", place, posted);
      const rest = [withLeaf(node.rest(out), bytes), sums];
      const part = [node.range(out, ranges[named]!), sums, BigInt(named)];
      moves.push({ round: sumRound, move: { book: "range", name: "ruleTotal", args: rest } });
      moves.push({ round: sumRound, move: { book: "sum", name: "ruleSum", args: part } });
    }
  }
  return cases;
}

/** All that was shown on the elements of a kind of node. */
export function digestOf(cases: readonly EvidenceCase[], node: string): Hex {
  const moves = cases.filter((each) => each.node === node).flatMap((each) => each.moves);
  return keccak256(concatHex(moves.map(({ round, move }) => encodeMove(round, move))));
}
