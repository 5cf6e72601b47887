import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { allSites } from "./reach.ts";
import { root } from "./setup.ts";
import { say } from "./stages.ts";

const bar = 95;
/** Instrumented code costs more gas and is longer: what measures either says nothing here. */
const measuring = /(^|\/)(gas|game|gameLenet)\.test\.ts$/;

/** Runs Hardhat on all contract tests, Solidity and TypeScript, and gives back what it printed. */
function run(): Promise<string> {
  const files = globSync(["test/contracts/**/*.t.sol", "test/contracts/**/*.test.ts"], { cwd: root })
    .sort()
    .filter((file) => !measuring.test(file));
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
    child.on("exit", () => done(stripVTControlCharacters(text)));
  });
}

/** Lines of each source that no test ran, from the report beside the printed one. */
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

const { lines, statements } = totals(await run());
const missed = unexecutedLines();
const silent = allSites().filter(({ source, line }) => missed.get(source)?.has(line) === true);
for (const { source, line, kind, name } of silent) say(`never reached: ${source}:${line} ${kind} ${name}`);
const ok = lines >= bar && statements >= bar;
say(`lines ${lines} %, statements ${statements} %, at least ${bar} % of each: ${ok ? "yes" : "NO"}`);
process.exit(ok ? 0 : 1);
