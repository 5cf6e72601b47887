import assert from "node:assert/strict";
import { test } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  BinaryTree,
  depthOf,
  joinRoots,
  RootBuilder,
  verifyBinaryProof,
} from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { bundleLeaf, bundlesTree } from "../../../../keepers/src/core/merkle/bundles-root.ts";
import { leafHash, nodeHash, prefixedHash } from "../../../../keepers/src/core/merkle/keccak.ts";
import { objectHash, objectTree } from "../../../../keepers/src/core/merkle/object-hash.ts";
import { randomBytes, seededRandom } from "../erasure/random.ts";
import { recordedRefusals } from "../refusals.ts";
import { leafOf, pieces, rootOf } from "./reference.ts";

const throws = recordedRefusals("merkle/binary-tree");

test("hashes equal noble's keccak256 at every length around a block", () => {
  const random = seededRandom(41);
  for (const length of [
    0, 1, 7, 8, 31, 64, 133, 134, 135, 136, 137, 271, 272, 496, 1023, 1024, 5000, 65000,
  ]) {
    const bytes = randomBytes(random, length);
    assert.deepEqual(Buffer.from(leafHash(bytes)), leafOf(bytes), `${length} bytes`);
    assert.deepEqual(leafHash(bytes), leafHash(bytes), "a second hash does not depend on the first");
  }
  const [left, right] = [randomBytes(random, 32), randomBytes(random, 32)];
  assert.deepEqual(nodeHash(left, right), keccak_256(Buffer.concat([Uint8Array.of(1), left, right])));
  assert.deepEqual(
    prefixedHash(7, left, right.subarray(5)),
    keccak_256(Buffer.concat([Uint8Array.of(7), left, right.subarray(5)])),
  );
  throws(() => leafHash(new Uint8Array(70000)), RangeError);
  // A page of memory without what stands before the message, in whole blocks, less a byte of padding and the prefix.
  const most = 65278;
  throws(() => leafHash(new Uint8Array(most + 1)), RangeError);
  const longest = randomBytes(random, most);
  assert.deepEqual(Buffer.from(leafHash(longest)), leafOf(longest), "the longest one");
});

test("every way to build a tree gives the root of the definition", () => {
  const random = seededRandom(42);
  const builder = new RootBuilder();
  throws(() => builder.root(), BadInputError);
  const leaves: Uint8Array[] = [];
  for (let count = 1; count <= 70; count++) {
    leaves.push(randomBytes(random, 32));
    builder.push(leaves.at(-1)!);
    const expected = rootOf(leaves);
    const list = Buffer.concat(leaves);
    assert.deepEqual(Buffer.from(builder.root()), expected, `builder, ${count} leaves`);
    assert.deepEqual(Buffer.from(new BinaryTree(list).root), expected, `tree, ${count} leaves`);
    assert.deepEqual(Buffer.from(joinRoots(list)), expected, `join, ${count} leaves`);
    assert.equal(builder.count, count);
  }
  assert.deepEqual([1, 2, 3, 4, 5, 16384].map(depthOf), [0, 1, 2, 2, 3, 14]);
});

test("the root of one leaf is the leaf", () => {
  const leaf = leafHash(Uint8Array.of(1));
  assert.deepEqual(new BinaryTree(leaf).root, leaf);
  assert.deepEqual(new BinaryTree(leaf).proof(0), []);
});

test("subtree roots join to the root over all leaves", () => {
  const leaves = randomBytes(seededRandom(43), 21 * 32);
  const parts = pieces(leaves, 8 * 32).map((part) => joinRoots(part, 0, 3));
  assert.deepEqual(joinRoots(Buffer.concat(parts), 3), joinRoots(leaves));
});

