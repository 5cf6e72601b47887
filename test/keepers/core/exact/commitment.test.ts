import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  commitTensor,
  dataRoot,
  intervalSalt,
  StateHasher,
  stateRoot,
  tensorCommitment,
  tensorTree,
  traceLeaf,
  traceLength,
  traceRoot,
  traceTree,
  witnessHash,
} from "../../../../keepers/src/core/exact/commitment.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import type { Layout } from "../../../../keepers/src/core/exact/tape/types.ts";
import { verifyBinaryProof } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { leafHash, plainHash } from "../../../../keepers/src/core/merkle/keccak.ts";
import { randomBytes, seededRandom } from "../erasure/random.ts";
import { leafOf, rootOf } from "../merkle/reference.ts";
import { recordedRefusals } from "../refusals.ts";
import { leavesOf } from "./packing-reference.ts";
import { sampleProgram } from "./sample-program.ts";

const throws = recordedRefusals("exact/commitment");

const random = seededRandom(501);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const keccak = (...parts: Uint8Array[]): Buffer => Buffer.from(keccak_256(Buffer.concat(parts)));
const tag = (text: string): Buffer => keccak(Buffer.from(text));
const int256 = (value: number): Buffer =>
  Buffer.from(BigInt.asUintN(256, BigInt(value)).toString(16).padStart(64, "0"), "hex");
const rootOfData = (layout: Layout, mantissas: ArrayLike<number>): Buffer =>
  rootOf(leavesOf(layout, mantissas).map(leafOf));

const layouts: Layout[] = [
  { dtype: "I32", shape: [3], rowAxes: 1 },
  { dtype: "I32", shape: [120, 300], rowAxes: 1 },
  { dtype: "I16", shape: [6, 5, 5, 3], rowAxes: 3 },
  { dtype: "I8", shape: [37, 90], rowAxes: 1 },
  { dtype: "I64", shape: [200], rowAxes: 1 },
];
const mantissasOf = ({ shape }: Layout): Float64Array =>
  Float64Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.floor(random() * 255) - 127);

