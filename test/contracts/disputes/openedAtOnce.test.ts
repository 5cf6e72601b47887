import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeFunctionResult, encodeFunctionData, type Hex, size } from "viem";
import { limits } from "../../../keepers/src/core/exact/limits.ts";
import { elementOf } from "../../../keepers/src/core/exact/ops/evaluate.ts";
import { elementCount, newMantissas, readerOf } from "../../../keepers/src/core/exact/ops/tensor.ts";
import { leafGeometry } from "../../../keepers/src/core/exact/packing.ts";
import { narrows, openedRuns, openingOf } from "../../../keepers/src/core/exact/tape/bounds.ts";
import type { Layout, Opcode, TapeNode, Tensor } from "../../../keepers/src/core/exact/tape/types.ts";
import { type Evidence, OpenNode, openedAtOnce } from "../../../keepers/src/training/dispute/evidence.ts";
import { type ProductRange, rangesOf } from "../../../keepers/src/training/dispute/moves.ts";
import { ReadOperand } from "../../../keepers/src/training/dispute/read-leaves.ts";
import { layoutOf, Random } from "../../keepers/core/exact/cases-random.ts";
import { type RandomNode, randomNode, stepOf } from "./game/random-nodes.ts";
import { deployHarness } from "./harness.ts";

const casesEach = 200;
/** Gas of the largest transaction (EIP-7825). */
const gas = 2n ** 24n;

/** Any mantissas; of a U8 positions that windows have. */
function operandOf(random: Random, layout: Layout, area: number): Tensor {
  const mantissas = newMantissas(layout);
  let x = random.int(0, 2 ** 31);
  const most = layout.dtype === "I8" ? 127 : 32_767;
  for (let i = 0; i < mantissas.length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    mantissas[i] = layout.dtype === "U8" ? (x >>> 16) % area : ((x >>> 8) % (2 * most + 1)) - most;
  }
  return { layout, exponent: -random.int(0, 20), mantissas };
}

function areaOf({ node }: RandomNode): number {
  return "kernelH" in node.attributes ? node.attributes.kernelH * node.attributes.kernelW : 1;
}

/** Bytes of the leaves that an element is read from. */
function readBytes({ bits, node, layouts }: RandomNode, operands: readonly Tensor[], out: number): number {
  const readers = operands.map((tensor, i) => new ReadOperand(node, i, tensor));
  elementOf({ bits, microBatch: 1 }, node, readers, out);
  const bytes = readers.flatMap(({ leaves }, i) => {
    const geometry = leafGeometry(layouts[i]!);
    return [...leaves].map((leaf) => geometry.leafBytes(leaf));
  });
  return bytes.reduce((a, b) => a + b, 0);
}

