import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, type Hex, hexToBytes, keccak256, numberToHex } from "viem";
import { depthOf, verifyBinaryProof } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { leafHash } from "../../../../keepers/src/core/merkle/keccak.ts";
import { objectHash } from "../../../../keepers/src/core/merkle/object-hash.ts";
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import type { ObjectSource } from "../../../../keepers/src/training/data/types.ts";
import { Naming } from "../../../../keepers/src/training/dispute/claimed-tree.ts";
import type { Round } from "../../../../keepers/src/training/dispute/moves.ts";
import {
  levelsDown,
  nodesBelow,
  PostedNodes,
  siblingsOf,
  treeOf,
} from "../../../../keepers/src/training/dispute/nodes.ts";
import { openObject } from "../../../../keepers/src/training/dispute/objects.ts";

const hash = (label: number): Hex => keccak256(numberToHex(label));

describe("trees that are narrowed", () => {
  it("go down in the fewest rounds of seven levels, and at once up to 192 leaves", () => {
    const rounds = (leaves: number): number[] => {
      const widths: number[] = [];
      for (let level = depthOf(leaves); level > 0; level -= widths.at(-1)!) {
        widths.push(levelsDown(level, leaves));
      }
      return widths;
    };
    assert.deepEqual([1, 2, 192, 193, 16_384, 16_385, 2 ** 21 + 1].map(rounds), [
      [],
      [1],
      [8],
      [4, 4],
      [7, 7],
      [5, 5, 5],
      [6, 6, 5, 5],
    ]);
  });

  it("are known from what was posted down to a leaf: every sibling on the way", () => {
    const leaves = Array.from({ length: 1_000 }, (_, i) => hash(i));
    const tree = treeOf(leaves);
    for (const leaf of [0, 511, 512, 996, 999]) {
      const posted = new PostedNodes(leaves.length);
      let level = tree.depth;
      while (level > 0) {
        const index = Math.floor(leaf / 2 ** level);
        const nodes = nodesBelow(tree, level, index);
        const position = { level: BigInt(level), index: BigInt(index), leaves: 1_000n };
        const naming = new Naming({ position } as Round, nodes);
        posted.add(level, index, nodes);
        const number = naming.numberAbove(leaf)!;
        const [, child, siblings] = naming.child(number);
        const down = levelsDown(level, leaves.length);
        const at = Math.floor(leaf / 2 ** (level - down));
        assert.equal(child, bytesToHex(tree.node(level - down, at)));
        assert.deepEqual(siblings, siblingsOf(tree, at, level - down, level));
        level -= down;
      }
      const expected = tree.proof(leaf).map((node) => bytesToHex(node));
      const found = expected.map((sibling, at) => posted.node(at, Math.floor(leaf / 2 ** at) ^ 1) ?? sibling);
      assert.deepEqual(found, expected);
      assert.equal(posted.node(tree.depth, 0), bytesToHex(tree.root));
    }
  });
});

describe("the bytes of an object", () => {
  it("are opened below the root over all objects, across chunks too", async () => {
    const objectBytes = 2_100;
    const count = 11;
    const bytes = Uint8Array.from({ length: count * objectBytes }, (_, i) => (i * 31) >> 3);
    const source = new MemoryObjects("objects", objectBytes, bytes);
    const objects = Array.from({ length: count }, (_, i) =>
      bytes.subarray(i * objectBytes, (i + 1) * objectBytes),
    );
    const root = treeOf(objects.map((object) => bytesToHex(objectHash(object)))).root;
    for (const [index, offset, width, chunks] of [
      [0, 0, 1, 1],
      [7, 1_022, 4, 2],
      [8, 2_047, 2, 2],
      [10, 2_096, 4, 1],
    ] as const) {
      const opened = await openObject(source, index, { offset, width });
      assert.equal(opened.raw, bytesToHex(objects[index]!.subarray(offset, offset + width)));
      assert.equal(opened.chunks.length, chunks);
      const hashes = opened.chunks.map((chunk, i) => ({
        leaf: leafHash(hexToBytes(chunk)),
        index: Math.floor(offset / 1_024) + i,
        siblings: opened.chunkProofs[i]!.map((node) => hexToBytes(node)),
      }));
      const object = objectHash(objects[index]!);
      for (const each of hashes) assert.ok(verifyBinaryProof({ root: object, leaves: 3, ...each }));
      const siblings = opened.objectProof.map((node) => hexToBytes(node));
      assert.ok(verifyBinaryProof({ root, leaf: object, index, leaves: count, siblings }));
    }
  });

  it("are found with few reads, each of a mebibyte at most, and of one object where that is longer", async () => {
    for (const [objectBytes, count, most] of [
      [2_100, 1_100, 499],
      [2 ** 20 + 1, 4, 1],
    ] as const) {
      const source = new MemoryObjects("objects", objectBytes, new Uint8Array(count * objectBytes).fill(7));
      const reads: number[] = [];
      const counted: ObjectSource = {
        ...{ name: source.name, objectBytes, count, close: () => source.close() },
        read(indices) {
          reads.push(indices.length);
          return source.read(indices);
        },
      };
      await openObject(counted, 0, { offset: 0, width: 1 });
      assert.equal(Math.max(...reads), most);
      // The object itself, and every object once.
      assert.equal(
        reads.reduce((sum, each) => sum + each, 0),
        count,
      );
      assert.ok(reads.every((each) => each > 0));
      assert.equal(reads.length, objectBytes > 2 ** 20 ? 4 : 13);
    }
  });
});
