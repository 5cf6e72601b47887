import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "../setup.ts";

type Compiler = {
  compile(
    input: string,
    callbacks: { import(path: string): { contents: string } | { error: string } },
  ): string;
  version(): string;
};
type SolidityError = { severity: string; formattedMessage: string };
type Bytecode = { object: string; sourceMap?: string };

/** The parts of the compiler's standard output that analysers read. */
export type CompiledContract = {
  abi: unknown[];
  evm: { methodIdentifiers: Record<string, string>; bytecode?: Bytecode; deployedBytecode?: Bytecode };
};
export type Compiled = {
  version: string;
  input: { language: string; sources: Record<string, { content: string }>; settings: object };
  output: {
    errors?: SolidityError[];
    sources: Record<string, { id: number; ast: object }>;
    contracts: Record<string, Record<string, CompiledContract>>;
  };
};

const require = createRequire(import.meta.url);

/** Chainlink's contracts import an older OpenZeppelin under a name that is an alias of a package. */
const packagePath = (path: string) =>
  path.replace("node_modules/@openzeppelin/contracts@4.9.6/", "node_modules/@openzeppelin/contracts-4.9.6/");

/**
 * Compiles sources with the compiler of the registry package `solc`, under their plain paths from the repository's
 * root: analysers cannot read the names that Hardhat 3 gives to sources.
 * @param patterns of the files, from the repository's root
 * @param outputs of every contract, beside its interface
 */
export function compile(patterns: string[], outputs: string[] = []): Compiled {
  const solc = require("solc") as Compiler;
  const sources: Record<string, { content: string }> = {};
  for (const path of globSync(patterns, { cwd: root }).sort())
    sources[path.replaceAll("\\", "/")] = { content: readFileSync(join(root, path), "utf8") };
  const settings = {
    evmVersion: "cancun",
    viaIR: false,
    optimizer: { enabled: true, runs: 100 },
    remappings: ["@=node_modules/@"],
    outputSelection: { "*": { "": ["ast"], "*": ["abi", "evm.methodIdentifiers", ...outputs] } },
  };
  const input = { language: "Solidity", sources, settings };
  const read = (path: string) => {
    const file = join(root, packagePath(path));
    return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: `no file ${path}` };
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read })) as Compiled["output"];
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join("\n"));
  return { version: solc.version().split("+")[0] ?? "", input, output };
}
