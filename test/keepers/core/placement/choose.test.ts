import assert from "node:assert/strict";
import { test } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { type Candidate, chooseOperators } from "../../../../keepers/src/core/placement/choose.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("placement/choose");

const seedOf = (n: number) => keccak_256(new TextEncoder().encode(`seed ${n}`));
const operator = (n: number) => `0x${n.toString(16).padStart(40, "0")}` as const;

test("draws distinct operators, the same for every order of the candidates", () => {
  const candidates: Candidate[] = Array.from({ length: 20 }, (_, i) => ({
    operator: operator(i + 1),
    stake: BigInt(i + 1),
  }));
  const chosen = chooseOperators(candidates, seedOf(1), 11);
  assert.equal(new Set(chosen.map((c) => c.operator)).size, 11);
  assert.deepEqual(chooseOperators([...candidates].reverse(), seedOf(1), 11), chosen);
  assert.notDeepEqual(chooseOperators(candidates, seedOf(2), 11), chosen);
});

test("a candidate is drawn first in proportion to its stake", () => {
  const candidates: Candidate[] = [
    { operator: operator(1), stake: 10n ** 18n },
    { operator: operator(2), stake: 3n * 10n ** 18n },
    { operator: operator(3), stake: 6n * 10n ** 18n },
  ];
  const draws = 6000;
  const counts = new Map<string, number>();
  for (let i = 0; i < draws; i++) {
    const first = chooseOperators(candidates, seedOf(i), 1)[0]!.operator;
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  // Chi-square with two degrees of freedom: 13.8 is exceeded with probability 0.001; the seeds are fixed.
  const expected = [0.1, 0.3, 0.6].map((share) => share * draws);
  const chi = expected.reduce((sum, e, i) => sum + ((counts.get(operator(i + 1)) ?? 0) - e) ** 2 / e, 0);
  assert.ok(chi < 13.8, `chi-square ${chi}`);
});

test("operators without stake are never drawn, and fewer come back when there are not enough", () => {
  const candidates: Candidate[] = [
    { operator: operator(1), stake: 0n },
    { operator: operator(2), stake: 5n },
  ];
  assert.deepEqual(chooseOperators(candidates, seedOf(1), 3), [{ operator: operator(2), stake: 5n }]);
  assert.deepEqual(chooseOperators([], seedOf(1), 3), []);
});

test("one operator listed twice, in other letters, is refused", () => {
  const twice: Candidate[] = [
    { operator: "0x00000000000000000000000000000000000000aB", stake: 1n },
    { operator: "0x00000000000000000000000000000000000000Ab", stake: 1n },
  ];
  throws(() => chooseOperators(twice, seedOf(1), 1), /listed twice/);
  throws(() => chooseOperators(twice, new Uint8Array(31), 1), /32 bytes/);
});
