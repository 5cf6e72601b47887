import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, type Hex, hexToBytes, keccak256, numberToHex, size, slice, toHex } from "viem";
import { tensorCommitment } from "../../../keepers/src/core/exact/commitment.ts";
import { leafGeometry } from "../../../keepers/src/core/exact/packing.ts";
import type { Dtype, Layout, TapeNode, Tensor } from "../../../keepers/src/core/exact/tape/types.ts";
import { BinaryTree } from "../../../keepers/src/core/merkle/binary-tree.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { deployHarness } from "./harness.ts";
import { CommittedTensor, descriptorBytes, flipByte } from "./openings.ts";

const leafVerdicts = { wrongProof: 0, notCanonical: 1, canonical: 2 } as const;
const elementVerdicts = { right: 0, wrongExponent: 1, exponentTooSmall: 2, wrongMantissa: 3 } as const;

const widths: Record<Dtype, number> = { I8: 1, I16: 2, I32: 4, I64: 8, U8: 1, U32: 4 };

/** Rows that share leaves, fill one, or are cut; last leaves and chunks that are full or not. */
const layouts: Layout[] = [
  { dtype: "I16", shape: [5], rowAxes: 1 },
  { dtype: "I16", shape: [9, 13], rowAxes: 1 },
  { dtype: "I8", shape: [37, 3, 2], rowAxes: 1 },
  { dtype: "I32", shape: [6, 70], rowAxes: 1 },
  { dtype: "I16", shape: [3, 5, 12, 40], rowAxes: 2 },
  { dtype: "I16", shape: [7, 3, 2, 100], rowAxes: 3 },
  { dtype: "I64", shape: [3, 300], rowAxes: 1 },
  { dtype: "U8", shape: [2, 1025], rowAxes: 1 },
  { dtype: "U32", shape: [2, 2, 256], rowAxes: 2 },
  { dtype: "I16", shape: [1, 1], rowAxes: 2 },
];

function randomTensor(random: Random, layout: Layout): Tensor {
  const bits = 8 * widths[layout.dtype];
  const most = layout.dtype === "I64" ? 2 ** 52 - 1 : 2 ** (bits - 1) - 1;
  const range = layout.dtype.startsWith("U") ? ([0, 2 ** bits - 1] as const) : ([-most, most] as const);
  const elements = layout.shape.reduce((product, axis) => product * axis, 1);
  const mantissas = Float64Array.from({ length: elements }, () => random.int(...range));
  return { layout, exponent: random.int(-2_000, 2_000), mantissas };
}

/** A node whose output has the layout. */
function relu(output: Layout): Hex {
  const node: TapeNode = { opcode: "RELU", inputs: [1], output, attributes: {} };
  return descriptorBytes({ bits: 16, microBatch: 1, node, layouts: [output] });
}

