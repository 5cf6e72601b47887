import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, type Hex, hexToBytes, keccak256, numberToHex } from "viem";
import { requantizeShift, rnd, saturatingShift } from "../../../keepers/src/core/exact/format.ts";
import { elementOf, finishOf } from "../../../keepers/src/core/exact/ops/evaluate.ts";
import type { Layout, MantissaBits, Opcode, TapeNode } from "../../../keepers/src/core/exact/tape/types.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { deployHarness } from "./harness.ts";
import { descriptorBytes } from "./openings.ts";
import { SparseTensor, SparseTree } from "./sparse.ts";

/** What one line of the table measures: a node, the element that is disputed, and where its operands lie. */
type Line = {
  name: string;
  bits: MantissaBits;
  node: TapeNode;
  layouts: readonly Layout[];
  out: number;
  /** Elements of operands that are not random. */
  values?: Readonly<Record<number, (element: number) => Uint8Array>>;
};

const microBatch = 64;
const learningRate = 655;
/** Nodes of the three tapes: their descriptors lie eight levels deep. */
const nodeCounts: readonly [bigint, bigint, bigint] = [200n, 16n, 40n];
const place = 77;
/** Leaves of every operand: twelve levels. */
const leaves = 4_096;

const layout = (dtype: Layout["dtype"], shape: readonly number[], rowAxes = shape.length === 4 ? 2 : 1) => ({
  dtype,
  shape,
  rowAxes,
});

/** Rows of these many bytes that fill the leaves. */
function rowsOf(bytes: number): number {
  const padded = Math.ceil(bytes / 32) * 32;
  if (padded > 1_024) return leaves / 2 ** Math.ceil(Math.log2(padded / 1_024));
  return padded > 256 ? leaves : leaves * 2 ** Math.floor(Math.log2(256 / padded));
}

/**
 * Kernel, channels and image with the given number of products, as LeNet-5 has them where it has them: its layers C1, C3
 * and C5 forward; backward, the gradient that reaches C3. Then samples and image of a weight gradient.
 */
const convolutions = {
  25: { kernel: 5, channels: 1, image: 28, samples: 1, rows: 5, columns: 5 },
  150: { kernel: 5, channels: 6, image: 14, samples: 2, rows: 5, columns: 15 },
  400: { kernel: 5, channels: 16, image: 5, gradient: 10, samples: 4, rows: 10, columns: 10 },
  1024: { kernel: 4, channels: 64, image: 8, samples: 4, rows: 16, columns: 16 },
} as const;

const flat = { padTop: 0, padLeft: 0, padBottom: 0, padRight: 0 };
const unit = { strideH: 1, strideW: 1, ...flat, groups: 1 };

function contractions(bits: MantissaBits): Line[] {
  const dtype = bits === 8 ? "I8" : "I16";
  const width = bits / 8;
  return Object.entries(convolutions).flatMap(([key, c]) => {
    const k = Number(key);
    const { kernel, channels, image, samples, rows, columns } = c;
    const gradient = "gradient" in c ? c.gradient : image;
    const suffix = `E${bits}, K = ${key.padStart(4)}`;
    const common = { bits, out: 0 };
    const matrix = layout(dtype, [rowsOf(k * width), k]);
    const images = (size: number) =>
      layout(dtype, [Math.ceil(rowsOf(size * channels * width) / size), size, size, channels]);
    const [forwardIn, backwardIn] = [images(image), images(gradient)];
    const weights = layout(dtype, [rowsOf(k * width), kernel, kernel, channels], 3);
    const size = image - kernel + 1;
    const [height, wide] = [rows + 2, columns + 2];
    const planes = rowsOf(height * wide * width) / samples;
    const gradients = rowsOf(rows * columns * width) / samples;
    const middle = (shape: readonly number[]): number => {
      const [a, b, h, w] = shape as [number, number, number, number];
      return ((Math.floor(a / 2) * b + Math.floor(b / 2)) * h + Math.floor(h / 2)) * w + Math.floor(w / 2);
    };
    const forward = [forwardIn.shape[0]!, size, size, weights.shape[0]!];
    const whole = gradient + kernel - 1;
    const backward = [backwardIn.shape[0]!, whole, whole, weights.shape[0]!];
    return [
      {
        ...common,
        name: `MATMUL, ${suffix}`,
        layouts: [matrix, matrix],
        node: {
          opcode: "MATMUL",
          inputs: [3, 4],
          output: layout(dtype, [matrix.shape[0]!, matrix.shape[0]!]),
          attributes: { flags: 4, exponent: 0 },
        },
        out: matrix.shape[0]! * 77 + 1_001,
      },
      {
        ...common,
        name: `CONV, ${suffix}`,
        layouts: [forwardIn, weights],
        node: {
          opcode: "CONV",
          inputs: [3, 4],
          output: layout(dtype, forward),
          attributes: { flags: 4, exponent: 0, ...unit, pool: 1 },
        },
        out: middle(forward),
      },
      {
        ...common,
        name: `CONV_INPUT_GRAD, ${suffix}`,
        layouts: [backwardIn, weights],
        node: {
          opcode: "CONV_INPUT_GRAD",
          inputs: [3, 4],
          output: layout(dtype, backward),
          attributes: { flags: 0, exponent: 0, ...unit },
        },
        out: middle(backward),
      },
      {
        ...common,
        name: `CONV_WEIGHT_GRAD, ${suffix}`,
        layouts: [
          layout(dtype, [planes, samples, height, wide]),
          layout(dtype, [gradients, samples, rows, columns]),
        ],
        node: {
          opcode: "CONV_WEIGHT_GRAD",
          inputs: [3, 4],
          output: layout("I32", [gradients, 3, 3, planes], 3),
          attributes: { exponent: -26, ...unit },
        },
        out: middle([gradients, 3, 3, planes]),
      },
      {
        ...common,
        name: `ROW_SUM, ${suffix}`,
        layouts: [matrix],
        node: {
          opcode: "ROW_SUM",
          inputs: [3],
          output: layout("I64", [matrix.shape[0]!]),
          attributes: { flags: 0, exponent: 0 },
        },
        out: 1_001,
      },
    ] satisfies Line[];
  });
}

