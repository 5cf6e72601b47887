import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, type Hex, size, slice } from "viem";
import {
  accumulatorLimit,
  alignBits,
  leastExponent,
  shiftLimit,
} from "../../../keepers/src/core/exact/format.ts";
import { limits } from "../../../keepers/src/core/exact/limits.ts";
import { VoidProgramError } from "../../../keepers/src/core/exact/tape/errors.ts";
import { NodeCheck } from "../../../keepers/src/core/exact/tape/rules/node-check.ts";
import { checkByOpcode } from "../../../keepers/src/core/exact/tape/rules/table.ts";
import {
  attributeNames,
  type Dtype,
  dtypes,
  type Layout,
  type MantissaBits,
  type Opcode,
  opcodes,
  type TapeNode,
} from "../../../keepers/src/core/exact/tape/types.ts";
import { generateCases } from "../../keepers/core/exact/cases.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { deployHarness } from "./harness.ts";
import { descriptorBytes } from "./openings.ts";

/** A node with the layouts of its inputs: all that a descriptor says. */
type Alone = { bits: MantissaBits; microBatch: number; node: TapeNode; layouts: readonly Layout[] };

const tapeOf = (opcode: Opcode): number => (opcode === "ACCUMULATE" ? 1 : opcode.startsWith("SGD") ? 2 : 0);
/** Whose layouts the program's slots decide. */
const slotted: readonly Opcode[] = ["LOAD", "STORE", "ACCUMULATE"];
const place = 9;

/** The keepers' rules of a node, with everything around it as it must be. */
class AloneCheck extends NodeCheck {
  readonly #layouts: readonly Layout[];

  constructor({ bits, microBatch, node, layouts }: Alone) {
    const tape = tapeOf(node.opcode);
    const tapes: TapeNode[][] = [[], [], []];
    tapes[tape]![place] = node;
    super(
      {
        bits,
        microBatch,
        state: [],
        gradients: [],
        tapes: tapes as unknown as [TapeNode[], TapeNode[], TapeNode[]],
        witness: 0,
        target: 0,
        loss: "mean-squared-error",
      },
      tape,
      place,
      new Proxy([], { get: () => ({ range: { min: 0, max: 0 } }) }),
    );
    this.#layouts = layouts;
  }

  override get inputs(): readonly Layout[] {
    return this.#layouts;
  }

  override source(i: number): TapeNode {
    const output = this.#layouts[i]!;
    const inputs = [this.node.inputs[0]!];
    if (this.node.opcode === "EXP") return { opcode: "ROW_MAX", inputs, output, attributes: {} };
    if (i === 0) return { opcode: "EXP", inputs, output, attributes: {} };
    return { opcode: "ROW_SUM", inputs, output, attributes: { flags: 0, exponent: 0 } };
  }

  override exponent(): void {}
}

function isLayout({ shape, rowAxes }: Layout): boolean {
  const isShape = shape.length >= 1 && shape.length <= 4 && shape.every((axis) => axis >= 1);
  const isRow = shape.length === 4 ? rowAxes === 2 || rowAxes === 3 : rowAxes === 1;
  return isShape && isRow && shape.reduce((a, b) => a * b, 1) <= limits.elements;
}

function isVoidForKeepers(alone: Alone): boolean {
  const { node, layouts, microBatch } = alone;
  if (![node.output, ...layouts].every(isLayout) || microBatch > limits.microBatch) return true;
  if (Object.values(node.attributes).some((value) => value === -(2 ** 31))) return true;
  try {
    checkByOpcode(new AloneCheck(alone));
    return false;
  } catch (error) {
    assert.ok(error instanceof VoidProgramError || error instanceof TypeError, String(error));
    return true;
  }
}

const values = [-(2 ** 31), -1, 0, 1, 2, 3, 4, 8, 15, 16, 22, 64, 255, 256, 65_535, 65_536, 2 ** 31 - 1];

