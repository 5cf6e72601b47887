import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type * as Edr from "@nomicfoundation/edr";
import { root } from "../setup.ts";
import { TRACE } from "./schemata.ts";
import { type Attempt, type Explored, processorTime, type Runner } from "./suites.ts";
import { artifactsFolder } from "./workplace.ts";

const require = createRequire(import.meta.url);
// Hardhat's own copy.
const edr = createRequire(require.resolve("hardhat"))("@nomicfoundation/edr") as typeof Edr;

/** How long fuzz tests and invariants run: to see what they reach, for every mutant, and for those that are left. */
const efforts = {
  trace: { fuzz: 4, runs: 1, depth: 48 },
  quick: { fuzz: 16, runs: 0, depth: 0 },
  full: { fuzz: 256, runs: 32, depth: 48 },
} as const;
/** More than any test needs. */
const SPENDS_ALL = 2n ** 40n;
const LEAST_GAS = 50_000_000n;

type Length = (typeof efforts)[keyof typeof efforts];

/** A contract of Solidity tests. */
type Suite = {
  artifact: Edr.Artifact;
  /** The artifacts that a run needs: the suite's and those of the libraries that are linked into it. */
  linked: Edr.Artifact[];
  hasTests: boolean;
  hasInvariants: boolean;
};

type Json = {
  contractName?: string;
  inputSourceName: string;
  abi: { type: string; name?: string }[];
  bytecode: string;
  deployedBytecode: string;
  linkReferences: Record<string, Record<string, Edr.LinkReference[]>>;
  deployedLinkReferences: Record<string, Record<string, Edr.LinkReference[]>>;
};

const isTest = ({ type, name }: { type: string; name?: string }) =>
  type === "function" && /^(test|invariant)/.test(name ?? "");

/** Loads what was compiled, and finds the suites in it. */
function loadSuites(folder: string): { suites: Map<string, Suite>; artifacts: Edr.Artifact[] } {
  const files = globSync("**/*.json", { cwd: folder, exclude: ["build-info"] }).sort();
  const read = files
    .map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")) as Json)
    .filter(({ contractName }) => contractName !== undefined);
  const artifacts = read.map(
    (json): Edr.Artifact => ({
      id: { name: json.contractName as string, source: json.inputSourceName, solcVersion: "0.8.37" },
      contract: {
        abi: JSON.stringify(json.abi),
        bytecode: json.bytecode,
        linkReferences: json.linkReferences,
        deployedBytecode: json.deployedBytecode,
        deployedLinkReferences: json.deployedLinkReferences,
      },
    }),
  );
  const named = new Map(artifacts.map((each) => [`${each.id.source}:${each.id.name}`, each]));
  const linkedInto = (artifact: Edr.Artifact, all = new Set([artifact])): Edr.Artifact[] => {
    for (const [source, names] of Object.entries(artifact.contract.linkReferences ?? {}))
      for (const name of Object.keys(names)) {
        const library = named.get(`${source}:${name}`);
        if (library === undefined || all.has(library)) continue;
        all.add(library);
        linkedInto(library, all);
      }
    return [...all];
  };
  const suites = new Map<string, Suite>();
  for (const [i, artifact] of artifacts.entries()) {
    const { abi, bytecode, inputSourceName } = read[i] as Json;
    if (bytecode === "0x" || !inputSourceName.endsWith(".t.sol") || !abi.some(isTest)) continue;
    suites.set(artifact.id.name, {
      artifact,
      linked: linkedInto(artifact),
      hasTests: abi.some(({ name }) => name?.startsWith("test")),
      hasInvariants: abi.some(({ name }) => name?.startsWith("invariant")),
    });
  }
  return { suites, artifacts };
}

