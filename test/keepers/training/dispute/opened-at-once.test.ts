import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { size } from "viem";
import { tensorTree } from "../../../../keepers/src/core/exact/commitment.ts";
import { limits } from "../../../../keepers/src/core/exact/limits.ts";
import { candidatesOf, partialSum, termsOf } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { elementCount } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import { leafGeometry, maxLeafBytes } from "../../../../keepers/src/core/exact/packing.ts";
import { narrows } from "../../../../keepers/src/core/exact/tape/bounds.ts";
import { type Layout, type Opcode, opcodes } from "../../../../keepers/src/core/exact/tape/types.ts";
import { depthOf } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { openedAtOnce } from "../../../../keepers/src/training/dispute/evidence.ts";
import { openingSize, openTensor, spansOf } from "../../../../keepers/src/training/dispute/openings.ts";
import { ReadOperand } from "../../../../keepers/src/training/dispute/read-leaves.ts";
import { wideJob } from "../../../contracts/disputes/game/hand-made.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";
import { stridedJob } from "../../../contracts/disputes/game/strided.ts";
import { openedNode } from "../../../contracts/disputes/game/told-run.ts";
import { contextOf, generateCases } from "../../core/exact/cases.ts";
import { layoutOf, Random, tensorOf } from "../../core/exact/cases-random.ts";

const step = 0;
const hash = 32;
/** What an opening can name (`contracts/disputes/TensorLeaves.sol`), and the shortest leaf. */
const [mostSpans, mostLeavesOfSpan, leastLeaf] = [2 ** 8 - 1, 2 ** 16 - 1, 32];

/** A layout like those that tapes have, small enough to be hashed often. */
function anyLayout(random: Random): Layout {
  const dtype = random.pick(["I8", "I16", "I32", "U8"] as const);
  if (random.chance(50)) return layoutOf(dtype, [random.int(1, 300), random.pick([1, 7, 40, 300, 1_100])]);
  const shape = [random.int(1, 9), random.int(1, 9), random.int(1, 40), random.int(1, 40)];
  return layoutOf(dtype, shape, random.pick([2, 3]));
}

describe("what is opened at once", () => {
  it("is as long as its shape says before it is encoded", () => {
    const random = new Random(3, "opening size");
    for (let i = 0; i < 60; i++) {
      const tree = tensorTree(tensorOf(random, anyLayout(random), 0));
      const { leaves } = tree.geometry;
      const wanted = Array.from({ length: random.int(0, 12) }, () => random.int(0, leaves - 1));
      const spans = spansOf(wanted);
      assert.equal(openingSize(tree.geometry, spans), size(openTensor(tree, -3, spans)));
    }
  });

  it("names no more spans and leaves than an opening can, whatever is narrowed and whatever is not", () => {
    assert.ok((mostSpans + 1) * (6 + leastLeaf) > openedAtOnce);
    assert.ok((mostLeavesOfSpan + 1) * leastLeaf > openedAtOnce);
    // Of what is not narrowed the checker of tapes bounds the leaves of all operands.
    assert.ok(limits.openingBytes / leastLeaf <= Math.min(mostSpans, mostLeavesOfSpan));
    // Rows whose last leaf holds one element: a span of the shortest leaf in each.
    const geometry = leafGeometry(layoutOf("I8", [mostSpans + 1, maxLeafBytes + 1]));
    const spans = spansOf(Array.from({ length: geometry.rows }, (_, row) => 2 * row + 1));
    assert.equal(spans.length, mostSpans + 1);
    assert.ok(openingSize(geometry, spans) > openedAtOnce);
  });

  it("may be one product of any valid program: it is read from one leaf of two operands at most", () => {
    for (const opcode of Object.keys(opcodes) as Opcode[]) {
      const random = new Random(5, opcode);
      for (const each of generateCases(opcode, 17, 10)) {
        if (opcode === "ACCUMULATE" || !narrows(each.node)) continue;
        assert.equal(candidatesOf(each.node), 1);
        const readers = each.inputs.map((tensor, i) => new ReadOperand(each.node, i, tensor));
        const k = random.int(0, termsOf(contextOf(each), each.node, readers) - 1);
        const out = random.int(0, elementCount(each.node.output) - 1);
        partialSum(contextOf(each), each.node, readers, out, 0, k, k + 1);
        const leaves = readers.map((reader) => reader.leaves.size);
        assert.ok(Math.max(...leaves) <= 1 && leaves.filter((count) => count > 0).length <= 2, opcode);
        assert.ok(leaves.length <= 4, opcode);
      }
    }
    const list = depthOf(limits.microBatches * limits.nodesPerTape + 2 * limits.nodesPerTape);
    const leaf = 5 + 6 + maxLeafBytes + hash * depthOf(limits.elements);
    assert.ok(2 * leaf + 2 * (5 + hash) + 4 * hash * list <= openedAtOnce);
  });

  it("is less than a sum of one product in each of 256 spans", async () => {
    const size = { samples: 64, image: [64, 64], kernel: [8, 8], stride: [16, 16] } as const;
    const story = new Story(stridedJob(size));
    const node = await openedNode(story, step, 4);
    assert.equal(node.node.opcode, "CONV_WEIGHT_GRAD");
    for (const out of [0, 9, 63]) {
      assert.equal(node.whole(out), undefined);
      assert.equal(node.range(out, { from: 0, to: node.products }), undefined);
      const evidence = node.range(out, { from: 0, to: 16 })!;
      assert.ok(evidence.operands.length / 2 <= openedAtOnce);
    }
  });

  it("counts the proofs of the gradients that a mean is of", async () => {
    const story = new Story(wideJob(128, 2));
    const node = await openedNode(story, step, story.job.placeOf(1, 0));
    assert.equal(node.whole(0), undefined);
    const evidence = node.range(0, { from: 3, to: 20 })!;
    assert.equal(evidence.proofs.length, 17);
    const proofs = evidence.proofs.flat().length * hash;
    assert.ok(size(evidence.operands) + proofs <= openedAtOnce);
    assert.equal(node.range(0, { from: 3, to: 40 }), undefined);
  });
});
