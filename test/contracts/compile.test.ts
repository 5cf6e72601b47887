import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import { severalRuns, wholeProduction } from "../../scripts/hardhat/plugins.ts";

const header = "// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n";
const counter = (name: string, step: number) =>
  `${header}contract ${name} { uint256 public count; function add() external { count += ${step}; } }\n`;

describe("compiling what is deployed", () => {
  let folder: string;
  const write = (path: string, text: string) => writeFile(join(folder, path), text);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-compile-"));
    for (const each of ["contracts", "test"]) await mkdir(join(folder, each));
    await write("package.json", '{ "name": "compiled", "type": "module" }');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Builds contracts, and tests unless only contracts are deployed; by which compilation each contract came. */
  const build = async (withTests: boolean) => {
    const solc = { version: "0.8.37", path: createRequire(import.meta.url).resolve("solc/soljson.js") };
    const settings = { viaIR: true, optimizer: { enabled: true } };
    const hre = await createHardhatRuntimeEnvironment(
      {
        plugins: [severalRuns, wholeProduction],
        paths: { sources: "./contracts", tests: { solidity: "./test" } },
        solidity: {
          profiles: { default: solc, production: { ...solc, isolated: false, settings } },
        },
      },
      { buildProfile: "production" },
      folder,
    );
    await hre.tasks.getTask("build").run({ quiet: true, noTests: !withTests });
    const names = withTests ? ["First", "Second", "Both"] : ["First", "Second"];
    return await Promise.all(
      names.map(async (name) => {
        const { buildInfoId, bytecode } = await hre.artifacts.readArtifact(name);
        return { buildInfoId, bytecode };
      }),
    );
  };

  it("takes all contracts together and without the tests, whatever has changed and was asked for", async () => {
    await write("contracts/First.sol", counter("First", 1));
    await write("contracts/Second.sol", counter("Second", 1));
    const both = `${header}import { First } from "../contracts/First.sol";\ncontract Both { First public first = new First(); }\n`;
    await write("test/Both.sol", both);
    const [first, second, tests] = await build(true);
    assert.equal(first!.buildInfoId, second!.buildInfoId);
    assert.notEqual(tests!.buildInfoId, first!.buildInfoId);
    assert.deepEqual(await build(false), [first, second]);

    await write("contracts/Second.sol", counter("Second", 2));
    const changed = await build(true);
    assert.equal(changed[0]!.buildInfoId, changed[1]!.buildInfoId);
    assert.notEqual(changed[0]!.buildInfoId, first!.buildInfoId);
    assert.equal(changed[0]!.bytecode, first!.bytecode);

    await write("test/Both.sol", `${both}// A test has changed.\n`);
    const retested = await build(true);
    assert.deepEqual(retested.slice(0, 2), changed.slice(0, 2));
    assert.notEqual(retested[2]!.buildInfoId, changed[2]!.buildInfoId);
  });
});
