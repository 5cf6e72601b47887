import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  allocateMantissas,
  dtypeBytes,
  elementsOf,
  leafGeometry,
  packTensor,
  unpackLeaf,
  unpackTensor,
} from "../../../../keepers/src/core/exact/packing.ts";
import { dtypeRange, mantissaRange } from "../../../../keepers/src/core/exact/tape/ranges.ts";
import { type Dtype, dtypes, type Layout } from "../../../../keepers/src/core/exact/tape/types.ts";
import { seededRandom } from "../erasure/random.ts";
import { recordedRefusals } from "../refusals.ts";
import { leavesOf } from "./packing-reference.ts";
import { sampleProgram } from "./sample-program.ts";

const throws = recordedRefusals("exact/packing");

const random = seededRandom(401);
const shapes: [number[], number][] = [
  [[1], 1],
  [[33], 1],
  [[7, 1], 1],
  [[9, 5], 1],
  [[3, 64], 1],
  [[2, 65], 1],
  [[5, 257], 1],
  [[2, 1500], 1],
  [[3, 4, 5], 1],
  [[3, 4, 5], 3],
  [[6, 5, 5, 3], 3],
  [[2, 3, 7, 40], 2],
  [[2, 128], 2],
];
const layouts: Layout[] = shapes.flatMap(([shape, rowAxes]) =>
  Object.keys(dtypes).map((dtype) => ({ dtype: dtype as Dtype, shape, rowAxes })),
);

function randomMantissas({ dtype, shape }: Layout) {
  const { min, max } = dtypeRange(dtype);
  const mantissas = allocateMantissas(dtype, elementsOf(shape));
  mantissas.forEach((_, i) => {
    const drawn = random();
    mantissas[i] = drawn < 0.1 ? min : drawn > 0.9 ? max : Math.round(min + random() * (max - min));
  });
  return mantissas;
}

