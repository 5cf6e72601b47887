import assert from "node:assert/strict";
import { test } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { toHex } from "viem";
import { evaluateCells, openCell, openCoveredCell } from "../../../../keepers/src/core/audit/answer.ts";
import {
  auditPoint,
  bundleIndices,
  coverIndices,
  epochAt,
  registrationPoint,
} from "../../../../keepers/src/core/audit/challenge.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { openingInput } from "../../../../keepers/src/core/groth16/inputs.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { cellOf } from "../../../../keepers/src/core/merkle/cell.ts";
import { coverTree, toInteger } from "../../../../keepers/src/core/merkle/quaternary-tree.ts";
import { randomBytes, seededRandom } from "../erasure/random.ts";
import { integer, pieces } from "../merkle/reference.ts";
import { circomlibPoseidon } from "../poseidon/circomlib.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("audit/challenge");

const order = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const seed = `0x${"5e".repeat(32)}` as const;
const duty = `0x${"d7".repeat(32)}` as const;
const operator = "0x00000000000000000000000000000000000000A1" as const;
const auditContract = "0x00000000000000000000000000000000000000c0" as const;

/** abi.encode of values that each fill one word, hashed: written out by hand. */
const hashWords = (...words: bigint[]): bigint =>
  integer(keccak_256(Buffer.from(words.map((word) => word.toString(16).padStart(64, "0")).join(""), "hex")));

test("epochs begin at the genesis and change at their length", () => {
  assert.deepEqual(
    [100n, 159n, 160n, 400n].map((time) => epochAt(time, 100n, 60n)),
    [0n, 0n, 1n, 5n],
  );
  throws(() => epochAt(99n, 100n, 60n), BadInputError);
  throws(() => epochAt(100n, 100n, 0n), BadInputError);
});

test("rho hashes exactly seed, duty, root, operator, epoch, chain and contract", () => {
  const context = { seed, duty, root: 77n, operator, epoch: 9n, chainId: 59141n, auditContract } as const;
  const expected =
    hashWords(BigInt(seed), BigInt(duty), 77n, BigInt(operator), 9n, 59141n, BigInt(auditContract)) % order;
  assert.equal(auditPoint(context), expected);
  const others = [
    { ...context, seed: duty },
    { ...context, duty: seed },
    { ...context, root: 78n },
    { ...context, operator: auditContract },
    { ...context, epoch: 10n },
    { ...context, chainId: 1n },
    { ...context, auditContract: operator },
  ];
  for (const other of others) assert.notEqual(auditPoint(other), expected);
});

test("a bundle's indices are keccak draws below its cell count", () => {
  for (const cells of [1, 3, 16384]) {
    const indices = bundleIndices({ seed, duty, operator }, cells);
    const expected = Array.from({ length: 16 }, (_, j) =>
      Number(hashWords(BigInt(seed), BigInt(duty), BigInt(operator), BigInt(j)) % BigInt(cells)),
    );
    assert.deepEqual(indices, expected, `${cells} cells`);
  }
  for (const cells of [0, 16385, 1.5])
    throws(() => bundleIndices({ seed, duty, operator }, cells), BadInputError);
});

test("a cover's indices are spread over its cells, and never ask for padding", () => {
  for (let bundles = 1; bundles <= 64; bundles++) {
    const cells = Array.from({ length: bundles }, (_, i) => 1 + ((i * 2731) % 16384));
    const all = cells.flatMap((count, bundle) => Array.from({ length: count }, (_, i) => bundle * 16384 + i));
    const indices = coverIndices({ seed, duty, operator }, cells);
    indices.forEach((index, j) => {
      const h = hashWords(BigInt(seed), BigInt(duty), BigInt(operator), BigInt(j));
      const from = Math.trunc((j * all.length) / 16);
      const to = Math.max(from + 1, Math.trunc(((j + 1) * all.length) / 16));
      assert.equal(index, all[from + Number(h % BigInt(to - from))], `${bundles} bundles, draw ${j}`);
    });
  }
  const few = coverIndices({ seed, duty, operator }, [1, 1, 1]);
  assert.deepEqual(new Set(few), new Set([0, 16384, 2 * 16384]), "fewer cells than draws: each is asked");
  throws(() => coverIndices({ seed, duty, operator }, []), BadInputError);
  throws(() => coverIndices({ seed, duty, operator }, new Array(65).fill(1)), BadInputError);
  throws(() => coverIndices({ seed, duty, operator }, [0]), BadInputError);
});

