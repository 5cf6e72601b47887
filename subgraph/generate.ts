// Writes the manifest and the ABIs of the subgraph from the contracts, so that no event is left out:
//   node subgraph/generate.ts                                  subgraph.yaml, abis/
//   node subgraph/generate.ts <deployment.json> [network]      an entry of networks.json for `graph build --network`
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Abi, AbiEvent, AbiParameter, Address } from "viem";
import { stringify } from "yaml";
import { abis } from "../keepers/src/chain/abi/index.ts";
import { type Deployment, parseDeployment } from "../keepers/src/chain/deployment.ts";
import { BadInputError } from "../keepers/src/core/errors.ts";

const folder = import.meta.dirname;

/** Names by which Graph Node and Studio know the networks that Assay is deployed to, by chain id. */
export const graphNetworks: Readonly<Record<number, string>> = {
  59141: "linea-sepolia",
  534351: "scroll-sepolia",
  300: "zksync-era-sepolia",
};

/** Contracts with events and an address of their own; `RandomnessBeacon` is what the three beacons have in common. */
export const indexedContracts = Object.entries(abis)
  .filter(([name, abi]) => name !== "RandomnessBeacon" && eventsOf(abi as Abi).length > 0)
  .map(([name]) => name as keyof typeof abis);

function eventsOf(abi: Abi): AbiEvent[] {
  return abi.filter((item): item is AbiEvent => item.type === "event");
}

function typeOf({ type, ...rest }: AbiParameter): string {
  if (!("components" in rest)) return type;
  return `(${rest.components.map(typeOf).join(",")})${type.slice("tuple".length)}`;
}

const signatureOf = ({ name, inputs }: AbiEvent): string =>
  `${name}(${inputs.map((input) => (input.indexed === true ? "indexed " : "") + typeOf(input)).join(",")})`;

const fileOf = (contract: string): string =>
  `${contract.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase()}.ts`;

function dataSource(contract: keyof typeof abis) {
  return {
    kind: "ethereum",
    name: contract,
    network: "mainnet",
    source: { address: `0x${"0".repeat(40)}`, abi: contract, startBlock: 0 },
    mapping: {
      kind: "ethereum/events",
      apiVersion: "0.0.9",
      language: "wasm/assemblyscript",
      entities: ["Event"],
      abis: [{ name: contract, file: `./abis/${contract}.json` }],
      eventHandlers: eventsOf(abis[contract] as Abi).map((event) => ({
        event: signatureOf(event),
        handler: `handle${event.name}`,
      })),
      file: `./src/${fileOf(contract)}`,
    },
  };
}

/** Text of every generated file, by its path below this folder. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const contract of indexedContracts)
    files.set(
      join("abis", `${contract}.json`),
      `${JSON.stringify(eventsOf(abis[contract] as Abi), null, 2)}\n`,
    );
  const manifest = {
    specVersion: "1.3.0",
    description: "Assay: what was stored, trained, checked, disputed and paid",
    schema: { file: "./schema.graphql" },
    indexerHints: { prune: "never" },
    dataSources: indexedContracts.map(dataSource),
  };
  files.set(
    "subgraph.yaml",
    `# Generated from the contracts by generate.ts. Addresses come from networks.json: graph build --network <name>.\n${stringify(manifest, { lineWidth: 0 })}`,
  );
  return files;
}

/** The name of the deployment's network and its entry in networks.json. */
export function networkEntry(
  deployment: Deployment,
  name = graphNetworks[deployment.chainId],
): [string, Record<string, { address: Address; startBlock: number }>] {
  const { addresses, startBlock, chainId } = deployment;
  if (name === undefined)
    throw new BadInputError(`Graph Node's name of chain ${chainId} is not known`, {
      next: "Say it after the deployment's file.",
    });
  const entries = indexedContracts.flatMap((contract) => {
    const address = addresses[contract as keyof typeof addresses];
    return address === undefined ? [] : [[contract, { address, startBlock: Number(startBlock) }] as const];
  });
  return [name, Object.fromEntries(entries)];
}

function addNetwork(deploymentFile: string, network: string | undefined): void {
  const deployment = parseDeployment(JSON.parse(readFileSync(deploymentFile, "utf8")), deploymentFile);
  const path = join(folder, "networks.json");
  const networks = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const [name, entry] = networkEntry(deployment, network);
  networks[name] = entry;
  writeFileSync(path, `${JSON.stringify(networks, null, 2)}\n`);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const [deploymentFile, network] = process.argv.slice(2);
  if (deploymentFile !== undefined) addNetwork(deploymentFile, network);
  else {
    mkdirSync(join(folder, "abis"), { recursive: true });
    for (const [name, text] of generatedFiles()) writeFileSync(join(folder, name), text);
  }
}
