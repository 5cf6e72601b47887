import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { BinaryTree } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { BundleCommitment } from "../../../../keepers/src/core/merkle/bundle-commitment.ts";
import { BundleCommitter, commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { cellElements, cellOf } from "../../../../keepers/src/core/merkle/cell.ts";
import {
  coverTree,
  QuaternaryTree,
  toDigest,
  toInteger,
} from "../../../../keepers/src/core/merkle/quaternary-tree.ts";
import { sliceBytes } from "../../../../keepers/src/core/merkle/slice.ts";
import { randomBytes, seededRandom } from "../erasure/random.ts";
import { circomlibPoseidon } from "../poseidon/circomlib.ts";
import { recordedRefusals } from "../refusals.ts";
import { digest, integer, leafOf, pieces, rootOf } from "./reference.ts";

const throws = recordedRefusals("merkle/bundle-commitment");

type Hash = (inputs: readonly bigint[]) => bigint;

function possessionRoot(hash: Hash, leaves: readonly bigint[], depth: number): bigint {
  let level = [...leaves];
  let empty = 0n;
  for (let at = 0; at < depth; at++) {
    const children = level;
    const absent = empty;
    level = Array.from({ length: Math.ceil(children.length / 4) }, (_, i) =>
      hash([0, 1, 2, 3].map((child) => children[4 * i + child] ?? absent)),
    );
    empty = hash(new Array(4).fill(absent));
  }
  return level[0]!;
}

const padded = (cell: Uint8Array): Uint8Array => Buffer.concat([cell, new Uint8Array(496 - cell.length)]);
const elementsOf = (cell: Uint8Array): bigint[] => pieces(padded(cell), 31).map(integer);

test("both roots are those of the definitions, for bundles of one cell and of odd sizes", async () => {
  const hash = await circomlibPoseidon();
  const random = seededRandom(51);
  for (const length of [1, 31, 495, 496, 497, 5 * 496, 33 * 496 + 100]) {
    const bundle = randomBytes(random, length);
    const cells = pieces(bundle, 496).map(padded);
    const commitment = commitBundle(bundle);
    assert.equal(commitment.cells, cells.length);
    assert.deepEqual(Buffer.from(commitment.transportRoot), rootOf(cells.map(leafOf)), `${length} bytes`);
    const leaves = cells.map((cell) => hash(elementsOf(cell)));
    assert.equal(integer(commitment.poseidonRoot), possessionRoot(hash, leaves, 7), `${length} bytes`);
  }
});

test("bundles of several slices have the roots of the trees over all their cells", () => {
  const random = seededRandom(52);
  for (const cells of [1023, 1024, 1025, 2048, 2049.5]) {
    const commitment = commitBundle(randomBytes(random, cells * 496));
    assert.equal(commitment.cells, Math.ceil(cells));
    assert.deepEqual(commitment.transport.root, commitment.transportRoot, `${cells} cells`);
    assert.deepEqual(commitment.possession.root, commitment.poseidonRoot, `${cells} cells`);
  }
});

test("a bundle that streams in odd chunks has the same commitment", () => {
  const random = seededRandom(53);
  const bundle = randomBytes(random, 2 * sliceBytes + 777);
  const expected = commitBundle(bundle).toBytes();
  const committer = new BundleCommitter();
  for (let at = 0; at < bundle.length; ) {
    const length = 1 + Math.floor(random() * 300000);
    committer.update(bundle.subarray(at, at + length));
    at += length;
  }
  assert.deepEqual(committer.finish().toBytes(), expected);
});

test("one changed byte changes both roots", () => {
  const bundle = randomBytes(seededRandom(54), 3000);
  const before = commitBundle(bundle);
  bundle[2999] = bundle[2999]! ^ 1;
  const after = commitBundle(bundle);
  assert.notDeepEqual(after.poseidonRoot, before.poseidonRoot);
  assert.notDeepEqual(after.transportRoot, before.transportRoot);
});

test("a path leads from each present or absent leaf to the root", async () => {
  const hash = await circomlibPoseidon();
  const bundle = randomBytes(seededRandom(55), 21 * 496);
  const { possession, poseidonRoot } = commitBundle(bundle);
  for (const index of [0, 3, 4, 20, 21, 16383]) {
    let node = index < 21 ? hash(elementsOf(bundle.subarray(index * 496, (index + 1) * 496))) : 0n;
    const path = possession.path(index);
    assert.equal(path.length, 7);
    path.forEach((children, level) => {
      assert.equal(children[Math.floor(index / 4 ** level) % 4], node, `leaf ${index}, level ${level}`);
      node = hash(children);
    });
    assert.equal(node, integer(poseidonRoot));
  }
  throws(() => possession.path(16384), BadInputError);
  throws(() => possession.path(-1), BadInputError);
});

test("a cover is the tree over up to 64 roots with unused ones 0", async () => {
  const hash = await circomlibPoseidon();
  const roots = [5n, 6n, 7n, 8n, 9n];
  const cover = coverTree(roots.map(digest));
  assert.equal(integer(cover.root), possessionRoot(hash, roots, 3));
  assert.equal(cover.path(4).length, 3);
  throws(() => coverTree(new Array(65).fill(digest(1n))), BadInputError);
  throws(() => coverTree([new Uint8Array(31)]), BadInputError);
  throws(() => coverTree([]), BadInputError);
});

test("a sidecar comes back as it was", () => {
  const bundle = randomBytes(seededRandom(56), 40 * 496 + 3);
  const commitment = commitBundle(bundle);
  const bytes = commitment.toBytes();
  const restored = BundleCommitment.fromBytes(bytes);
  assert.deepEqual(restored.poseidonRoot, commitment.poseidonRoot);
  assert.deepEqual(restored.transport.proof(17), commitment.transport.proof(17));
  assert.deepEqual(restored.possession.path(40), commitment.possession.path(40));
});

test("a damaged sidecar is refused whatever byte is damaged, and says what to do", () => {
  const bytes = commitBundle(randomBytes(seededRandom(57), 3 * 496)).toBytes();
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = bytes.slice();
    damaged[at] = damaged[at]! ^ 1;
    throws(() => BundleCommitment.fromBytes(damaged), BadInputError, `byte ${at}`);
  }
  throws(
    () => BundleCommitment.fromBytes(bytes.subarray(1)),
    (error: unknown) => error instanceof BadInputError && /made again/.test(error.next ?? ""),
  );
  throws(() => BundleCommitment.fromBytes(bytes.subarray(0, bytes.length - 1)), BadInputError);
  throws(() => BundleCommitment.fromBytes(new Uint8Array(0)), BadInputError);
  throws(() => BundleCommitment.fromBytes(Buffer.concat([bytes, Buffer.alloc(1)])), /wrong length/);
  // A head that names as many cells as follow, but none, or more than a bundle has.
  for (const cells of [0, 16_385]) {
    const named = new Uint8Array(44 + 120 * cells);
    named.set(bytes.subarray(0, 12));
    new DataView(named.buffer).setUint32(8, cells);
    throws(() => BundleCommitment.fromBytes(named), /wrong length/, `${cells} cells`);
  }
  const other = bytes.slice();
  other[12] = other[12]! ^ 1;
  throws(() => BundleCommitment.fromBytes(other), /checksum does not match/);
});

