import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { zeroAddress } from "viem";
import { generatedFiles, indexedContracts } from "../../subgraph/generate.ts";
import { readSubgraph } from "../../subgraph/node/manifest.ts";

const folder = resolve(import.meta.dirname, "../../subgraph");

describe("the subgraph's manifest", () => {
  it("is up to date with the contracts: `node subgraph/generate.ts` writes it anew", () => {
    const files = generatedFiles();
    for (const [name, text] of files) assert.equal(readFileSync(join(folder, name), "utf8"), text, name);
    const abis = readdirSync(join(folder, "abis")).map((name) => join("abis", name));
    for (const name of abis) assert.ok(files.has(name), `${name} is of no contract`);
  });

  it("has a handler in the bytecode for every event", () => {
    const { dataSources } = readSubgraph(join(folder, "build", "subgraph.yaml"));
    assert.deepEqual(dataSources.map(({ name }) => name).sort(), [...indexedContracts].sort());
    for (const { name, handlers, bytecode, address } of dataSources) {
      assert.equal(address, zeroAddress, "addresses come from networks.json");
      assert.ok(handlers.length > 0);
      const exported = WebAssembly.Module.exports(new WebAssembly.Module(Buffer.from(bytecode)));
      for (const { handler } of handlers)
        assert.ok(
          exported.some((entry) => entry.name === handler),
          `${name}.${handler}`,
        );
    }
  });
});
