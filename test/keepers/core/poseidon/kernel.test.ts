import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { fusedArithmetic } from "../../../../keepers/src/core/poseidon/fused-arithmetic.ts";
import { integerArithmetic } from "../../../../keepers/src/core/poseidon/integer-arithmetic.ts";
import {
  bestArithmetic,
  PoseidonKernel,
  poseidonKernel,
} from "../../../../keepers/src/core/poseidon/kernel.ts";
import { engineFeatures } from "../../../../keepers/src/core/wasm/features.ts";
import { randomBytes, seededRandom } from "../erasure/random.ts";
import { recordedRefusals } from "../refusals.ts";
import { circomlibPoseidon } from "./circomlib.ts";

const throws = recordedRefusals("poseidon/kernel");

const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const integer = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const bytesOf = (value: bigint): Uint8Array => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
const split = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

const kernels = new Map([["integer", new PoseidonKernel(integerArithmetic)]]);
if (engineFeatures().fusedMultiplyAdd) kernels.set("fused", new PoseidonKernel(fusedArithmetic));

for (const [name, kernel] of kernels) {
  test(`${name}: cells hash as sixteen 31-byte inputs do in circomlibjs`, async () => {
    const theirs = await circomlibPoseidon();
    const cells = randomBytes(seededRandom(31), 40 * 496);
    cells.fill(0, 0, 496);
    cells.fill(255, 496, 2 * 496);
    cells.fill(0, 2 * 496 + 31, 3 * 496);
    const expected = split(cells, 496).map((cell) => theirs(split(cell, 31).map(integer)));
    assert.deepEqual(split(kernel.hashCells(cells), 32).map(integer), expected);
  });

  test(`${name}: nodes hash as four 32-byte inputs do in circomlibjs`, async () => {
    const theirs = await circomlibPoseidon();
    const random = seededRandom(32);
    const children = [
      0n,
      1n,
      order - 1n,
      order - 2n,
      2n ** 253n,
      order >> 1n,
      (order >> 1n) + 1n,
      2n ** 248n,
    ];
    while (children.length < 160) children.push(integer(randomBytes(random, 32)) % order);
    const bytes = Buffer.concat(children.map(bytesOf));
    for (const same of [0n, order - 1n]) {
      const digest = kernel.hashNodes(Buffer.concat(new Array(4).fill(bytesOf(same))));
      assert.equal(integer(digest), theirs(new Array(4).fill(same)));
    }
    const expected = split(bytes, 128).map((node) => theirs(split(node, 32).map(integer)));
    assert.deepEqual(split(kernel.hashNodes(bytes), 32).map(integer), expected);
  });

  test(`${name}: any count gives the same digests as one at a time`, () => {
    const cells = randomBytes(seededRandom(33), 261 * 496);
    const all = kernel.hashCells(cells);
    for (const count of [0, 1, 2, 3, 127, 128, 129]) {
      assert.deepEqual(
        kernel.hashCells(cells.subarray(0, count * 496)),
        all.subarray(0, count * 32),
        `${count} cells`,
      );
    }
    assert.deepEqual(kernel.hashCells(cells.subarray(260 * 496)), all.subarray(260 * 32));
  });

  test(`${name}: partial messages and children outside the field are refused`, () => {
    throws(() => kernel.hashCells(new Uint8Array(495)), BadInputError);
    throws(() => kernel.hashNodes(new Uint8Array(127)), BadInputError);
    const children = new Uint8Array(256);
    children.set(bytesOf(order), 160);
    throws(() => kernel.hashNodes(children), /child 5 is not a field element/);
    children.fill(255, 160, 192);
    throws(() => kernel.hashNodes(children), BadInputError);
    children.set(bytesOf(order - 1n), 160);
    assert.equal(kernel.hashNodes(children).length, 64);
  });
}

test("both arithmetics agree on thousands of hashes", { skip: kernels.size < 2 }, () => {
  const cells = randomBytes(seededRandom(34), 2048 * 496);
  const digests = kernels.get("fused")!.hashCells(cells);
  assert.deepEqual(digests, kernels.get("integer")!.hashCells(cells));
  assert.deepEqual(kernels.get("fused")!.hashNodes(digests), kernels.get("integer")!.hashNodes(digests));
});

test("a thread shares one kernel, with fused arithmetic only where the machine rounds once", () => {
  assert.equal(poseidonKernel(), poseidonKernel());
  assert.equal(bestArithmetic() === fusedArithmetic, engineFeatures().fusedMultiplyAdd);
});
