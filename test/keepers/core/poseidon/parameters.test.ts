import assert from "node:assert/strict";
import { test } from "node:test";
import { inverse, power, reduce } from "../../../../keepers/src/core/poseidon/field.ts";
import { poseidonParameters } from "../../../../keepers/src/core/poseidon/parameters.ts";
import { poseidon } from "../../../../keepers/src/core/poseidon/reference.ts";
import { makeSchedule, runSchedule } from "../../../../keepers/src/core/poseidon/schedule.ts";
import { recordedRefusals } from "../refusals.ts";
import { circomlibConstants, circomlibPoseidon } from "./circomlib.ts";

const throws = recordedRefusals("poseidon/parameters");

const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

test("the derived constants of every width are circomlib's", () => {
  const { C, M } = circomlibConstants();
  for (let t = 2; t <= 17; t++) {
    const { roundConstants, mds } = poseidonParameters(t);
    assert.deepEqual(roundConstants, C[t - 2]!.map(BigInt), `constants of t = ${t}`);
    assert.deepEqual(
      mds,
      M[t - 2]!.map((row) => row.map(BigInt)),
      `matrix of t = ${t}`,
    );
  }
  throws(() => poseidonParameters(1), RangeError);
  throws(() => poseidonParameters(18), RangeError);
});

test("poseidon([1, 2]) is the value published with circomlib", () => {
  assert.equal(
    poseidon([1n, 2n]),
    7853200120776062878684798364095072458815029376092732009249414926327459813530n,
  );
});

test("the reference and its recurrence form equal circomlibjs for every number of inputs", async () => {
  const theirs = await circomlibPoseidon();
  for (let count = 1; count <= 16; count++) {
    const inputs = Array.from({ length: count }, (_, i) => reduce(power(7n, BigInt(1000 * count + i))));
    const expected = theirs(inputs);
    assert.equal(poseidon(inputs), expected, `${count} inputs`);
    assert.equal(
      runSchedule(makeSchedule(poseidonParameters(count + 1)), inputs),
      expected,
      `${count} inputs`,
    );
  }
});

test("the largest and smallest inputs hash as in circomlibjs, larger ones are refused", async () => {
  const theirs = await circomlibPoseidon();
  for (const value of [0n, order - 1n])
    assert.equal(poseidon(new Array(4).fill(value)), theirs(new Array(4).fill(value)));
  throws(() => poseidon([order]), RangeError);
  throws(() => poseidon([-1n]), RangeError);
});

test("field helpers invert and reduce", () => {
  assert.equal(reduce(-1n), order - 1n);
  assert.equal(power(3n, order - 1n), 1n);
  for (const value of [1n, 2n, order - 1n, 12345678901234567890n])
    assert.equal(reduce(value * inverse(value)), 1n);
  throws(() => inverse(order), RangeError);
});
