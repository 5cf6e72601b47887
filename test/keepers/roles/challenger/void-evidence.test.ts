import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, concat, type Hex, hexToBytes, keccak256 } from "viem";
import { decodeDescriptor, programRoot } from "../../../../keepers/src/core/exact/tape/descriptor.ts";
import { VoidProgramError } from "../../../../keepers/src/core/exact/tape/errors.ts";
import { validateProgram } from "../../../../keepers/src/core/exact/tape/validate.ts";
import { voidEvidence } from "../../../../keepers/src/roles/challenger/void-evidence.ts";
import { OrderRefusedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import { VoidModelError } from "../../../../keepers/src/training/compiler/errors.ts";
import { sampleProgram } from "../../core/exact/sample-program.ts";

/** A program with one node whose output has a shape that its rule does not give. */
const program = (() => {
  const sound = sampleProgram;
  const [tape, ...rest] = sound.tapes;
  const nodes = tape.map((node, i) =>
    i === tape.length - 1 ? { ...node, output: { ...node.output, shape: [...node.output.shape, 2] } } : node,
  );
  return { ...sound, tapes: [nodes, ...rest] } as typeof sound;
})();

const refusal = (() => {
  try {
    validateProgram(program);
  } catch (error) {
    assert.ok(error instanceof VoidProgramError);
    const { message, place } = error;
    const cause = new VoidModelError(message, program, place, { cause: error });
    return { place, error: new OrderRefusedError("package", message, { cause }) };
  }
  throw assert.fail("the program is sound");
})();

/** The root above a leaf: the siblings from the bottom, on the side that the leaf's number says. */
function rootAbove(leaf: Hex, index: number, siblings: readonly Hex[]): Hex {
  return siblings.reduce<Hex>(
    (node, sibling, level) =>
      keccak256(concat((index >> level) % 2 === 0 ? ["0x01", node, sibling] : ["0x01", sibling, node])),
    leaf,
  );
}

describe("evidence that a program is void", () => {
  const root = bytesToHex(programRoot(program));

  it("is the node that breaks the rule, with its path to the root of the order", () => {
    const evidence = voidEvidence(refusal.error, root)!;
    const { tape, node } = refusal.place;
    assert.deepEqual([evidence.tape, evidence.index], [BigInt(tape!), BigInt(node!)]);
    const descriptor = decodeDescriptor(hexToBytes(evidence.descriptor));
    assert.deepEqual([descriptor.tape, descriptor.index], [tape, node]);
    const before = program.tapes.slice(0, tape).reduce((sum, nodes) => sum + nodes.length, 0);
    const leaf = keccak256(concat(["0x00", evidence.descriptor]));
    assert.equal(rootAbove(leaf, before + node!, evidence.siblings), root);
  });

  it("is none when the order commits to another program, or something else is wrong", () => {
    assert.equal(voidEvidence(refusal.error, `0x${"11".repeat(32)}`), undefined);
    assert.equal(voidEvidence(new OrderRefusedError("package", "it is none"), root), undefined);
    const whole = new VoidModelError("the tape ends nowhere", program, { tape: 0 }, {});
    assert.equal(voidEvidence(whole, root), undefined);
  });
});