test("every node that slices were joined from is that of the trees over all cells", () => {
  const random = seededRandom(58);
  for (const cells of [1, 2, 5, 1023, 1024, 1025, 2048, 2049.5, 3 * 1024 + 17]) {
    const commitment = commitBundle(randomBytes(random, Math.ceil(cells * 496)));
    const { possession, transport } = commitment;
    const leavesOf = (tree: { node(level: number, index: number): Uint8Array }) =>
      Buffer.concat(Array.from({ length: commitment.cells }, (_, i) => tree.node(0, i)));
    assert.deepEqual(
      transport.inner.map((level) => Buffer.from(level)),
      new BinaryTree(leavesOf(transport)).inner.map((level) => Buffer.from(level)),
      `${cells} cells`,
    );
    const restored = BundleCommitment.fromBytes(commitment.toBytes());
    const last = commitment.cells - 1;
    for (const index of [0, last, 16_383])
      assert.deepEqual(restored.possession.path(index), possession.path(index));
    assert.deepEqual(restored.transport.proof(last), transport.proof(last));
  }
});

test("the sidecars of the smallest and of the fullest bundle come back", () => {
  const one = commitBundle(Uint8Array.of(7));
  assert.deepEqual(BundleCommitment.fromBytes(one.toBytes()).poseidonRoot, one.poseidonRoot);
  const leaves = new Uint8Array(16_384 * 32);
  for (let at = 31; at < leaves.length; at += 32) leaves[at] = at >> 5;
  const [possession, transport] = [new QuaternaryTree(leaves, 7), new BinaryTree(leaves)];
  const full = new BundleCommitment({
    possessionLeaves: leaves,
    transportLeaves: leaves,
    possessionInner: possession.inner,
    transportInner: transport.inner,
  });
  assert.equal(BundleCommitment.fromBytes(full.toBytes()).cells, 16_384);
});

test("an empty bundle and one beyond 16384 cells are refused", () => {
  throws(() => commitBundle(new Uint8Array(0)), BadInputError);
  const committer = new BundleCommitter();
  throws(() => committer.update(new Uint8Array(16384 * 496 + 1)), BadInputError);
  throws(() => new QuaternaryTree(new Uint8Array(17 * 32), 2), BadInputError);
});

test("cells are cut and read as the protocol says", () => {
  const bundle = Uint8Array.from({ length: 500 }, (_, i) => i);
  assert.deepEqual(cellElements(cellOf(bundle, 0)), pieces(bundle.subarray(0, 496), 31).map(integer));
  assert.deepEqual([...cellOf(bundle, 1)], [240, 241, 242, 243, ...new Array(492).fill(0)]);
  throws(() => cellOf(bundle, 2), BadInputError);
  throws(() => cellOf(bundle, -1), BadInputError);
  throws(() => cellElements(new Uint8Array(495)), BadInputError);
  assert.equal(toInteger(toDigest(12345678901234567890123n)), 12345678901234567890123n);
});
