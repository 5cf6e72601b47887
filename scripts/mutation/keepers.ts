import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npmOn } from "../bring-node.mjs";
import { root } from "../setup.ts";
import { watchMemory } from "./memory-watch.ts";
import { shuffled } from "./sample.ts";
import type { Contract } from "./score.ts";

/** What changes the code, and what runs the tests on it: versions that fit each other. */
export const strykerVersion = "10.0.0";
const packages = [`@stryker-mutator/core@${strykerVersion}`, `@stryker-mutator/tap-runner@${strykerVersion}`];

/** Where it is installed, and works. */
const folder = join(root, ".assay", "stryker");
const reportFile = join(folder, "report.json");

/** A part of the keepers' code, and the tests that hold it. */
export type Part = { readonly name: string; readonly sources: string; readonly tests: readonly string[] };

export const parts: readonly Part[] = [
  {
    name: "core",
    sources: "keepers/src/core/**/*.ts",
    tests: ["test/keepers/core/**/*.test.ts", "test/keepers/storage/backends/blob-cid.test.ts"],
  },
  {
    name: "transactions",
    sources: "keepers/src/chain/transactions/**/*.ts",
    // Those on a chain in memory: a process that is killed, and an embedded chain, take half a minute for each mutant.
    tests: [
      ...["machine", "pieces", "queue", "looks", "attacked", "walks"].map(
        (name) => `test/keepers/chain/transactions-${name}.test.ts`,
      ),
      "test/keepers/chain/quotes-attacked.test.ts",
    ],
  },
  {
    name: "disputes",
    sources: "keepers/src/training/dispute/**/*.ts",
    // Held to moves that were recorded on a chain: one in memory takes minutes for each mutant.
    tests: ["test/keepers/training/dispute/*.test.ts"],
  },
];

/** Lines of a sample that are changed together. */
const windowLines = 6;

/**
 * Some of the lines of files, drawn at random: windows of a few lines, so that most mutants lie within one.
 *
 * @param share of the lines, above 0 and up to 1
 * @param seed the same seed draws the same lines
 * @returns as Stryker names them, `file:first-last`, counted from 1
 */
export function sampleLines(files: readonly string[], share: number, seed: number): string[] {
  const windows = files.flatMap((file) => {
    const lines = readFileSync(join(root, file), "utf8").split("\n").length;
    return Array.from({ length: Math.ceil(lines / windowLines) }, (_, i) => {
      return `${file}:${i * windowLines + 1}-${Math.min(lines, (i + 1) * windowLines)}`;
    });
  });
  return shuffled(windows, seed)
    .slice(0, Math.ceil(windows.length * share))
    .toSorted();
}

/** Random walks are fewer while every test is run hundreds of times over; what can happen on one is the same. */
const walksOneIn = "10";

/** Resident bytes of one test process; Stryker's own take less. */
const mostMemory = 4 * 2 ** 30;

async function run(command: string, args: readonly string[], cwd: string): Promise<number> {
  const env = { ...process.env, ASSAY_WALKS_ONE_IN: walksOneIn };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", 2, 2] });
  const unwatch = watchMemory(child.pid!, mostMemory);
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    unwatch();
  }
}

/** Installs Stryker into a folder of its own, once. */
async function install(): Promise<string> {
  const bin = join(folder, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js");
  const own = join(folder, "node_modules", "@stryker-mutator", "core", "package.json");
  const version = existsSync(own) && (JSON.parse(readFileSync(own, "utf8")) as { version: string }).version;
  if (version === strykerVersion) return bin;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
  const { command, args } = npmOn(process.execPath);
  const given = [...args, "install", "--no-audit", "--no-fund", "--save-exact", ...packages];
  if ((await run(command, given, folder)) !== 0)
    throw new Error(`Stryker ${strykerVersion} was not installed`);
  return bin;
}

type Report = {
  files: Record<
    string,
    {
      mutants: {
        mutatorName: string;
        replacement?: string;
        status: string;
        location: { start: { line: number; column: number }; end: { line: number; column: number } };
      }[];
      source: string;
    }
  >;
};

const excerpt = (source: string, { start, end }: Report["files"][string]["mutants"][number]["location"]) => {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1)!.slice(0, end.column - 1);
  lines[0] = lines[0]!.slice(start.column - 1);
  return lines.join(" ").replace(/\s+/g, " ").slice(0, 120);
};

/** What tests killed, file by file. Mutants that cannot be loaded, or never ran, are none. */
export function readReport(report: Report): Record<string, Contract> {
  const found: Record<string, Contract> = {};
  for (const [file, { mutants, source }] of Object.entries(report.files)) {
    const counted = mutants.filter(({ status }) =>
      ["Killed", "Timeout", "Survived", "NoCoverage"].includes(status),
    );
    if (counted.length === 0) continue;
    const killed = counted.filter(({ status }) => status === "Killed" || status === "Timeout");
    found[file.replace(/^keepers\/src\//, "").replace(/\.ts$/, "")] = {
      mutants: counted.length,
      killed: killed.length,
      timeouts: counted.filter(({ status }) => status === "Timeout").length,
      equivalent: 0,
      survivors: counted
        .filter((mutant) => !killed.includes(mutant))
        .map(({ location, replacement = "", mutatorName }) => ({
          mutant: `${mutatorName}: ${excerpt(source, location)} → ${replacement.replace(/\s+/g, " ").slice(0, 120)}`,
          line: location.start.line,
        })),
    };
  }
  return found;
}

/**
 * Changes lines of a part of the keepers in one place at a time, and runs the tests that reach the place.
 *
 * @param share of the lines that are changed, above 0 and up to 1
 */
export async function judgePart(part: Part, share: number, seed: number): Promise<Record<string, Contract>> {
  const bin = await install();
  const files = globSync(part.sources, { cwd: root }).map((file) => file.replaceAll("\\", "/"));
  const config = {
    testRunner: "tap",
    plugins: [join(folder, "node_modules", "@stryker-mutator", "tap-runner", "dist", "src", "index.js")],
    tap: {
      testFiles: part.tests,
      // Bounds the heap of a mutant that never stops asking for memory; buffers beside it are watched.
      nodeArgs: [
        "--max-old-space-size=3072",
        "--test-timeout=60000",
        ...["--test-reporter=tap", "-r", "{{hookFile}}", "{{testFile}}"],
      ],
      forceBail: true,
    },
    coverageAnalysis: "perTest",
    mutate: share === 1 ? files : sampleLines(files, share, seed),
    // Types are stripped, not checked, when tests run.
    disableTypeChecks: false,
    tsconfigFile: "none.json",
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: reportFile },
    tempDirName: join(folder, "sandbox"),
    concurrency: 2,
    ignorePatterns: ["/cache", "/.assay", "/dapp/dist", "/coverage", "/docs"],
    allowConsoleColors: false,
    timeoutMS: 20_000,
    dryRunTimeoutMinutes: 15,
  };
  const configFile = join(folder, `${part.name}.json`);
  writeFileSync(configFile, JSON.stringify(config, null, 2));
  rmSync(reportFile, { force: true });
  const code = await run(process.execPath, [bin, "run", configFile], root);
  if (code !== 0 || !existsSync(reportFile)) throw new Error(`Stryker ended with ${code}, without a report`);
  return readReport(JSON.parse(readFileSync(reportFile, "utf8")) as Report);
}