describe("packing", () => {
  it("cuts every layout into the leaves of the definition, and back", () => {
    for (const layout of layouts) {
      const name = JSON.stringify(layout);
      const mantissas = randomMantissas(layout);
      const geometry = leafGeometry(layout);
      const packed = packTensor(layout, mantissas);
      const expected = leavesOf(layout, mantissas);
      assert.equal(geometry.leaves, expected.length, name);
      const restored: number[] = [];
      expected.forEach((leaf, i) => {
        assert.equal(geometry.leafBytes(i), leaf.length, name);
        const start = geometry.leafStart(i);
        assert.deepEqual(Buffer.from(packed.subarray(start, start + leaf.length)), Buffer.from(leaf), name);
        const { first, mantissas: inside } = unpackLeaf(layout, i, leaf);
        assert.equal(first, restored.length);
        assert.deepEqual(geometry.leafElements(i), { first, count: inside.length });
        restored.push(...inside);
      });
      assert.deepEqual(restored, [...mantissas], name);
      assert.deepEqual(unpackTensor(layout, packed), mantissas, name);
    }
  });

  it("locates every element", () => {
    for (const layout of layouts) {
      const geometry = leafGeometry(layout);
      const mantissas = randomMantissas(layout);
      const leaves = leavesOf(layout, mantissas);
      const width = dtypeBytes[layout.dtype];
      mantissas.forEach((mantissa, i) => {
        const { leaf, offset } = geometry.locate(i);
        const bytes = leaves[leaf]!.subarray(offset, offset + width);
        const unsigned = BigInt(`0x${bytes.toString("hex")}`);
        const isSigned = layout.dtype.startsWith("I");
        const value = isSigned ? BigInt.asIntN(8 * width, unsigned) : unsigned;
        if (value !== BigInt(mantissa)) assert.fail(`element ${i} of ${JSON.stringify(layout)}`);
      });
    }
  });

  it("writes the same bytes into a buffer that it has used before", () => {
    const layout: Layout = { dtype: "I32", shape: [5, 9], rowAxes: 1 };
    const target = new Uint8Array(leafGeometry(layout).packedBytes);
    packTensor(layout, randomMantissas(layout), undefined, target);
    const mantissas = randomMantissas(layout);
    assert.deepEqual(packTensor(layout, mantissas, undefined, target), packTensor(layout, mantissas));
  });

  it("refuses to pack mantissas that nobody could open", () => {
    const layout: Layout = { dtype: "I32", shape: [2], rowAxes: 1 };
    throws(() => packTensor(layout, Int32Array.of(1)), BadInputError);
    throws(() => packTensor(layout, Int32Array.of(1, -(2 ** 31))), BadInputError);
    throws(() => packTensor(layout, Float64Array.of(1, Number.NaN)), BadInputError);
    throws(() => packTensor({ ...layout, dtype: "U8" }, Int32Array.of(256, 0)), BadInputError);
  });

  it("refuses every leaf that is not canonical", () => {
    for (const layout of layouts) {
      const { leaves, leafElements } = leafGeometry(layout);
      const bytes = leavesOf(layout, randomMantissas(layout))[leaves - 1]!;
      const at = leaves - 1;
      throws(() => unpackLeaf(layout, at, bytes.subarray(1)), BadInputError);
      throws(() => unpackLeaf(layout, at, Buffer.concat([bytes, Buffer.alloc(32)])), BadInputError);
      const width = dtypeBytes[layout.dtype];
      const { rowElements, rowBytes, chunksPerRow } = leafGeometry(layout);
      const dataEnd = chunksPerRow === 1 ? rowElements * width : leafElements(at).count * width;
      if (dataEnd % 32 !== 0) {
        for (const place of [dataEnd, Math.ceil(dataEnd / 32) * 32 - 1, bytes.length - 1]) {
          const wrong = Buffer.from(bytes);
          wrong[place] = 1;
          throws(() => unpackLeaf(layout, at, wrong), /padding/, `${JSON.stringify(layout)} at ${place}`);
        }
      }
      if (layout.dtype.startsWith("I")) {
        const wrong = Buffer.from(bytes);
        wrong.fill(0, 0, width);
        wrong[0] = 0x80;
        throws(() => unpackLeaf(layout, at, wrong), /outside/, JSON.stringify(layout));
      }
      assert.ok(rowBytes >= dataEnd);
    }
    const layout: Layout = { dtype: "I64", shape: [1], rowAxes: 1 };
    const bytes = Buffer.alloc(32);
    bytes.writeBigInt64BE(2n ** 52n);
    throws(() => unpackLeaf(layout, 0, bytes), /outside/);
    bytes.writeBigInt64BE(-(2n ** 63n) + 1n);
    throws(() => unpackLeaf(layout, 0, bytes), /outside/);
    bytes.writeBigInt64BE(-(2n ** 52n) + 1n);
    assert.deepEqual([...unpackLeaf(layout, 0, bytes).mantissas], [-(2 ** 52) + 1]);
    for (const leaf of [-1, 1, 0.5]) throws(() => unpackLeaf(layout, leaf, bytes), BadInputError);
    throws(() => unpackTensor(layout, new Uint8Array(64)), BadInputError);
    throws(() => leafGeometry(layout).locate(1), BadInputError);
  });

  it("knows the ranges that are narrower or wider than a type", () => {
    const tape = sampleProgram.tapes[0];
    assert.deepEqual(mantissaRange(tape, 0), { min: -255, max: 255 });
    assert.deepEqual(mantissaRange(tape, 1), { min: 0, max: 2 });
    assert.deepEqual(mantissaRange(tape, 3), { min: -32767, max: 32767 });
    assert.deepEqual(mantissaRange(tape, 9), { min: -32768, max: 32767 });
    assert.deepEqual(mantissaRange(tape, 10), { min: -32768, max: 32767 });
    assert.deepEqual(mantissaRange(tape, 11), { min: -255, max: 255 });
    const layout: Layout = { dtype: "I16", shape: [1], rowAxes: 1 };
    const bytes = Buffer.alloc(32);
    bytes.writeInt16BE(-32768);
    throws(() => unpackLeaf(layout, 0, bytes), /outside/);
    assert.equal(unpackLeaf(layout, 0, bytes, mantissaRange(tape, 9)).mantissas[0], -32768);
    assert.deepEqual(
      packTensor(layout, Int16Array.of(-32768), mantissaRange(tape, 9)),
      new Uint8Array(bytes),
    );
  });
});
