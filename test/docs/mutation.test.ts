import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { digestOf, isAfterAll, keys, note, readLedger } from "../../scripts/mutation/ledger.ts";
import type { Mutant } from "../../scripts/mutation/mutants.ts";
import { type MutationRecord, mergeRecord } from "../../scripts/mutation/record.ts";
import { chooser } from "../../scripts/mutation/sample.ts";
import { blamed, merge, selectorCode, selectorFile } from "../../scripts/mutation/schemata.ts";
import {
  type Contract,
  type Judged,
  nameOf,
  readListed,
  scoreOf,
  shareOf,
} from "../../scripts/mutation/score.ts";
import { solidityRunner } from "../../scripts/mutation/solidity.ts";
import { root } from "../../scripts/setup.ts";

const purse = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

contract Purse {
    uint256 public held;

    function add(uint256 amount) external {
        if (amount != 0) held += amount;
    }

    function take(uint256 amount) external {
        require(amount <= held, "too much");
        held -= amount;
    }

    function half() external view returns (uint256) {
        return _half(held);
    }

    function _half(uint256 value) private pure returns (uint256) {
        return value / 2;
    }
}
`;

const purseTest = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;
import {Purse} from "./Purse.sol";

contract PurseTest {
    function test_whatIsAddedCanBeTaken() external {
        Purse purse = new Purse();
        purse.add(9);
        purse.take(4);
        require(purse.held() == 5 && purse.half() == 2, "wrong");
    }
}
`;

const first = 2 ** 16;
const mutant = (original: string, replacement: string, form: Mutant["form"] = "expression") => {
  const start = purse.indexOf(original);
  return {
    file: "contracts/Purse.sol",
    where: "Purse",
    operator: "Test",
    start,
    end: start + original.length,
    original,
    replacement,
    form,
  };
};
const mutants = [
  mutant("value / 2", "value*2"),
  mutant("held -= amount", "assert(true)", "statement"),
  // Adding nothing changes nothing.
  mutant("amount != 0", "true"),
  mutant("amount != 0", "false"),
].map((each, i) => ({ ...each, id: first + i }));

type Output = {
  errors?: { severity: string; formattedMessage: string }[];
  contracts: Record<
    string,
    Record<
      string,
      { abi: unknown[]; evm: { bytecode: { object: string }; deployedBytecode: { object: string } } }
    >
  >;
};

/** Compiles the merged fixture and its test as Hardhat would. */
function compileTo(folder: string, code: string): void {
  const solc = createRequire(import.meta.url)("solc") as { compile(input: string): string };
  const sources = {
    "Purse.sol": { content: code },
    "Purse.t.sol": { content: purseTest },
    [selectorFile]: { content: selectorCode },
  };
  const settings = {
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  };
  const output = JSON.parse(
    solc.compile(JSON.stringify({ language: "Solidity", sources, settings })),
  ) as Output;
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
  assert.deepEqual(errors, []);
  for (const [source, contracts] of Object.entries(output.contracts))
    for (const [name, { abi, evm }] of Object.entries(contracts)) {
      mkdirSync(join(folder, source), { recursive: true });
      const artifact = {
        contractName: name,
        inputSourceName: source,
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
        linkReferences: {},
        deployedLinkReferences: {},
      };
      writeFileSync(join(folder, source, `${name}.json`), JSON.stringify(artifact));
    }
}

