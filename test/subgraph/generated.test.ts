import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { zeroAddress } from "viem";
import { parse } from "yaml";
import { networks } from "../../keepers/src/cli/networks.ts";
import { generatedFiles, graphNetworks, indexedContracts, networkEntry } from "../../subgraph/generate.ts";
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

describe("what the subgraph is deployed with", () => {
  it("names each test network as Graph Node does, and refuses to guess", () => {
    const tests = Object.entries(networks).filter(([name]) => name !== "localhost");
    assert.deepEqual(
      tests.map(([, chainId]) => chainId).sort(),
      Object.keys(graphNetworks).map(Number).sort(),
    );
    const deployment = { chainId: 300, startBlock: 7n, addresses: { Staking: zeroAddress } } as never;
    assert.deepEqual(networkEntry(deployment), [
      "zksync-era-sepolia",
      { Staking: { address: zeroAddress, startBlock: 7 } },
    ]);
    assert.throws(
      () => networkEntry({ ...(deployment as object), chainId: 5 } as never),
      /chain 5 is not known/,
    );
  });

  it("is a compose file whose services, images and settings are what Graph Node documents", () => {
    type Service = {
      image: string;
      ports?: string[];
      environment?: Record<string, string>;
      volumes?: string[];
      depends_on?: Record<string, unknown>;
    };
    const text = readFileSync(join(folder, "compose.yaml"), "utf8");
    const { services, volumes } = parse(text) as {
      services: Record<string, Service>;
      volumes: Record<string, unknown>;
    };
    assert.deepEqual(Object.keys(services).sort(), ["graph-node", "ipfs", "postgres"]);
    for (const { image, ports, volumes: mounted } of Object.values(services)) {
      assert.match(image, /^[a-z/-]+:v?\d+\.\d+/, `${image} is pinned`);
      for (const port of ports ?? []) assert.match(port, /^127\.0\.0\.1:/, "for this machine alone");
      for (const volume of mounted ?? []) assert.ok(volume.split(":")[0]! in volumes);
    }
    // docker/start and docs/environment-variables.md of graph-node.
    const known = (
      "postgres_host postgres_port postgres_user postgres_pass postgres_db ipfs ethereum node_id node_role fork_base " +
      "GRAPH_LOG ETHEREUM_POLLING_INTERVAL ETHEREUM_BLOCK_BATCH_SIZE GRAPH_GRAPHQL_QUERY_TIMEOUT GRAPH_IPFS_TIMEOUT"
    ).split(" ");
    const { environment = {}, depends_on: needs = {} } = services["graph-node"]!;
    for (const name of Object.keys(environment)) assert.ok(known.includes(name), `${name} is not documented`);
    for (const name of Object.keys(needs)) assert.ok(name in services);
    assert.ok(environment.postgres_host! in services);
    assert.ok(new URL(environment.ipfs!).hostname in services);
    const { environment: database } = services.postgres!;
    assert.equal(database!.POSTGRES_DB, environment.postgres_db);
    assert.equal(database!.POSTGRES_USER, environment.postgres_user);
    assert.equal(database!.POSTGRES_PASSWORD, environment.postgres_pass);
    assert.match(database!.POSTGRES_INITDB_ARGS!, /--locale=C/);
  });
});