test("proofs hold for each leaf and for nothing else", () => {
  const random = seededRandom(44);
  for (const count of [1, 2, 3, 5, 8, 13]) {
    const leaves = Array.from({ length: count }, () => randomBytes(random, 32));
    const tree = new BinaryTree(Buffer.concat(leaves));
    const { root } = tree;
    leaves.forEach((leaf, index) => {
      const siblings = tree.proof(index);
      const proof = { root, leaf, index, leaves: count, siblings };
      assert.equal(verifyBinaryProof(proof), true);
      assert.equal(verifyBinaryProof({ ...proof, leaf: randomBytes(random, 32) }), false);
      assert.equal(verifyBinaryProof({ ...proof, root: randomBytes(random, 32) }), false);
      assert.equal(verifyBinaryProof({ ...proof, siblings: [...siblings, root] }), false);
      assert.equal(verifyBinaryProof({ ...proof, index: count }), false);
      assert.equal(verifyBinaryProof({ ...proof, index: -1 }), false);
      assert.equal(verifyBinaryProof({ ...proof, index: 0.5 }), false);
      if (count > 1) {
        assert.equal(verifyBinaryProof({ ...proof, index: (index + 1) % count }), false);
        assert.equal(verifyBinaryProof({ ...proof, siblings: siblings.slice(1) }), false);
        const changed = siblings.map((sibling) => sibling.slice());
        changed[0]![31] = changed[0]![31]! ^ 1;
        assert.equal(verifyBinaryProof({ ...proof, siblings: changed }), false);
        assert.equal(
          verifyBinaryProof({ ...proof, siblings: siblings.map((sibling) => sibling.subarray(1)) }),
          false,
        );
      }
    });
    throws(() => tree.proof(count), BadInputError);
  }
});

test("an inner node does not pass for a leaf in a shallower tree", () => {
  const leaves = randomBytes(seededRandom(45), 4 * 32);
  const tree = new BinaryTree(leaves);
  const inner = nodeHash(leaves.subarray(0, 32), leaves.subarray(32, 64));
  const siblings = [tree.proof(0)[1]!];
  assert.equal(verifyBinaryProof({ root: tree.root, leaf: inner, index: 0, leaves: 4, siblings }), false);
});

test("an object's hash is the root over its chunks of 1 KiB, the last one short", () => {
  const random = seededRandom(46);
  for (const length of [1, 784, 1024, 1025, 4096, 5000]) {
    const object = randomBytes(random, length);
    const expected = rootOf(pieces(object, 1024).map(leafOf));
    assert.deepEqual(Buffer.from(objectHash(object)), expected, `${length} bytes`);
    assert.deepEqual(Buffer.from(objectTree(object).root), expected);
  }
  throws(() => objectHash(new Uint8Array(0)), BadInputError);
});

test("bundlesRoot is over uint32 index and both roots of each bundle", () => {
  const random = seededRandom(47);
  const bundles = Array.from({ length: 11 }, () => ({
    poseidonRoot: randomBytes(random, 32),
    transportRoot: randomBytes(random, 32),
  }));
  const leaves = bundles.map(({ poseidonRoot, transportRoot }, index) =>
    leafOf(Buffer.concat([Uint8Array.of(0, 0, 0, index), poseidonRoot, transportRoot])),
  );
  assert.deepEqual(Buffer.from(bundlesTree(bundles).root), rootOf(leaves));
  const [{ poseidonRoot, transportRoot }] = bundles as [(typeof bundles)[number]];
  assert.deepEqual(
    Buffer.from(bundleLeaf(0x01020304, bundles[0]!)),
    leafOf(Buffer.concat([Uint8Array.of(1, 2, 3, 4), poseidonRoot, transportRoot])),
  );
  throws(() => bundleLeaf(2 ** 32, bundles[0]!), BadInputError);
  throws(() => bundleLeaf(0, { poseidonRoot: new Uint8Array(31), transportRoot }), BadInputError);
});

test("lists that are not hashes are refused", () => {
  throws(() => new BinaryTree(new Uint8Array(0)), /0 bytes are not a list of 32-byte hashes/);
  throws(() => new BinaryTree(new Uint8Array(33)), /33 bytes are not a list of 32-byte hashes/);
  throws(() => joinRoots(new Uint8Array(33)), BadInputError);
  throws(() => new RootBuilder().push(new Uint8Array(31)), BadInputError);
  throws(() => depthOf(0), BadInputError);
});
