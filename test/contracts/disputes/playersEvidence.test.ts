import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, keccak256, toHex } from "viem";
import { withLeaf } from "../../../keepers/src/training/dispute/evidence.ts";
import {
  type Book,
  encodeMove,
  type Move,
  type Position,
  packSums,
  type Round,
  rangesOf,
  type StageName,
  stages,
} from "../../../keepers/src/training/dispute/moves.ts";
import { rawPlace } from "../../../keepers/src/training/dispute/objects.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { createArena } from "./game/arena.ts";
import { oddJob } from "./game/hand-made.ts";
import { cnnJob, mlpJob } from "./game/scenes.ts";
import { leafOf, Story } from "./game/story.ts";
import { openedNode, runOf } from "./game/told-run.ts";

const arena = await createArena();
const { element, sum, range, input, descent } = arena.contracts;
const addresses: { readonly [B in Book]: Hex } = {
  descent: descent.address,
  element: element.address,
  sum: sum.address,
  range: range.address,
  input: input.address,
};
const none: Hex = `0x${"00".repeat(32)}`;
const elementsEach = 10;
const step = 1;

/** What a contract says of a move in a round, whoever would be to make it. */
async function judged(round: Round, move: Move): Promise<string> {
  const data = encodeMove(round, move);
  return await arena.publicClient.call({ to: addresses[move.book], data }).then(
    () => "shown",
    (error) =>
      /(0x[0-9a-f]{8})/.exec(String(error.walk?.((each: { data?: Hex }) => each.data)?.data ?? error))?.[1] ??
      String(error),
  );
}

const nothingShown = keccak256(toHex("NothingShown()")).slice(0, 10);

function roundOf(story: Story, stage: StageName, place: number, position: Partial<Position>): Round {
  const { program } = story.job;
  const { tape, node } = story.job.places[place]!;
  return {
    stage: stages.indexOf(stage),
    interval: 0n,
    position: {
      stateBefore: none,
      stateAfter: none,
      firstStep: BigInt(step),
      steps: 1n,
      witnesses: none,
      tensors: story.list(step).tree.root,
      place: BigInt(place),
      commitment: story.list(step).commitments[place]!,
      descriptor: keccak256(story.job.descriptor(tape, node)),
      node: none,
      level: 0n,
      index: 0n,
      leaves: BigInt(program.state.length),
      exponent: BigInt(story.tensors(step)[place]!.exponent),
      claim: 0n,
      out: 0n,
      from: 0n,
      to: 0n,
      total: 0n,
      sums: none,
      ...position,
    },
    claim: arena.claimOf(story),
  };
}

describe("what opens an element", () => {
  for (const [name, job] of [
    ["an mlp in E8", mlpJob(8)],
    ["an mlp in E16", mlpJob(16)],
    ["a residual network in E8", cnnJob(8)],
    ["a residual network in E16", cnnJob(16)],
    ["opcodes that no model has", oddJob(20)],
  ] as const) {
    it(`is what the contract asks for, and shows nothing where nothing is wrong: ${name}`, async () => {
      const story = new Story(job);
      const random = new Random(23, name);
      const seen = new Set<string>();
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
          const round = roundOf(story, "Element", place, at);
          const evidence = withLeaf(node.whole(out)!, bytes);
          const { products } = node;
          const move: Move =
            opcode === "INPUT"
              ? {
                  book: "input",
                  name: "ruleInput",
                  args: [
                    evidence,
                    await runOf(story).object({ step, microBatch, ...rawPlace(node.node as never, out) }),
                  ],
                }
              : { book: products > 0 ? "sum" : "element", name: "ruleElement", args: [evidence] };
          assert.equal(await judged(round, move), nothingShown, `${key}, element ${out}`);
          if (!node.isNarrowed) continue;
          const whole = { from: 0, to: products };
          const ranges = rangesOf(whole);
          const sums = packSums(ranges.map((each) => node.sum(out, each)));
          const posted = { ...at, out: BigInt(out), to: BigInt(products), sums: keccak256(sums) };
          const named = random.int(0, ranges.length - 1);
          for (const ruling of [
            { book: "range", name: "ruleTotal", args: [withLeaf(node.rest(out), bytes), sums] },
            { book: "sum", name: "ruleSum", args: [node.range(out, ranges[named]!), sums, BigInt(named)] },
          ] as const) {
            const found = await judged(roundOf(story, "Sum", place, posted), ruling);
            assert.equal(found, nothingShown, `${ruling.name} of ${key}, element ${out}`);
          }
        }
      }
      assert.ok(seen.size > 5, [...seen].join());
    });
  }
});