const uint32 = (value: number): Uint8Array => hexToBytes(numberToHex(value, { size: 4 }));
const int64 = (value: number): Uint8Array => hexToBytes(numberToHex(value, { size: 8 }));

/** One line for every other opcode that reads tensors, in E16 unless it has no profile. */
function others(): Line[] {
  const image = layout("I16", [256, 32, 32, 16]);
  const pooled = layout("I16", [256, 16, 16, 16]);
  const index = layout("U8", [256, 16, 16, 16]);
  const rows = layout("I16", [leaves * 8, 10]);
  const logits = layout("I32", [leaves * 4, 10]);
  const sums = layout("I64", [leaves * 128]);
  const state = layout("I32", [leaves, 256]);
  const pool = { kernelH: 2, kernelW: 2, strideH: 2, strideW: 2, ...flat };
  const out = 765_432;
  const line = <O extends Opcode>(
    opcode: O,
    layouts: readonly Layout[],
    output: Layout,
    attributes: Extract<TapeNode, { opcode: O }>["attributes"],
    more: Partial<Line> = {},
  ): Line => ({
    name: opcode,
    bits: 16,
    layouts,
    node: { opcode, inputs: layouts.map((_, i) => i), output, attributes } as TapeNode,
    out,
    ...more,
  });
  const row = { out: 7_003 };
  return [
    line("LOAD", [], state, { space: 0, slot: 1 }, { out: 54_321 }),
    line("STORE", [state], state, { space: 1, slot: 1 }, { out: 54_321 }),
    line("RELAYOUT", [image], layout("I16", [16, 256, 32, 32]), {
      view0: 256,
      view1: 32,
      view2: 32,
      view3: 16,
      axis0: 3,
      axis1: 0,
      axis2: 1,
      axis3: 2,
    }),
    line("REQUANTIZE", [state], layout("I16", [leaves, 256]), {}, { out: 54_321 }),
    line("SHIFT", [rows], layout("I32", rows.shape), { exponent: -16 }, row),
    line(
      "CONV_POOL_INDEX",
      [layout("I16", [293, 14, 14, 6]), layout("I16", [leaves, 5, 5, 6], 3)],
      layout("U8", [293, 5, 5, leaves]),
      { flags: 0, exponent: 0, ...unit, pool: 2 },
    ),
    line("ROW_MAX", [rows], layout("I16", [leaves * 8]), {}, row),
    line("ADD", [image, image], image, { flags: 4 }),
    line("RELU", [image], image, {}),
    line("GATE", [image, image], image, {}),
    line("MAX_POOL", [image], pooled, pool),
    line("MAX_POOL_INDEX", [image], index, pool),
    line(
      "MAX_POOL_GRAD",
      [pooled, index],
      image,
      { flags: 0, ...pool },
      { values: { 1: () => uint32(3).subarray(3) } },
    ),
    line("AVERAGE_POOL", [image], pooled, { ...pool, kernelH: 3, kernelW: 3, padTop: 1, padLeft: 1 }),
    line("AVERAGE_POOL_GRAD", [pooled], image, { flags: 0, ...pool }),
    line(
      "EXP",
      [logits, layout("I32", [leaves * 256])],
      layout("U32", logits.shape),
      {},
      { ...row, values: { 0: () => uint32(54_321), 1: () => uint32(98_765) } },
    ),
    line(
      "SOFTMAX_GRAD",
      [layout("U32", logits.shape), sums, layout("U8", [leaves * 1024])],
      layout("I16", logits.shape),
      { flags: 0, probabilityBits: 15 },
      {
        ...row,
        values: {
          0: () => uint32(123_456_789),
          1: () => int64(2 ** 31 + 12_345),
          2: () => Uint8Array.of(3),
        },
      },
    ),
    line("MSE_GRAD", [rows, rows], rows, {}, row),
    line(
      "SGD_MOMENTUM",
      [state, state, state],
      state,
      {
        momentum: 58_982,
        momentumShift: 16,
        weightDecay: 33,
        weightDecayShift: 16,
      },
      { out: 54_321 },
    ),
    line("SGD_WEIGHT", [state, state], state, { learningRateShift: 16 }, { out: 54_321 }),
  ];
}