describe("what a player opens of a node that moves a window, the contract takes", async () => {
  const { contract, publicClient } = await deployHarness("ExactHarness");
  const { abi, address: to } = contract;
  const context = { learningRate: 0n, logMicroBatches: 0n };
  const count = { whole: 0, narrowed: 0, ranges: 0, single: 0 };
  const seen = new Set<string>();

  const opcodes: Opcode[] = [
    ...(["CONV", "CONV_POOL_INDEX", "CONV_INPUT_GRAD", "CONV_WEIGHT_GRAD"] as const),
    ...(["MAX_POOL", "MAX_POOL_INDEX", "MAX_POOL_GRAD", "AVERAGE_POOL", "AVERAGE_POOL_GRAD"] as const),
  ];

  for (const opcode of opcodes) {
    it(`${opcode}: as whole elements, as ranges, and down to one product`, async () => {
      const random = new Random(29, opcode);
      for (let i = 0; i < casesEach; i++) {
        const made = randomNode(random, opcode);
        const { node, layouts } = made;
        // The checker of tapes refuses what neither opens at once nor can be narrowed.
        if (!narrows(node) && openingOf(node, layouts) > limits.openingBytes) continue;
        if (openedRuns(node, layouts) > limits.openedRuns) continue;
        const operands = layouts.map((layout) => operandOf(random, layout, areaOf(made)));
        const opened = new OpenNode(stepOf(made, operands), layouts.length, () => []);
        const out = random.int(0, elementCount(node.output) - 1);
        if (!narrows(node)) assert.ok(readBytes(made, operands, out) <= openingOf(node, layouts));
        const about = `${node.opcode} ${JSON.stringify({ layouts, ...node })}, element ${out}`;
        await checkWhole(made, operands, opened, out, about);
        if (!opened.isNarrowed) continue;
        const { products } = opened;
        const from = random.int(0, products - 1);
        await checkRange(opened, out, { from, to: random.int(from + 1, products) }, random, about);
        const k = random.int(0, products - 1);
        const single = opened.range(out, { from: k, to: k + 1 });
        assert.ok(single !== undefined, `one product always opens: ${about}`);
        await takeSum(opened, single, out, { from: k, to: k + 1 }, about);
        count.single++;
      }
    });
  }

  it("computes the largest maximum of sums that a tape may have in one transaction", async () => {
    for (const [groups, channels, kernelH, kernelW, pool] of [
      [1, 4, 9, 28, 15],
      [2, 1, 9, 9, 5],
      [1, 1, 128, 1, 4],
    ] as const) {
      const image = [1, pool - 1 + kernelH, pool - 1 + kernelW, groups * channels];
      const layouts = [layoutOf("I8", image), layoutOf("I8", [groups, kernelH, kernelW, channels], 3)];
      const node: TapeNode = {
        opcode: "CONV",
        inputs: [0, 1],
        output: layoutOf("I8", [1, 1, 1, groups]),
        attributes: {
          ...{
            flags: 0,
            exponent: 0,
            strideH: 1,
            strideW: 1,
            padTop: 0,
            padLeft: 0,
            padBottom: 0,
            padRight: 0,
          },
          ...{ groups, pool },
        },
      };
      const runs = openedRuns(node, layouts);
      assert.ok(runs <= limits.openedRuns && runs > limits.openedRuns * 0.98, `${runs}`);
      assert.ok(openingOf(node, layouts) <= limits.openingBytes);
      const random = new Random(31, `${kernelH}`);
      const operands = layouts.map((layout) => operandOf(random, layout, 1));
      const made: RandomNode = { bits: 8, layouts, node };
      const opened = new OpenNode(stepOf(made, operands), 2, () => []);
      await checkWhole(made, operands, opened, 0, `${runs} runs`);
    }
  });

  async function call(data: Hex, about: string): Promise<Hex> {
    const { data: returned } = await publicClient
      .call({ to, data, gas })
      .catch((error) => assert.fail(`${about}: ${error.shortMessage ?? error}`));
    return returned!;
  }

  async function checkWhole(
    { node }: RandomNode,
    operands: readonly Tensor[],
    opened: OpenNode,
    out: number,
    about: string,
  ): Promise<void> {
    const evidence = opened.whole(out);
    if (evidence === undefined) {
      assert.ok(opened.isNarrowed, about);
      count.narrowed++;
      seen.add(`${node.opcode} narrowed`);
      return;
    }
    if (opened.isNarrowed) assert.ok(size(evidence.operands) <= openedAtOnce, about);
    const want = elementOf(opened.step.context, node, operands.map(readerOf), out);
    const batch = { outs: [BigInt(out)], mantissas: [0n], exponent: 0n };
    const args = [evidence.descriptor, evidence.operands, 0n, context, batch] as const;
    const returned = await call(encodeFunctionData({ abi, functionName: "elements", args }), about);
    const [accumulators, from] = decodeFunctionResult({ abi, functionName: "elements", data: returned });
    assert.deepEqual([accumulators[0], from], [want.accumulator, BigInt(want.exponent)], about);
    count.whole++;
    seen.add(`${node.opcode} whole`);
  }

  /** Goes on as players do: what does not open is cut, and one of its parts is looked at. */
  async function checkRange(
    opened: OpenNode,
    out: number,
    first: ProductRange,
    random: Random,
    about: string,
  ): Promise<void> {
    let range = first;
    let evidence = opened.range(out, range);
    while (evidence === undefined) {
      assert.ok(range.to - range.from > 1, about);
      range = random.pick(rangesOf(range));
      evidence = opened.range(out, range);
    }
    await takeSum(opened, evidence, out, range, about);
    count.ranges++;
  }

  async function takeSum(
    opened: OpenNode,
    { descriptor, operands }: Evidence,
    out: number,
    { from, to }: ProductRange,
    about: string,
  ): Promise<void> {
    assert.ok(size(operands) <= openedAtOnce, about);
    const args = [descriptor, operands, 0n, BigInt(out), 0n, BigInt(from), BigInt(to)] as const;
    const data = encodeFunctionData({ abi, functionName: "partialSum", args });
    const found = decodeFunctionResult({
      ...{ abi, functionName: "partialSum" },
      data: await call(data, `${about}, [${from}, ${to})`),
    });
    assert.equal(found, opened.sum(out, { from, to }), `${about}, [${from}, ${to})`);
  }

  it("was asked for both kinds of what can be narrowed, and for hundreds of ranges", () => {
    for (const opcode of ["CONV", "CONV_INPUT_GRAD", "CONV_WEIGHT_GRAD"]) {
      for (const kind of ["whole", "narrowed"]) assert.ok(seen.has(`${opcode} ${kind}`), `${opcode} ${kind}`);
    }
    for (const opcode of opcodes) assert.ok(seen.has(`${opcode} whole`), opcode);
    assert.ok(count.whole > 200 && count.narrowed > 40 && count.ranges > 200 && count.single > 200);
  });
});
