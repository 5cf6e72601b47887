import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { allSites } from "./reach.ts";
import { root } from "./setup.ts";
import { say } from "./stages.ts";

const bar = 95;
/** Instrumented code costs more gas and is longer: what measures either says nothing here, and takes long. */
const measuring = /(^|\/)(gas|game|gameLenet|interfaces)\.test\.ts$/;

const help = `npm run coverage [-- file …]

Runs the contract tests, Solidity and TypeScript, on instrumented contracts and prints how much of each contract they
ran: lines, and statements (the stricter of the two, as Hardhat counts a declaration as a line that ran). Fails below
${bar} % of either in all, and when a test fails. EDR measures no branches: npm run reach lists reverts and events.
  file …    these test files only
`;

type Run = { code: number; text: string };

/** Runs Hardhat on test files and gives back what it printed. */
function run(files: readonly string[]): Promise<Run> {
  const args = ["--config", "scripts/hardhat/coverage.config.ts", "test", "--coverage", ...files];
  return new Promise((done, failed) => {
    const child = spawn("hardhat", args, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, FORCE_COLOR: "0" },
      shell: process.platform === "win32",
    });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      process.stdout.write(chunk);
    });
    child.on("error", failed);
    child.on("exit", (code) => done({ code: code ?? 1, text: stripVTControlCharacters(text) }));
  });
}

/** Lines of each source that no test ran, from the report beside the printed one, which cuts long lists. */
function unexecutedLines(): Map<string, Set<number>> {
  const lines = new Map<string, Set<number>>();
  let source = "";
  for (const row of readFileSync(join(root, "coverage", "lcov.info"), "utf8").split("\n")) {
    if (row.startsWith("SF:")) {
      source = row.slice(3);
      lines.set(source, new Set());
    }
    const match = row.match(/^DA:(\d+),0$/);
    if (match !== null) lines.get(source)?.add(Number(match[1]));
  }
  return lines;
}

/** The totals that Hardhat prints last, in percent. */
function totals(text: string): { lines: number; statements: number } {
  const row = [...text.matchAll(/Total\s*│\s*([\d.]+)\s*│\s*([\d.]+)/g)].at(-1);
  if (row === undefined) throw new Error("no coverage report: the tests did not run");
  return { lines: Number(row[1]), statements: Number(row[2]) };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { help: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const all = globSync(["test/contracts/**/*.t.sol", "test/contracts/**/*.test.ts"], { cwd: root })
    .sort()
    .filter((file) => !measuring.test(file));
  const { code, text } = await run(positionals.length === 0 ? all : positionals);
  const { lines, statements } = totals(text);
  const missed = unexecutedLines();
  for (const [source, numbers] of missed)
    if (numbers.size > 0) say(`not run: ${source} ${[...numbers].sort((a, b) => a - b).join(", ")}`);
  const silent = allSites().filter(({ source, line }) => missed.get(source)?.has(line) === true);
  for (const { source, line, kind, name } of silent) say(`never reached: ${source}:${line} ${kind} ${name}`);
  const enough = lines >= bar && statements >= bar;
  say(`lines ${lines} %, statements ${statements} %, at least ${bar} % of each: ${enough ? "yes" : "NO"}`);
  if (code !== 0) say("tests failed on the instrumented contracts, see above");
  return enough && code === 0 ? 0 : 1;
}

process.exit(await main());
