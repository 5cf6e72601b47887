import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodePacked, type Hex } from "viem";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import {
  decodeDescriptor,
  descriptorOf,
  encodeDescriptor,
  programLeafIndex,
  programRoot,
  programTree,
} from "../../../../../keepers/src/core/exact/tape/descriptor.ts";
import { verifyBinaryProof } from "../../../../../keepers/src/core/merkle/binary-tree.ts";
import { leafHash } from "../../../../../keepers/src/core/merkle/keccak.ts";
import { leafOf, rootOf } from "../../merkle/reference.ts";
import { recordedRefusals } from "../../refusals.ts";
import { sampleProgram } from "../sample-program.ts";

const throws = recordedRefusals("exact/tape/descriptor");

const bytesOf = (hex: Hex): Buffer => Buffer.from(hex.slice(2), "hex");
const places = sampleProgram.tapes.flatMap((nodes, tape) => nodes.map((_, index) => [tape, index] as const));

/** Node 5 of the sample: MATMUL of [4, 20] and [3, 20] with a bias. */
const matmul = bytesOf(
  encodePacked(
    ["uint8", "uint32", "uint8", "uint8", "uint8"].concat(
      ["uint8", "uint8", "uint8", "uint32", "uint32"],
      ["uint8"],
      ["uint32", "uint8", "uint8", "uint8", "uint32", "uint32"],
      ["uint32", "uint8", "uint8", "uint8", "uint32", "uint32"],
      ["uint32", "uint8", "uint8", "uint8", "uint32"],
      ["uint8", "int32", "int32"],
    ),
    [0, 5, 7, 16, 2, 2, 2, 1, 4, 3, 3, 0, 1, 2, 1, 4, 20, 3, 1, 2, 1, 3, 20, 4, 2, 1, 1, 3, 2, 9, -16],
  ),
);

describe("descriptor", () => {
  it("has the bytes of the definition", () => {
    assert.deepEqual(Buffer.from(encodeDescriptor(sampleProgram, 0, 5)), matmul);
    assert.deepEqual(decodeDescriptor(matmul).attributes, [9, -16]);
  });

  it("comes back from its bytes for every node", () => {
    for (const [tape, index] of places) {
      const bytes = encodeDescriptor(sampleProgram, tape, index);
      assert.deepEqual(decodeDescriptor(bytes), descriptorOf(sampleProgram, tape, index));
    }
    throws(() => encodeDescriptor(sampleProgram, 3, 0), BadInputError);
    throws(() => encodeDescriptor(sampleProgram, 1, 1), BadInputError);
  });

  it("is refused when it is cut, when bytes are left over, and for values no node has", () => {
    for (let length = 0; length < matmul.length; length++) {
      throws(() => decodeDescriptor(matmul.subarray(0, length)), BadInputError, `${length} bytes`);
    }
    throws(() => decodeDescriptor(Buffer.concat([matmul, Buffer.alloc(1)])), /left over/);
    const changed: [number, number, RegExp][] = [
      [0, 3, /tape/],
      [1, 255, /node/],
      [5, 0, /opcode/],
      [5, 28, /opcode/],
      [5, 10, /attributes/],
      [6, 12, /profile/],
      [7, 21, /micro-batch/],
      [8, 6, /type/],
      [9, 0, /axes/],
      [9, 5, /axes/],
      [10, 0, /row/],
      [10, 3, /row/],
      [11, 255, /elements/],
      [14, 0, /elements/],
      [19, 6, /inputs/],
      [23, 5, /stand before/],
    ];
    for (const [at, value, message] of changed) {
      const wrong = Buffer.from(matmul);
      wrong[at] = value;
      throws(() => decodeDescriptor(wrong), message, `byte ${at} = ${value}`);
      throws(() => decodeDescriptor(wrong), BadInputError);
    }
  });

  it("stands in the program's tree, tape after tape", () => {
    const descriptors = places.map(([tape, index]) => encodeDescriptor(sampleProgram, tape, index));
    const root = programRoot(sampleProgram);
    assert.deepEqual(Buffer.from(root), rootOf(descriptors.map(leafOf)));
    const tree = programTree(sampleProgram);
    places.forEach(([tape, index], place) => {
      assert.equal(programLeafIndex(sampleProgram, tape, index), place);
      const leaf = leafHash(descriptors[place]!);
      const proof = { root, leaf, index: place, leaves: places.length, siblings: tree.proof(place) };
      assert.ok(verifyBinaryProof(proof));
    });
    assert.notDeepEqual(programRoot({ ...sampleProgram, bits: 8 }), root);
    throws(() => programRoot({ ...sampleProgram, tapes: [[], [], []] }), BadInputError);
  });
});
