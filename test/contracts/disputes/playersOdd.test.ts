import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, encodeAbiParameters, numberToHex, slice, toHex } from "viem";
import type { Tensor } from "../../../keepers/src/core/exact/tape/types.ts";
import { type Move, packSums, rangesOf, stages } from "../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../keepers/src/training/dispute/next-move.ts";
import { createArena, type PlayOptions } from "./game/arena.ts";
import { oddJob, tiesJob, wideJob } from "./game/hand-made.ts";
import { disputesOf, placeOf } from "./game/one-lie.ts";
import { otherExponent, otherMantissa } from "./game/scenes.ts";
import { Story } from "./game/story.ts";
import { openedNode, runOf } from "./game/told-run.ts";

const arena = await createArena();
const dispute = disputesOf(arena, 9_000n);
const step = 0;

describe("players of disputes that no built-in model leads to", async () => {
  const odd = new Story(oddJob(20));
  const long = new Story(oddJob(4_096));

  for (const opcode of ["MSE_GRAD", "SHIFT", "RELU", "INPUT", "STORE"]) {
    it(`convict a wrong mantissa of ${opcode}`, async () => {
      const place = placeOf(odd, opcode);
      const { ending, names } = await dispute(odd, place, otherMantissa(odd.tensors(step)[place]!));
      assert.equal(ending, "convicted");
      assert.equal(names.at(-1), opcode === "INPUT" ? "ruleInput" : "ruleElement");
    });
  }

  it("convict a wrong exponent of MSE_GRAD, SHIFT, RELU and INPUT, both ways", async () => {
    for (const opcode of ["MSE_GRAD", "SHIFT", "RELU", "INPUT"]) {
      for (const delta of [-1, 1]) {
        const place = placeOf(odd, opcode);
        const tensor = otherExponent(delta)(odd.tensors(step)[place]!);
        const played = await dispute(odd, place, tensor);
        const isTooLarge = opcode === "MSE_GRAD" && delta === 1;
        // Nothing needs an exponent that is too large: the provider has no answer.
        assert.equal(played.ending, isTooLarge ? "stuck" : "convicted", `${opcode} ${delta}`);
        assert.equal(played.last, isTooLarge ? "Witness" : "Leaf");
      }
    }
  });

  it("convict a tensor with a leaf that no tensor has, by its element or by the leaf itself", async () => {
    const place = placeOf(odd, "MATMUL");
    const right = odd.tensors(step)[place]!;
    const mantissas = right.mantissas.slice();
    mantissas[3] = -(2 ** 15);
    const tensor = { ...right, mantissas };
    const played = await dispute(odd, place, tensor);
    assert.deepEqual([played.ending, played.names.at(-1)], ["convicted", "ruleElement"]);
    const { descriptor } = await openedNode(odd, step, place);
    const leafOf = (each: Tensor): PlayOptions => {
      const leaf = toHex(odd.withTensor(step, place, each).committed(step, place).tree.leaf(0));
      const ruling: Move = { book: "descent", name: "ruleLeaf", args: [descriptor, leaf] };
      return { pick: (_, stage) => (stage === "Element" ? ruling : undefined) };
    };
    const whole = await dispute(odd, place, tensor, leafOf(tensor));
    assert.deepEqual([whole.ending, whole.names.at(-1)], ["convicted", "ruleLeaf"]);
    // One that some tensor has is judged by its elements alone.
    const wrong = otherMantissa(right);
    assert.deepEqual((await dispute(odd, place, wrong, leafOf(wrong))).ending, "stuck");
  });

  it("rule on a leaf whose padding is not zero, or that is too short", async () => {
    const place = placeOf(odd, "MATMUL");
    const { challenge } = await dispute(odd, place, otherMantissa(odd.tensors(step)[place]!));
    const { answers } = await arena.disputeOf(challenge);
    const last = answers.at(-1)!;
    const round = { ...last.round, stage: stages.indexOf("Element") };
    const leaf = odd.committed(step, place).tree.leaf(0);
    const padded = leaf.slice();
    padded[padded.length - 1] = 1;
    for (const posted of [padded, leaf.subarray(0, 32)]) {
      const rest = encodeAbiParameters([{ type: "uint256" }, { type: "bytes" }], [0n, toHex(posted)]);
      // The offset counts from behind the selector: the round, and itself.
      const offset = numberToHex(36 * 32, { size: 32 });
      const answer = { ...last, arguments: concatHex([offset, slice(rest, 64)]) };
      const own = runOf(odd);
      const move = await nextMove(
        { role: "challenger", own, answers: [...answers.slice(0, -1), answer] },
        round,
      );
      assert.equal(move?.name, "ruleLeaf");
    }
  });

  it("narrow a sum that is too long to open, whether its total or one of its ranges is wrong", async () => {
    const place = placeOf(long, "MATMUL");
    const wrong = otherMantissa(long.tensors(step)[place]!);
    const total = await dispute(long, place, wrong);
    assert.deepEqual(total.names.slice(-3), ["askSums", "postSums", "ruleTotal"]);
    const tilted = await dispute(long, place, wrong, { tilt: 1n });
    assert.deepEqual(tilted.names.slice(-3), ["askSums", "postSums", "ruleSum"]);
    assert.deepEqual([total.ending, tilted.ending], ["convicted", "convicted"]);
  });

  it("convict a long sum's exponent that is too small, by the sums of the element that needs more", async () => {
    const place = placeOf(long, "MATMUL");
    const right = long.tensors(step)[place]!;
    const doubled = Int16Array.from(right.mantissas, (mantissa) =>
      Math.max(-32_767, Math.min(32_767, 2 * mantissa)),
    );
    const tensor: Tensor = { ...right, exponent: right.exponent - 1, mantissas: doubled };
    const played = await dispute(long, place, tensor);
    assert.deepEqual(played.names.slice(-4), ["postHashes", "askSums", "postSums", "ruleTotal"]);
    assert.equal(played.ending, "convicted");
  });

  it("defend an exponent by the one element that needs it, among those that round to the same mantissa", async () => {
    const ties = new Story(tiesJob());
    const { descriptor, tensor } = await openedNode(ties, step, 1);
    assert.deepEqual([...tensor.mantissas.slice(0, 2)], [16_384, 16_384]);
    const sham: Move = { book: "descent", name: "claimTooLarge", args: [descriptor] };
    const played = await dispute(ties, 1, tensor, {
      pick: (_, stage) => (stage === "Leaf" ? sham : undefined),
    });
    assert.deepEqual([played.ending, played.names.at(-1)], ["lost", "answerWitness"]);
  });

  it("defend a long sum's exponent by its sums, and lose nothing by it", async () => {
    const place = placeOf(long, "MATMUL");
    const { descriptor } = await openedNode(long, step, place);
    const sham: Move = { book: "descent", name: "claimTooLarge", args: [descriptor] };
    const played = await dispute(long, place, long.tensors(step)[place]!, {
      pick: (_, stage) => (stage === "Leaf" ? sham : undefined),
    });
    assert.equal(played.names.at(-1), "answerWitnessSums");
    assert.deepEqual([played.ending, played.last], ["stuck", "Sum"]);
  });

  it("convict a long sum's exponent that no element needs, whatever sums are posted", async () => {
    const place = placeOf(long, "MATMUL");
    const right = long.tensors(step)[place]!;
    const half = Int16Array.from(right.mantissas, (mantissa) => (mantissa + 1) >> 1);
    const tensor: Tensor = { ...right, exponent: right.exponent + 1, mantissas: half };
    const node = await openedNode(long, step, place);
    const sums = rangesOf({ from: 0, to: 4_096 }).map((range) => node.sum(0, range));
    for (const [delta, last] of [
      [0n, "ruleTotal"],
      [2n ** 40n, "ruleSum"],
    ] as const) {
      const posted = packSums([...sums.slice(0, -1), sums.at(-1)! + delta]);
      const answer: Move = { book: "range", name: "answerWitnessSums", args: [node.descriptor, 0n, posted] };
      const played = await dispute(long, place, tensor, {
        pick: (_, stage) => (stage === "Witness" ? answer : undefined),
      });
      assert.deepEqual([played.ending, played.names.at(-1)], ["convicted", last]);
    }
  });

  it("narrow the mean over 1,024 micro-batches twice", async () => {
    const wide = new Story(wideJob());
    const place = wide.job.placeOf(1, 0);
    const node = await openedNode(wide, step, place);
    assert.equal(node.products, 1_024);
    const wrong = otherMantissa(wide.tensors(step)[place]!);
    const total = await dispute(wide, place, wrong);
    assert.deepEqual([total.ending, total.names.at(-1)], ["convicted", "ruleTotal"]);
    // A sum that hides the lie, and in its range one that hides it again.
    let posted = 0;
    const out = 256;
    const tilted = await dispute(wide, place, wrong, {
      pick(round, stage) {
        if (stage !== "Sums") return undefined;
        const { from, to } = round.position;
        const sums = rangesOf({ from: Number(from), to: Number(to) }).map((range) => node.sum(out, range));
        sums[posted++ === 0 ? 7 : 3]! += 5n * 1_024n;
        return { book: "range", name: "postSums", args: [packSums(sums)] };
      },
    });
    assert.deepEqual(tilted.names.slice(-5), ["askSums", "postSums", "narrowSum", "postSums", "ruleSum"]);
    assert.equal(tilted.ending, "convicted");
  });

  it("narrow the mean over 128 micro-batches whose leaves are short, because of their proofs", async () => {
    const short = new Story(wideJob(128, 2));
    const place = short.job.placeOf(1, 0);
    const wrong = otherMantissa(short.tensors(step)[place]!);
    for (const tilt of [0n, 2n ** 20n]) {
      const { ending, names, steps } = await dispute(short, place, wrong, { tilt });
      const last = tilt === 0n ? "ruleTotal" : "ruleSum";
      assert.deepEqual([ending, ...names.slice(-3)], ["convicted", "askSums", "postSums", last]);
      assert.ok(Math.max(...steps.map(({ bytes }) => bytes)) < 8_000);
    }
  });
});