describe("openings", async () => {
  const { contract: harness } = await deployHarness("OpeningHarness");

  it("reads any elements from their leaves, and finds the commitment of the tensor", async () => {
    const random = new Random(1, "read");
    for (const layout of layouts) {
      const tensor = randomTensor(random, layout);
      const committed = new CommittedTensor(tensor);
      const count = tensor.mantissas.length;
      for (const wanted of [1, 2, 5, 40]) {
        const elements = Array.from({ length: wanted }, () => random.int(0, count - 1));
        const [commitment, mantissas] = await harness.read.read([
          relu(layout),
          committed.open(elements),
          elements.map(BigInt),
        ]);
        assert.equal(commitment, committed.commitment);
        assert.deepEqual(
          mantissas,
          elements.map((element) => BigInt(tensor.mantissas[element]!)),
          `${layout.dtype} ${layout.shape}`,
        );
      }
    }
  });

  it("refuses an element whose leaf is not opened, and one that does not exist", async () => {
    const tensor = randomTensor(new Random(2, "absent"), layouts[4]!);
    const committed = new CommittedTensor(tensor);
    const opening = committed.open([0]);
    await assert.rejects(harness.read.read([relu(tensor.layout), opening, [2_000n]]), /NotOpened/);
    await assert.rejects(harness.read.read([relu(tensor.layout), opening, [7_200n]]), /NoSuchElement/);
    const none = await harness.read.read([relu(tensor.layout), committed.open([]), []]);
    assert.equal(none[0], committed.commitment);
  });

  it("any changed byte of an opening leads to another commitment or to none", async () => {
    const random = new Random(3, "tampering");
    const tensor = randomTensor(random, layouts[4]!);
    const committed = new CommittedTensor(tensor);
    const opening = committed.open([100, 101, 5_000]);
    for (let run = 0; run < 60; run++) {
      const tampered = flipByte(opening, random.int(0, size(opening) - 1));
      try {
        const [commitment] = await harness.read.read([relu(tensor.layout), tampered, []]);
        assert.notEqual(commitment, committed.commitment);
      } catch (error) {
        assert.match(String(error), /WrongLeaves|NoSuchLeaves|reverted|gas/);
      }
    }
  });

  it("leaves cannot stand for those beside them", async () => {
    const tensor = randomTensor(new Random(4, "place"), layouts[4]!);
    const committed = new CommittedTensor(tensor);
    const elements = committed.tree.geometry.leafElements(3).first;
    const opening = committed.open([elements]);
    const moved = concatHex([slice(opening, 0, 5), numberToHex(2, { size: 4 }), slice(opening, 9)]);
    const [commitment] = await harness.read.read([relu(tensor.layout), moved, []]);
    assert.notEqual(commitment, committed.commitment);
    const beyond = concatHex([
      slice(opening, 0, 5),
      numberToHex(committed.tree.geometry.leaves, { size: 4 }),
      slice(opening, 9),
    ]);
    await assert.rejects(harness.read.read([relu(tensor.layout), beyond, []]), /NoSuchLeaves/);
  });

  it("one exponent cannot stand for another", async () => {
    const committed = new CommittedTensor(randomTensor(new Random(5, "exponent"), layouts[1]!));
    const opening = committed.open([0]);
    const moved = concatHex([
      numberToHex(committed.tensor.exponent + 1, { size: 4, signed: true }),
      slice(opening, 4),
    ]);
    const [commitment] = await harness.read.read([relu(committed.tensor.layout), moved, []]);
    assert.equal(commitment, toHex(tensorCommitment(committed.tree.root, committed.tensor.exponent + 1)));
    assert.notEqual(commitment, committed.commitment);
  });

  it("tells a leaf that is not canonical from one that is not the committed one", async () => {
    const random = new Random(6, "canonical");
    for (const layout of layouts) {
      const tensor = randomTensor(random, layout);
      const geometry = leafGeometry(layout);
      const index = random.int(0, geometry.leaves - 1);
      const { tree } = new CommittedTensor(tensor);
      const honest = tree.leaf(index);
      const judge = (leaf: Uint8Array, root: Uint8Array, proof: Uint8Array[]) =>
        harness.read.leaf([
          relu(layout),
          toHex(root),
          BigInt(index),
          toHex(leaf),
          proof.map((node) => toHex(node)),
        ]);
      const canonical = await judge(honest, tree.root, tree.proof(index));
      assert.equal(canonical, leafVerdicts.canonical, `${layout.dtype} ${layout.shape}`);

      const another = hexToBytes(flipByte(toHex(honest), random.int(0, honest.length - 1)));
      assert.equal(await judge(another, tree.root, tree.proof(index)), leafVerdicts.wrongProof);
      const short = honest.subarray(0, honest.length - 1);
      assert.equal(await judge(short, tree.root, tree.proof(index)), leafVerdicts.wrongProof);

      // The same tree over a leaf that a dishonest party made up.
      const recommitted = (leaf: Uint8Array) => {
        const leaves = Array.from({ length: geometry.leaves }, (_, i) => (i === index ? leaf : tree.leaf(i)));
        const hashes = leaves.map((each) => keccak256(concatHex(["0x00", toHex(each)])));
        const other = new BinaryTree(hexToBytes(concatHex(hashes)));
        return judge(leaf, other.root, other.proof(index));
      };
      const width = widths[layout.dtype];
      const used = (geometry.rowElements * width) % geometry.rowBytes;
      if (geometry.chunksPerRow === 1 && used !== 0) {
        const padded = honest.slice();
        padded[random.int(used, geometry.rowBytes - 1)] = 1;
        assert.equal(await recommitted(padded), leafVerdicts.notCanonical, `padding of ${layout.dtype}`);
      }
      if (layout.dtype.startsWith("U")) continue;
      const low = honest.slice();
      const { offset } = geometry.locate(geometry.leafElements(index).first);
      low.fill(0, offset, offset + width);
      low[offset] = layout.dtype === "I64" ? 0x10 : 0x80;
      assert.equal(await recommitted(low), leafVerdicts.notCanonical, `range of ${layout.dtype}`);
    }
  });

  it("−2^15 is canonical where a probability less one stands, and nowhere else", async () => {
    const output: Layout = { dtype: "I16", shape: [2, 3], rowAxes: 1 };
    const tensor = { layout: output, exponent: -15, mantissas: Float64Array.of(0, -32_768, 5, 1, 2, 3) };
    const { tree } = new CommittedTensor(tensor);
    const layoutsOf: Layout[] = [
      { dtype: "U32", shape: [2, 3], rowAxes: 1 },
      { dtype: "I64", shape: [2], rowAxes: 1 },
      { dtype: "U8", shape: [2], rowAxes: 1 },
    ];
    for (const [flags, expected] of [
      [0, leafVerdicts.canonical],
      [16, leafVerdicts.notCanonical],
    ] as const) {
      const node: TapeNode = {
        opcode: "SOFTMAX_GRAD",
        inputs: [1, 2, 3],
        output,
        attributes: { flags, probabilityBits: 15 },
      };
      const descriptor = descriptorBytes({ bits: 16, microBatch: 2, node, layouts: layoutsOf });
      const leaf = [descriptor, toHex(tree.root), 0n, toHex(tree.leaf(0)), []] as const;
      assert.equal(await harness.read.leaf([...leaf]), expected);
    }
  });

  it("a descriptor is the program's at its own place alone", async () => {
    const output: Layout = { dtype: "I16", shape: [4], rowAxes: 1 };
    const counts = [3, 2, 2] as const;
    const descriptors = counts.flatMap((count, tape) =>
      Array.from({ length: count }, (_, index) => {
        const node: TapeNode = { opcode: "RELU", inputs: [0], output, attributes: {} };
        return descriptorBytes({ tape, index, bits: 16, microBatch: 1, node, layouts: [output] });
      }),
    );
    const hashes = descriptors.map((each) => keccak256(concatHex(["0x00", each])));
    const tree = new BinaryTree(hexToBytes(concatHex(hashes)));
    const nodeCounts = counts.map(BigInt) as [bigint, bigint, bigint];
    const verify = (descriptor: Hex, place: number, root = toHex(tree.root)) =>
      harness.read.verify([descriptor, tree.proof(place).map((node) => toHex(node)), root, nodeCounts]);
    for (const [place, descriptor] of descriptors.entries()) {
      const tape = place < 3 ? 0 : place < 5 ? 1 : 2;
      const index = place - [0, 3, 5][tape]!;
      assert.deepEqual(await verify(descriptor, place), [BigInt(tape), BigInt(index)]);
    }
    await assert.rejects(verify(descriptors[3]!, 4), /WrongDescriptor/);
    await assert.rejects(verify(flipByte(descriptors[3]!, 6), 3), /WrongDescriptor/);
    // A place that belongs to the next tape.
    await assert.rejects(verify(flipByte(descriptors[2]!, 4), 2), /NoSuchNode|WrongDescriptor/);
    const beyond = concatHex([
      slice(descriptors[2]!, 0, 1),
      numberToHex(3, { size: 4 }),
      slice(descriptors[2]!, 5),
    ]);
    await assert.rejects(verify(beyond, 3), /NoSuchNode/);
    await assert.rejects(verify(concatHex([descriptors[0]!, "0x00"]), 0), /MalformedDescriptor/);
    await assert.rejects(verify(slice(descriptors[0]!, 0, -1), 0), /MalformedDescriptor/);
  });
});