/** Gas that calldata costs at least: EIP-7623. */
function floorOf(data: Hex): number {
  const zeros = hexToBytes(data).filter((byte) => byte === 0).length;
  const others = (data.length - 2) / 2 - zeros;
  return 21_000 + 10 * (zeros + 4 * others);
}

describe("gas of ruling on one element, the descriptor and at least twelve levels for each operand included", {
  skip: !isProduction && "only with --build-profile production",
}, async () => {
  it("is what is on record, within the bar", async () => {
    const { contract: dispute, publicClient } = await deployHarness("DisputeHarness");
    const gas: Record<string, number> = {};

    for (const line of [...contractions(8), ...contractions(16), ...others()]) {
      const { name, bits, node, layouts, out } = line;
      const operands = (layouts.length > 0 ? layouts : [node.output]).map(
        (each, i) => new SparseTensor(each, -20 - i, `${name} ${i}`, line.values?.[i]),
      );
      const readers = operands.map((operand) => ({
        layout: operand.layout,
        exponent: operand.exponent,
        at: (element: number) => operand.at(element),
      }));
      const context = { bits, microBatch, learningRate, slot: () => readers[0]! };
      const { accumulator, exponent } = elementOf(context, node, readers, out);
      const finish = finishOf(node);
      const magnitude = accumulator < 0n ? -accumulator : accumulator;
      const to =
        finish.kind === "fixed"
          ? finish.exponent
          : finish.kind === "exact"
            ? exponent
            : exponent + requantizeShift(magnitude, exponent, bits);
      const mantissa =
        finish.kind === "fixed"
          ? saturatingShift(accumulator, to - exponent)
          : rnd(accumulator, to - exponent);

      const descriptor = descriptorBytes({ index: place, bits, microBatch, node, layouts });
      const total = Number(nodeCounts.reduce((a, b) => a + b));
      const leaf = keccak256(concatHex(["0x00", descriptor]));
      const program = new SparseTree(total, new Map([[place, leaf]]), "program");
      const opened = operands.map((operand) => operand.open());
      await dispute.write.prepare([program.root, nodeCounts, opened.map(({ commitment }) => commitment)]);
      const claim = concatHex([
        numberToHex(to, { size: 4, signed: true }),
        numberToHex(mantissa, { size: 8, signed: true }),
      ]);
      const hash = await dispute.write.rule([
        descriptor,
        program.proof(place),
        concatHex(opened.map(({ opening }) => opening)),
        BigInt(out),
        BigInt(claim),
        BigInt(learningRate),
      ]);
      assert.equal(await dispute.read.ruled(), 0, `${name} is ruled wrong`);
      const { gasUsed } = await publicClient.getTransactionReceipt({ hash });
      const { input } = await publicClient.getTransaction({ hash });
      assert.ok(Number(gasUsed) >= floorOf(input), `${name}: the chain does not charge EIP-7623's floor`);
      gas[name] = Number(gasUsed);
    }
    // CONV_INPUT_GRAD is bounded by its calldata: EIP-7623 alone charges more.
    for (const opcode of ["MATMUL", "CONV", "CONV_WEIGHT_GRAD"]) {
      const spent = gas[`${opcode}, E16, K =  400`]!;
      assert.ok(spent <= 150_000, `${opcode}: ${spent}`);
    }
    matchSnapshot("disputeGas.json", tableOf(gas));
  });
});