/** One change that may or may not make a node void. */
function mutate(random: Random, alone: Alone): Alone {
  const { node, layouts } = alone;
  const names: readonly string[] = attributeNames[node.opcode];
  const changed = (layout: Layout): Layout => {
    const axis = random.int(0, layout.shape.length - 1);
    const shape = layout.shape.map((length, i) =>
      i === axis ? random.pick([length + 1, Math.max(0, length - 1), 2 * length, 0, 1, 70_000]) : length,
    );
    return random.pick(
      [
        { ...layout, shape },
        { ...layout, dtype: random.pick(Object.keys(dtypes) as Dtype[]) },
        { ...layout, rowAxes: random.int(1, Math.min(layout.shape.length, 3)) },
        { ...layout, shape: layout.shape.slice(1), rowAxes: 1 },
      ].filter(({ shape: kept }) => kept.length > 0),
    );
  };
  const kind = random.int(0, 9);
  if (kind < 4 && names.length > 0) {
    const attributes = { ...node.attributes, [random.pick(names)]: random.pick(values) };
    return { ...alone, node: { ...node, attributes } as TapeNode };
  }
  if (kind < 6) return { ...alone, node: { ...node, output: changed(node.output) } as TapeNode };
  if (kind < 8 && layouts.length > 0) {
    const at = random.int(0, layouts.length - 1);
    return { ...alone, layouts: layouts.map((layout, i) => (i === at ? changed(layout) : layout)) };
  }
  if (kind === 8) {
    const count = random.pick([layouts.length + 1, Math.max(0, layouts.length - 1)]);
    const more = Array.from({ length: Math.min(count, 5) }, (_, i) => layouts[i] ?? node.output);
    return { ...alone, node: { ...node, inputs: more.map((_, i) => i) } as TapeNode, layouts: more };
  }
  const other = random.pick([8, 16] as const);
  return random.chance(50)
    ? { ...alone, bits: other }
    : { ...alone, microBatch: random.pick([1, 8, 2 ** 20, 2 ** 21]) };
}

describe("NodeRules", async () => {
  const { contract: harness } = await deployHarness("OpeningHarness");
  const areVoid = (descriptors: readonly Hex[], tape: number, index = place) =>
    harness.read.areVoid([descriptors, BigInt(tape), BigInt(index)]);
  const describeAlone = (alone: Alone): Hex =>
    descriptorBytes({ ...alone, tape: tapeOf(alone.node.opcode), index: place });
  const aloneOf = (opcode: Opcode, seed: number, count: number): Alone[] =>
    generateCases(opcode, seed, count).map(({ bits, microBatch, node, inputs }) => ({
      bits,
      microBatch,
      node,
      layouts: inputs.map(({ layout }) => layout),
    }));

  for (const opcode of Object.keys(opcodes) as Opcode[]) {
    it(`${opcode}: what the contract calls void is what the keepers' rules refuse`, async () => {
      const random = new Random(23, opcode);
      const whole = aloneOf(opcode, 29, 16);
      const nodes = slotted.includes(opcode)
        ? whole
        : whole.flatMap((alone) => [alone, ...Array.from({ length: 16 }, () => mutate(random, alone))]);
      const found = await areVoid(nodes.map(describeAlone), tapeOf(opcode));
      const expected = nodes.map((alone) => !slotted.includes(opcode) && isVoidForKeepers(alone));
      for (const [i, node] of nodes.entries()) {
        assert.equal(found[i], expected[i], JSON.stringify(node));
      }
      if (slotted.includes(opcode)) return;
      assert.ok(expected.some((isVoid) => isVoid) && expected.some((isVoid) => !isVoid), opcode);
    });
  }

  it("bytes that are no descriptor are void, and so is one at another place", async () => {
    const [alone] = aloneOf("MATMUL", 31, 1);
    const descriptor = describeAlone(alone!);
    assert.deepEqual(await areVoid([descriptor], 0), [false]);
    assert.deepEqual(await areVoid([descriptor], 1), [true]);
    assert.deepEqual(await areVoid([descriptor], 0, place + 1), [true]);
    const broken = [
      slice(descriptor, 0, -1),
      concatHex([descriptor, "0x00"]),
      "0x" as const,
      slice(descriptor, 0, 8),
      concatHex([slice(descriptor, 0, 5), "0x1c", slice(descriptor, 6)]),
      concatHex([slice(descriptor, 0, 5), "0x00", slice(descriptor, 6)]),
      concatHex([slice(descriptor, 0, 6), "0x0c", slice(descriptor, 7)]),
    ];
    assert.deepEqual(
      await areVoid(broken, 0),
      broken.map(() => true),
    );
    // An input that does not stand before the node.
    const late = descriptorBytes({
      ...alone!,
      index: place,
      node: { ...alone!.node, inputs: alone!.node.inputs.map(() => place) } as TapeNode,
    });
    assert.equal(size(late), size(descriptor));
    assert.deepEqual(await areVoid([late], 0), [true]);
  });

  it("the limits are the keepers'", async () => {
    assert.deepEqual((await harness.read.limits()).map(Number), [
      limits.elements,
      limits.nodesPerTape,
      limits.microBatch,
      limits.microBatches,
      limits.windowArea,
      limits.stride,
      limits.terms,
      limits.addInputs,
      limits.probabilityBitsLeast,
      limits.probabilityBitsMost,
      limits.probabilityBitsAboveClasses,
      limits.openingBytes,
      limits.factor,
      limits.factorShift,
      Number(accumulatorLimit),
      leastExponent,
      shiftLimit,
      alignBits,
    ]);
    assert.equal(limits.stride, limits.pad);
  });
});