describe("finish rules", async () => {
  const { contract: harness } = await deployHarness("OpeningHarness");
  const output: Layout = { dtype: "I16", shape: [4], rowAxes: 1 };
  const wide: Layout = { dtype: "I32", shape: [4], rowAxes: 1 };
  const requantize = descriptorBytes({
    bits: 16,
    microBatch: 1,
    node: { opcode: "REQUANTIZE", inputs: [0], output, attributes: {} },
    layouts: [wide],
  });
  const judge = (accumulator: bigint, from: number, mantissa: bigint, to: number) =>
    harness.read.judge([requantize, accumulator, BigInt(from), mantissa, BigInt(to)]);
  const isWitness = (accumulator: bigint, from: number, to: number) =>
    harness.read.isWitness([requantize, accumulator, BigInt(from), BigInt(to)]);

  it("an exponent is too small exactly when an element does not fit", async () => {
    // (2^16 − 1)·2^3 / 2 is the first magnitude that rounds out of 16 bits at s = 3.
    const edge = (2n ** 16n - 1n) * 4n;
    assert.equal(await judge(edge - 1n, -7, 32_767n, -4), elementVerdicts.right);
    assert.equal(await judge(1n - edge, -7, -32_767n, -4), elementVerdicts.right);
    assert.equal(await judge(edge, -7, 32_768n, -4), elementVerdicts.exponentTooSmall);
    assert.equal(await judge(-edge, -7, -32_767n, -4), elementVerdicts.exponentTooSmall);
  });

  it("an exponent is not too large exactly when an element needs it, or it is the least one", async () => {
    const edge = (2n ** 16n - 1n) * 4n;
    assert.equal(await isWitness(edge, -7, -3), true);
    assert.equal(await isWitness(-edge, -7, -3), true);
    assert.equal(await isWitness(edge - 1n, -7, -3), false);
    assert.equal(await isWitness(0n, -7, -7), true);
    assert.equal(await isWitness(5n, -600, -512), true);
    assert.equal(await isWitness(5n, -600, -511), false);
  });

  it("no exponent below that of the accumulator or −512", async () => {
    assert.equal(await judge(5n, -7, 10n, -8), elementVerdicts.wrongExponent);
    assert.equal(await judge(5n, -600, 0n, -513), elementVerdicts.wrongExponent);
    assert.equal(await judge(5n, -600, 0n, -512), elementVerdicts.right);
  });

  it("an exponent out of all proportion is judged, not refused", async () => {
    assert.equal(await judge(5n, -7, 0n, 2 ** 31 - 1), elementVerdicts.right);
    assert.equal(await judge(-5n, -(2 ** 31), 0n, 2 ** 31 - 1), elementVerdicts.right);
    assert.equal(await isWitness(5n, -(2 ** 31), 2 ** 31 - 1), false);
  });
});