describe("commitments", () => {
  it("hash bytes as they are, like noble", () => {
    for (const length of [1, 31, 96, 135, 136, 137, 1000]) {
      const bytes = randomBytes(random, length);
      assert.equal(hex(plainHash(bytes)), hex(keccak_256(bytes)));
    }
    throws(() => plainHash(new Uint8Array()), RangeError);
  });

  it("give the data root and tensor commitment of the definition", () => {
    for (const layout of layouts) {
      const mantissas = mantissasOf(layout);
      const root = rootOfData(layout, mantissas);
      assert.equal(hex(dataRoot(layout, mantissas)), hex(root));
      for (const exponent of [0, -28, 17, -512, -(2 ** 31), 2 ** 31 - 1]) {
        const expected = keccak(tag("assay/tensor/v1"), root, int256(exponent));
        assert.equal(hex(tensorCommitment(root, exponent)), hex(expected), `${exponent}`);
        assert.equal(hex(commitTensor({ layout, mantissas, exponent })), hex(expected));
      }
    }
  });

  it("open every leaf of a tensor", () => {
    for (const layout of layouts) {
      const mantissas = mantissasOf(layout);
      const tree = tensorTree({ layout, mantissas });
      const { leaves } = tree.geometry;
      const expected = leavesOf(layout, mantissas);
      assert.equal(leaves, expected.length);
      for (const index of new Set([0, leaves >> 1, leaves - 1])) {
        assert.equal(hex(tree.leaf(index)), hex(expected[index]!));
        const leaf = leafHash(tree.leaf(index));
        const siblings = tree.proof(index);
        assert.ok(verifyBinaryProof({ root: tree.root, leaf, index, leaves, siblings }));
        const wrong = tree.leaf(index);
        wrong[0] = wrong[0]! ^ 1;
        assert.ok(!verifyBinaryProof({ root: tree.root, leaf: leafHash(wrong), index, leaves, siblings }));
      }
    }
  });

  it("give the state root of the definition, again and again from one hasher", () => {
    const hasher = new StateHasher(sampleProgram);
    for (const seed of [1, 2, 3]) {
      const state = initialState(sampleProgram, randomBytes(seededRandom(seed), 32));
      const slots = sampleProgram.state.map(({ layout, exponent }, i) =>
        keccak(tag("assay/tensor/v1"), rootOfData(layout, state[i]!), int256(exponent)),
      );
      const expected = hex(rootOf(slots.map(leafOf)));
      assert.equal(hex(hasher.root(state)), expected);
      assert.equal(hex(stateRoot(sampleProgram, state)), expected);
      assert.deepEqual(hasher.commitments(state).map(hex), slots.map(hex));
      const tree = hasher.tree(state);
      assert.ok(
        verifyBinaryProof({
          root: tree.root,
          leaf: leafHash(slots[2]!),
          index: 2,
          leaves: 3,
          siblings: tree.proof(2),
        }),
      );
    }
  });

  it("change with one mantissa, one exponent, or the order of slots", () => {
    const state = initialState(sampleProgram, new Uint8Array(32));
    const before = hex(stateRoot(sampleProgram, state));
    const changed = state.map((slot) => slot.slice());
    changed[0]![59]! += 1;
    assert.notEqual(hex(stateRoot(sampleProgram, changed)), before);
    const [weight, bias, momentum] = sampleProgram.state;
    const other = { ...sampleProgram, state: [weight!, bias!, { ...momentum!, exponent: -25 }] };
    assert.notEqual(hex(stateRoot(other, state)), before);
    assert.notEqual(hex(stateRoot(sampleProgram, [state[2]!, state[1]!, state[0]!])), before);
  });

  it("refuse states that are not the program's", () => {
    const state = initialState(sampleProgram, new Uint8Array(32));
    throws(() => stateRoot(sampleProgram, state.slice(1)), BadInputError);
    throws(() => stateRoot(sampleProgram, [state[1]!, state[0]!, state[2]!]), BadInputError);
    state[0]![3] = -(2 ** 31);
    throws(() => stateRoot(sampleProgram, state), BadInputError);
  });

  it("build the trace of the definition, with exactly its leaves", () => {
    const secret = randomBytes(random, 32);
    const roots = Array.from({ length: 4 }, () => randomBytes(random, 32));
    const witnesses = Array.from({ length: 10 }, () => randomBytes(random, 32));
    const hashes = [0, 1, 2].map((i) => {
      const inside = witnesses.slice(4 * i, 4 * i + 4);
      const expected = keccak(keccak(secret, int256(i)), ...inside);
      assert.equal(hex(witnessHash(intervalSalt(secret, i), inside)), hex(expected));
      return expected;
    });
    const expected = roots.map((root, i) =>
      keccak(tag("assay/trace/v1"), root, hashes[i - 1] ?? Buffer.alloc(32)),
    );
    const leaves = roots.map((root, i) => traceLeaf(root, hashes[i - 1]));
    assert.deepEqual(leaves.map(hex), expected.map(hex));
    assert.equal(hex(traceRoot(leaves, 10, 4)), hex(rootOf(expected.map(leafOf))));
    assert.equal(traceTree(leaves, 9, 4).leaves, 4);
    assert.deepEqual([traceLength(1, 32), traceLength(32, 32), traceLength(33, 32)], [2, 2, 3]);
    for (const [steps, interval] of [
      [8, 4],
      [13, 4],
      [0, 4],
      [10, 0],
      [10, 2.5],
    ] as const) {
      throws(() => traceRoot(leaves, steps, interval), BadInputError);
    }
  });

  it("refuse hashes of another length", () => {
    const [short, whole] = [new Uint8Array(31), new Uint8Array(32)];
    throws(() => tensorCommitment(short, 0), BadInputError);
    throws(() => traceLeaf(short), BadInputError);
    throws(() => traceLeaf(whole, short), BadInputError);
    throws(() => witnessHash(whole, [short]), BadInputError);
    throws(() => witnessHash(short, []), BadInputError);
    throws(() => intervalSalt(short, 0), BadInputError);
    throws(() => traceTree([whole, short], 1, 1), BadInputError);
  });
});
