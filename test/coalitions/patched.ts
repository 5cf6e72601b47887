import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import hre from "hardhat";
import { type Address, getAddress, type Hex, numberToHex } from "viem";
import type { DeployedName } from "../../keepers/src/chain/deployment.ts";
import type { CoalitionWorld } from "./world.ts";

/** In a file, what stands there once becomes something else. */
export type Edit = { readonly file: string; readonly find: string; readonly replace: string };

/** A remedy taken out of a copy of one contract, by an edit, or by several. */
export type Patch = Edit & {
  readonly contract: DeployedName;
  readonly source: string;
  readonly besides?: readonly Edit[];
};

type Compiler = {
  compile(
    input: string,
    callbacks: { import: (path: string) => { contents: string } | { error: string } },
  ): string;
};
type Output = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts: Record<string, Record<string, { evm: { bytecode: { object: string } } }>>;
};

/** Copies that were compiled, by what is changed in them. */
const compiled = new Map<string, Hex>();
/** What has created the contracts of a chain. */
const creations = new WeakMap<CoalitionWorld, Map<Address, Hex>>();
const root = join(import.meta.dirname, "..", "..");
const require = createRequire(import.meta.url);

/** Compiles a copy of a contract that lacks its remedy; the sources in the repository stay as they are. */
function compile({ contract, source, besides = [], ...first }: Patch): Hex {
  const solc = require("solc") as Compiler;
  const input = {
    language: "Solidity",
    sources: { [source]: { content: read(source) } },
    settings: {
      evmVersion: "cancun",
      // For size: a copy is longer than what it is a copy of, which may be near the limit.
      optimizer: { enabled: true, runs: 1 },
      metadata: { appendCBOR: false },
      outputSelection: { [source]: { [contract]: ["evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(
    solc.compile(JSON.stringify(input), {
      import: (path) => ({ contents: read(path) }),
    }),
  ) as Output;
  const wrong = output.errors?.find(({ severity }) => severity === "error");
  if (wrong !== undefined) throw new Error(wrong.formattedMessage);
  return `0x${output.contracts[source]![contract]!.evm.bytecode.object}`;

  function read(path: string): string {
    const text = readFileSync(
      path.startsWith("contracts/") ? join(root, path) : require.resolve(path),
      "utf8",
    );
    return [first, ...besides].filter(({ file }) => file === path).reduce(changed, text);
  }
}

function changed(text: string, { file, find, replace }: Edit): string {
  if (text.split(find).length !== 2) throw new Error(`${file} does not have "${find}" once`);
  return text.replace(find, () => replace);
}

/** Puts the copy where the contract is: built by its own constructor from the same arguments. */
export async function apply(world: CoalitionWorld, patch: Patch): Promise<void> {
  const { chain, deployment } = world;
  const { provider } = chain.connection;
  const address = deployment.addresses[patch.contract]!;
  const { bytecode } = await hre.artifacts.readArtifact(patch.contract);
  const created = await creationOf(world, address);
  const key = JSON.stringify(patch);
  const code = compiled.get(key) ?? compile(patch);
  compiled.set(key, code);
  const data: Hex = `${code}${created.slice(bytecode.length)}`;
  const { address: from } = world.account("deployer");
  const transaction = { from, data, gas: numberToHex(2 ** 24) };
  const hash = await chain.during(() =>
    provider.request({ method: "eth_sendTransaction", params: [transaction] }),
  );
  const receipt = (await provider.request({ method: "eth_getTransactionReceipt", params: [hash] })) as {
    contractAddress: Address | null;
    status: Hex;
  };
  if (receipt.status !== "0x1") throw new Error(`the copy of ${patch.contract} could not be deployed`);
  const runtime = await provider.request({
    method: "eth_getCode",
    params: [receipt.contractAddress, "latest"],
  });
  await provider.request({ method: "hardhat_setCode", params: [address, runtime] });
  await chain.synchronise();
}

/** Data of the transaction that created a contract: its code, then the constructor's arguments. */
async function creationOf(world: CoalitionWorld, address: Address): Promise<Hex> {
  const known = creations.get(world) ?? (await creationsOn(world));
  creations.set(world, known);
  const created = known.get(getAddress(address));
  if (created === undefined) throw new Error(`nothing has created ${address}`);
  return created;
}

async function creationsOn({ chain }: CoalitionWorld): Promise<Map<Address, Hex>> {
  const found = new Map<Address, Hex>();
  const last = await chain.client.getBlockNumber();
  for (let blockNumber = 0n; blockNumber <= last; blockNumber++) {
    const { transactions } = await chain.client.getBlock({ blockNumber, includeTransactions: true });
    for (const { hash, to, input } of transactions) {
      if (to !== null) continue;
      const { contractAddress } = await chain.client.getTransactionReceipt({ hash });
      if (contractAddress) found.set(getAddress(contractAddress), input);
    }
  }
  return found;
}