test("bundles of one cell in a cover shield no large one: it is asked in proportion to its cells", () => {
  const cells = [16384, ...new Array<number>(63).fill(1)];
  let asked = 0;
  for (let epoch = 0; epoch < 100; epoch++) {
    const drawn = { seed: toHex(epoch, { size: 32 }), duty, operator };
    asked += coverIndices(drawn, cells).filter((index) => index < 16384).length;
  }
  // 15.94 of 16 on average; by bundles it was 16 / 64 = 0.25.
  assert.ok(asked >= 1_580, `${asked} of 1600 draws`);
});

test("registration hashes the covering root and 64 roots, unused ones 0", () => {
  const roots = [3n, 4n, 5n];
  const expected = hashWords(99n, ...roots, ...new Array<bigint>(61).fill(0n)) % order;
  assert.equal(registrationPoint(99n, roots), expected);
  throws(() => registrationPoint(99n, []), BadInputError);
  throws(() => registrationPoint(99n, new Array(65).fill(1n)), BadInputError);
});

test("the evaluation is the sum of elements times rising powers of rho", () => {
  const cells = Array.from({ length: 16 }, (_, j) => randomBytes(seededRandom(60 + j), 496));
  const rho = 123456789123456789n;
  let expected = 0n;
  let power = 1n;
  for (const element of cells.flatMap((cell) => pieces(cell, 31).map(integer))) {
    expected = (expected + element * power) % order;
    power = (power * rho) % order;
  }
  assert.equal(evaluateCells(cells, rho), expected);
});

test("opened cells, alone and under a cover, lead to the root and fit the circuits", async () => {
  const hash = await circomlibPoseidon();
  const random = seededRandom(61);
  const bundles = [
    randomBytes(random, 30 * 496),
    randomBytes(random, 20 * 496 + 1),
    randomBytes(random, 100),
  ];
  const commitments = bundles.map((bundle) => commitBundle(bundle));
  const cover = coverTree(commitments.map(({ poseidonRoot }) => poseidonRoot));
  const check = (opened: ReturnType<typeof openCell>, root: bigint): void => {
    const path = opened.children.reduce((node, children, level) => {
      assert.equal(children[Math.floor(opened.index / 4 ** level) % 4], node);
      return hash(children);
    }, hash(opened.elements));
    assert.equal(path, root);
  };

  const indices = bundleIndices({ seed, duty, operator }, commitments[0]!.cells);
  const alone = indices.map((index) =>
    openCell(cellOf(bundles[0]!, index), index, commitments[0]!.possession),
  );
  const root = toInteger(commitments[0]!.poseidonRoot);
  for (const opened of alone) check(opened, root);
  openingInput("possession", { root, rho: 1n, cells: alone });

  const asked = coverIndices(
    { seed, duty, operator },
    commitments.map(({ cells }) => cells),
  );
  const covered = asked.map((index) => {
    const [bundle, cell] = [index >> 14, index & 16383];
    return openCoveredCell(
      cellOf(bundles[bundle]!, cell),
      cell,
      commitments[bundle]!.possession,
      bundle,
      cover,
    );
  });
  assert.deepEqual(
    covered.map(({ index }) => index),
    asked,
  );
  for (const opened of covered) check(opened, toInteger(cover.root));
  openingInput("covering", { root: toInteger(cover.root), rho: 1n, cells: covered });
});
