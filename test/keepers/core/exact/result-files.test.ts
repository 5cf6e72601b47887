import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { dataRoot } from "../../../../keepers/src/core/exact/commitment.ts";
import { packTensor } from "../../../../keepers/src/core/exact/packing.ts";
import {
  checkpointFile,
  checkpointLeaves,
  decodeLeaves,
  decodeState,
  encodeLeaves,
  encodeState,
  leavesFileBytes,
  stateFileBytes,
} from "../../../../keepers/src/core/exact/result-files.ts";
import { recordedRefusals } from "../refusals.ts";
import { sampleProgram } from "./sample-program.ts";

const throws = recordedRefusals("exact/result-files");

const sizes = sampleProgram.state.map(({ layout }) =>
  layout.shape.reduce((product, side) => product * side, 1),
);
const state = sizes.map((size, slot) =>
  Int32Array.from({ length: size }, (_, i) => (i - 7) * 1_000_003 + slot),
);
const hash = (byte: number): Hex => `0x${byte.toString(16).padStart(2, "0").repeat(32)}`;
const trace = { steps: 25, interval: 8 };
const leaves = Array.from({ length: 5 }, (_, i) => ({
  stateRoot: hash(i + 1),
  h: hash(i === 0 ? 0 : i + 100),
}));

describe("the file of a state", () => {
  it("is a directory of 64 bytes a slot, and every slot's tensor as its leaves are", () => {
    const bytes = encodeState(sampleProgram, state);
    assert.equal(bytes.length, stateFileBytes(sampleProgram));
    const view = new DataView(bytes.buffer);
    let start = 64 * state.length;
    for (const [slot, { layout, exponent }] of sampleProgram.state.entries()) {
      const packed = packTensor(layout, state[slot]!);
      assert.deepEqual(bytes.subarray(64 * slot, 64 * slot + 32), dataRoot(layout, state[slot]!));
      assert.equal(view.getBigInt64(64 * slot + 32), exponent < 0 ? -1n : 0n);
      assert.equal(view.getBigInt64(64 * slot + 40), BigInt(exponent));
      assert.equal(view.getBigUint64(64 * slot + 56), BigInt(start));
      assert.deepEqual(bytes.subarray(start, start + packed.length), packed);
      start += packed.length;
    }
    assert.equal(start, bytes.length);
    assert.deepEqual(decodeState(sampleProgram, bytes), state);
  });

  it("is refused where directory and tensors contradict each other", () => {
    for (const at of [0, 40, 63, 64 * state.length + 3]) {
      const bytes = encodeState(sampleProgram, state);
      bytes[at]! ^= 1;
      throws(() => decodeState(sampleProgram, bytes), BadInputError, `byte ${at}`);
    }
  });

  it("is refused at another length, and with -2^31, which is no weight", () => {
    const bytes = encodeState(sampleProgram, state);
    throws(() => decodeState(sampleProgram, bytes.subarray(4)), BadInputError);
    throws(() => decodeState(sampleProgram, new Uint8Array([...bytes, 0])), BadInputError);
    bytes.set([0x80, 0, 0, 0], 64 * state.length);
    throws(() => decodeState(sampleProgram, bytes), BadInputError);
  });
});

describe("checkpoints of a result", () => {
  it("stand at whole intervals inside the trace, four at most", () => {
    assert.deepEqual(checkpointLeaves({ steps: 40, interval: 5 }), [1, 3, 4, 6]);
    assert.deepEqual(checkpointLeaves({ steps: 9_370, interval: 96 }), [19, 39, 58, 78]);
    assert.deepEqual(checkpointLeaves({ steps: 7, interval: 3 }), [1, 2]);
    assert.deepEqual(checkpointLeaves({ steps: 3, interval: 3 }), []);
    assert.equal(checkpointFile(19), "2-state-0000000019");
    const names = [9, 10, 100].map(checkpointFile);
    assert.deepEqual(names.toSorted(), names);
  });
});

describe("the file of the leaves", () => {
  it("is 64 bytes for each leaf of the trace", () => {
    const bytes = encodeLeaves(leaves);
    assert.equal(bytes.length, 5 * 64);
    assert.equal(leavesFileBytes(trace.steps, trace.interval), bytes.length);
    assert.deepEqual([...bytes.subarray(64, 66), ...bytes.subarray(96, 98)], [2, 2, 101, 101]);
    assert.deepEqual(decodeLeaves(bytes, trace), leaves);
  });

  it("is refused when it is not as long as such a trace", () => {
    const bytes = encodeLeaves(leaves);
    throws(() => decodeLeaves(bytes.subarray(64), trace), BadInputError);
    throws(() => decodeLeaves(bytes, { steps: 33, interval: 8 }), BadInputError);
  });
});