/** The contracts of Solidity tests, each with the path of its file. */
export const soliditySuites = () =>
  new Map(
    [...loadSuites(artifactsFolder).suites].map(([name, { artifact }]) => [
      name,
      artifact.id.source.replace(/^project\//, ""),
    ]),
  );

/**
 * Runs contracts of Solidity tests in this process, on blocks of a beneficiary of our own.
 * @param folder of what Hardhat compiled
 */
export async function solidityRunner(folder = artifactsFolder): Promise<Runner> {
  const { suites, artifacts } = loadSuites(folder);
  const context = new edr.EdrContext();
  await context.registerSolidityTestRunnerFactory(edr.L1_CHAIN_TYPE, edr.l1SolidityTestRunnerFactory());
  const hardfork = "Prague";
  const fixed = {
    projectRoot: root,
    hardfork,
    localPredeploys: edr.l1GenesisState(edr.l1HardforkFromString(hardfork)),
    disableBlockGasLimit: true,
    disableTransactionGasCap: true,
    collectStackTraces: edr.CollectStackTraces.OnFailure,
    includeTraces: edr.IncludeTraces.None,
  };

  /** @param onReached gets the number of every mutant that a traced run reaches */
  async function run(
    name: string,
    on: bigint,
    { fuzz, runs, depth }: Length,
    gas?: bigint,
    onReached?: (id: number) => void,
  ): Promise<Edr.TestResult[]> {
    const suite = suites.get(name);
    if (suite === undefined) throw new Error(`no suite ${name}`);
    if (runs === 0 && !suite.hasTests) return [];
    const config: Edr.SolidityTestRunnerConfigArgs = {
      ...fixed,
      blockCoinbase: Buffer.from(on.toString(16).padStart(40, "0"), "hex"),
      ...(gas === undefined ? {} : { gasLimit: gas }),
      fuzz: { runs: fuzz, seed: "0x15" },
      invariant: { runs, depth, failOnRevert: true, shrinkRunLimit: 0 },
      ...(runs === 0 ? { excludeTestPattern: "^invariant" } : {}),
    };
    if (onReached !== undefined)
      config.observability = {
        codeCoverage: {
          onCollectedCoverageCallback: async (tags) => {
            for (const tag of tags) onReached(Number(`0x${Buffer.from(tag).toString("hex")}`));
          },
        },
      };
    // Invariants call contracts at random; which ones, their artifacts say.
    const known = runs > 0 && suite.hasInvariants ? artifacts : suite.linked;
    const { testResults } = await new Promise<Edr.SuiteResult>((done, failed) => {
      context
        .runSolidityTests(
          edr.L1_CHAIN_TYPE,
          known,
          [suite.artifact.id],
          config,
          { buildInfos: [], ignoreContracts: false },
          done,
        )
        .catch(failed);
    });
    return testResults;
  }

  const failing = (results: Edr.TestResult[]) => results.find(({ status }) => status !== "Success");

  return {
    async explore(suite): Promise<Explored> {
      const reached = new Set<number>();
      await run(suite, TRACE, efforts.trace, undefined, (id) => reached.add(id));
      const results = await run(suite, 0n, efforts.quick);
      const failed = failing(results);
      if (failed !== undefined)
        throw new Error(`${suite}.${failed.name} fails on the original contracts: ${failed.reason}`);
      // A test in which a call spends whatever it is given says nothing about the others.
      const spent = results
        .map(({ kind }) => ("consumedGas" in kind ? kind.consumedGas : 0n))
        .filter((gas) => gas < SPENDS_ALL);
      let gas = 4n * spent.reduce((a, b) => (a > b ? a : b), 0n) + LEAST_GAS;
      // Tests that draw their inputs do not say what they spend.
      while (failing(await run(suite, 0n, efforts.quick, gas)) !== undefined) gas *= 2n;
      const start = process.cpuUsage();
      await run(suite, 0n, efforts.quick, gas);
      const milliseconds = processorTime(start);
      return { reached: [...reached], failing: [], milliseconds, gas: gas.toString() };
    },

    async kills({ suite, mutant, effort, gas }: Attempt): Promise<boolean> {
      // Longer walks spend more.
      const limit = BigInt(gas) * (effort === "full" ? 4n : 1n);
      return failing(await run(suite, BigInt(mutant), efforts[effort], limit)) !== undefined;
    },
  };
}