describe("mutants of a contract", async () => {
  const folder = mkdtempSync(join(tmpdir(), "assay-mutants-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const merged = merge(purse, mutants);
  compileTo(folder, merged.code);
  const runner = await solidityRunner(folder);
  const explored = await runner.explore("PurseTest");
  const isKilled = (id: number) =>
    runner.kills({ suite: "PurseTest", mutant: id, effort: "quick", failing: [], gas: explored.gas });

  it("stand side by side in one compilation, and say which of them a test reaches", () => {
    assert.deepEqual(
      explored.reached.toSorted(),
      mutants.map(({ id }) => id),
    );
  });

  it("are killed where they make a difference that the test sees", async () => {
    assert.equal(await isKilled(first), true);
    assert.equal(await isKilled(first + 1), true);
    assert.equal(await isKilled(first + 3), true);
  });

  it("survive where they make no difference", async () => {
    assert.equal(await isKilled(first + 2), false);
    assert.equal(await isKilled(first + mutants.length), false);
  });

  it("are found again from the place of an error in the merged source", () => {
    for (const { id, replacement } of mutants) {
      const mark = merged.marks.find((each) => each.id === id)!;
      assert.equal(merged.code.slice(mark.start, mark.end), replacement);
      assert.deepEqual(blamed(merged, mark.start + 1, mark.end), [id]);
    }
  });

  it("are the same ones whenever some are chosen with the same seed", () => {
    assert.deepEqual(chooser(2, 15)(mutants), chooser(2, 15)(mutants));
    assert.equal(chooser(2, 15)(mutants).length, 2);
    assert.deepEqual(chooser(9, 15)(mutants), mutants);
  });
});

describe("the ledger of a run", () => {
  const folder = mkdtempSync(join(tmpdir(), "assay-ledger-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps of each mutant what says most: that it was killed, or that it survived more than the first suites", () => {
    const path = join(folder, "ledger.jsonl");
    assert.deepEqual([...readLedger(path)], []);
    const entry = (key: string, outcome: Judged["outcome"], by: string) => ({ key, outcome, by });
    const entries = [
      entry("killed at last", "survived", "solidity"),
      entry("left by all", "survived", "solidity"),
      entry("left by the first", "survived", "solidity"),
      entry("endless", "timeout", "PurseTest"),
      entry("killed at last", "killed", "PurseTest"),
      entry("left by all", "survived", "nodejs"),
      entry("left by all", "survived", "solidity"),
      entry("killed at last", "survived", "nodejs"),
    ];
    for (const each of entries) note(each, path);
    const told = readLedger(path);
    const outcomes = [...told].map(([key, { outcome }]) => [key, outcome]);
    assert.deepEqual(outcomes, [
      ["killed at last", "killed"],
      ["left by all", "survived"],
      ["left by the first", "survived"],
      ["endless", "timeout"],
    ]);
    assert.equal(isAfterAll(told.get("left by all")!), true);
    assert.equal(isAfterAll(told.get("left by the first")!), false);
  });

  it("knows a mutant by its contract's source and place", () => {
    const file = "contracts/libraries/Bits.sol";
    const keyOf = keys();
    const [one, other] = mutants.map((each) => keyOf({ ...each, file }));
    assert.equal(one, `${file}@${digestOf(file)}:${mutants[0]!.start}:${mutants[0]!.end}:value*2`);
    assert.notEqual(one, other);
    assert.notEqual(digestOf(file), digestOf("contracts/libraries/Clock.sol"));
  });
});

describe("the score of the mutants", () => {
  const outcomes = ["killed", "timeout", "survived", "survived"] as const;
  const judged = mutants.map((each, i): Judged => ({ ...each, outcome: outcomes[i]! }));

  it("counts those that tests kill among those that are not equivalent", () => {
    const listed = {
      equivalent: [{ mutants: ["Purse: amount != 0 → true"], reason: "Adding nothing changes nothing." }],
      survivors: [],
    };
    const { score, contracts } = scoreOf(judged, listed, () => 8);
    assert.equal(score, 66.6);
    assert.deepEqual(contracts.Purse, {
      mutants: 4,
      killed: 2,
      timeouts: 1,
      equivalent: 1,
      survivors: [{ mutant: "Purse: amount != 0 → false", line: 8 }],
    });
  });

  it("says which mutant was listed as equivalent, and was killed", () => {
    const listed = {
      equivalent: [{ mutants: [nameOf(mutants[0]!)], reason: "Said to be the same, and is not." }],
      survivors: [],
    };
    assert.deepEqual(scoreOf(judged, listed, () => 8).mistaken, [nameOf(mutants[0]!)]);
  });

  it("counts a survivor with a reason as one that survives", () => {
    const listed = {
      equivalent: [],
      survivors: [{ mutants: [nameOf(mutants[2]!)], reason: "Not worth a test." }],
    };
    const { score, contracts } = scoreOf(judged, listed, () => 8);
    assert.equal(score, 50);
    assert.equal(contracts.Purse?.survivors[0]?.reason, "Not worth a test.");
  });

  it("knows no listed mutant without a reason, or of a contract that is not there", () => {
    const files = globSync("contracts/**/*.sol", { cwd: root }).map((path) => path.replaceAll("\\", "/"));
    const { equivalent, survivors } = readListed();
    for (const { mutants: names, reason } of [...equivalent, ...survivors]) {
      assert.match(reason, /^[A-Z][\s\S]{20,}\.$/);
      for (const name of names) {
        const contract = name.split(/[.:]/)[0];
        assert.ok(
          files.some((file) => file.endsWith(`/${contract}.sol`)),
          name,
        );
      }
    }
  });
});

describe("the record of mutants", () => {
  const contract = (mutants: number, killed: number): Contract => ({
    ...{ mutants, killed, timeouts: 0, equivalent: 0, survivors: [] },
  });
  const record = (
    sources: Record<string, string>,
    contracts: Record<string, Contract>,
    refused: string[] = [],
  ): MutationRecord => ({
    ...{
      ok: true,
      score: 0,
      date: "2026-01-01",
      commit: "a",
      machine: "m",
      load: {},
      seconds: 1,
      gambit: "g",
    },
    ...{ sample: { most: 10, seed: 15 }, untried: 0, judgedBefore: 0, sources, contracts },
    refused: refused.map((mutant) => ({ mutant })),
  });
  const earlier = record(
    { "contracts/a/A.sol": "1", "contracts/B.sol": "2", "contracts/C.sol": "3" },
    { "a/A": contract(10, 10), B: contract(10, 5), C: contract(10, 0) },
    ["A.x: 1 → 2", "B.x: 1 → 2", "C.x: 1 → 2"],
  );

  it("takes over what a run of some contracts found, and keeps the others that have not changed", () => {
    const found = record({ "contracts/B.sol": "2" }, { B: contract(10, 9) }, ["B.y: 1 → 2"]);
    const now = { "contracts/a/A.sol": "1", "contracts/B.sol": "2", "contracts/C.sol": "changed" };
    const merged = mergeRecord(found, earlier, now, shareOf);
    assert.deepEqual(merged.contracts, { B: contract(10, 9), "a/A": contract(10, 10) });
    assert.deepEqual(merged.sources, { "contracts/B.sol": "2", "contracts/a/A.sol": "1" });
    assert.deepEqual(merged.refused, [{ mutant: "A.x: 1 → 2" }, { mutant: "B.y: 1 → 2" }]);
    assert.deepEqual([merged.score, merged.judgedBefore], [95, 10]);
  });

  it("does not name a contract that was not judged to the end, and is no record of two samples", () => {
    const found = record({}, { B: contract(4, 4) });
    const now = { "contracts/a/A.sol": "1", "contracts/B.sol": "2", "contracts/C.sol": "3" };
    const merged = mergeRecord(found, earlier, now, shareOf);
    assert.deepEqual(Object.keys(merged.sources), ["contracts/C.sol", "contracts/a/A.sol"]);
    assert.equal(merged.contracts.B, found.contracts.B);
    assert.throws(() => mergeRecord({ ...found, sample: null }, earlier, now, shareOf), /another sample/);
    assert.equal(mergeRecord(found, undefined, now, shareOf), found);
  });
});
