import { spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { root, setUp, setupContracts } from "./setup.ts";
import { say } from "./stages.ts";

type Counts = { passed: number; failed: number; skipped: number };
/** With the tests that failed, `file: title`, and the seconds of each file, where the runner tells. */
type Found = Counts & { failures?: readonly string[]; seconds?: Readonly<Record<string, number>> };
type Suite = { name: string; run: () => Promise<Found> };

/** Files that are named as the slowest at the end. */
const slowestShown = 12;

const help = `npm test [-- suite …] [--json]

Sets up and runs the suites: solidity, contracts, circuits, keepers, subgraph, dapp, coalitions, python, e2e, docs (all of them by default).
  --profile production   compile the contracts with the profile that is deployed (solidity, contracts)
  --json                 end with one JSON document on standard output
`;

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: {
    json: { type: "boolean" },
    help: { type: "boolean" },
    profile: { type: "string", default: "default" },
  },
  allowPositionals: true,
});
const profile = values.profile === "production" ? "production" : "default";

/** Runs a command, shows its output on standard error, and gives back exit code and text. */
function capture(command: string, args: string[]): Promise<{ code: number; text: string }> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        process.stderr.write(chunk);
      });
    }
    child.on("error", failed);
    child.on("exit", (code) => done({ code: code ?? 1, text }));
  });
}

/** Hardhat's runners end with lines such as "42 passing (3 solidity, 39 nodejs)" and "1 failing". */
async function hardhatSuite(kind: "solidity" | "nodejs"): Promise<Counts> {
  const args = ["test", kind, "--build-profile", profile];
  const { code, text } = await capture("hardhat", args);
  const plain = stripVTControlCharacters(text);
  const last = (pattern: RegExp) => Number([...plain.matchAll(pattern)].at(-1)?.[1] ?? 0);
  const counts = {
    passed: last(/(\d+) passing/g),
    failed: last(/(\d+) failing/g),
    skipped: last(/(\d+) skipped/g),
  };
  // A crash before or after the tests is a failure even when every test that ran has passed.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

async function nodeSuite(pattern: string): Promise<Found> {
  const files = globSync(pattern, { cwd: root }).sort();
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const folder = mkdtempSync(join(tmpdir(), "assay-test-"));
  const summary = join(folder, "summary.json");
  const { code } = await capture(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    "--test",
    "--test-timeout=900000",
    // Most files wait for processes of their own; the runner itself would leave one core unused.
    `--test-concurrency=${Math.max(2, availableParallelism() - 1)}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${join(root, "scripts", "summary-reporter.mjs")}`,
    `--test-reporter-destination=${summary}`,
    ...files,
  ]);
  const counts = JSON.parse(readFileSync(summary, "utf8")) as Found;
  rmSync(folder, { recursive: true, force: true });
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

const suites: Suite[] = [
  { name: "solidity", run: () => hardhatSuite("solidity") },
  { name: "contracts", run: () => hardhatSuite("nodejs") },
  { name: "circuits", run: () => nodeSuite("test/circuits/**/*.test.ts") },
  { name: "keepers", run: () => nodeSuite("test/keepers/**/*.test.ts") },
  { name: "subgraph", run: () => nodeSuite("test/subgraph/**/*.test.ts") },
  { name: "dapp", run: () => nodeSuite("test/dapp/**/*.test.ts") },
  { name: "coalitions", run: () => nodeSuite("test/coalitions/**/*.test.ts") },
  { name: "python", run: () => nodeSuite("test/python/**/*.test.ts") },
  { name: "e2e", run: () => nodeSuite("test/e2e/**/*.test.ts") },
  { name: "docs", run: () => nodeSuite("test/docs/**/*.test.ts") },
];

async function main(): Promise<number> {
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0 || !["default", "production"].includes(values.profile)) {
    say(`assay: unknown suite or profile\n\n${help}`);
    return 64;
  }
  say("assay: setting up (cached afterwards)");
  if (profile === "default") await setUp();
  else if (positionals.includes("contracts"))
    await setupContracts("production", positionals.includes("solidity"));
  const chosen = positionals.length === 0 ? suites : suites.filter(({ name }) => positionals.includes(name));
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const perSuite: Record<string, Counts> = {};
  const took: Record<string, number> = {};
  const failures: string[] = [];
  const files: [string, number][] = [];
  for (const suite of chosen) {
    say(`\n── ${suite.name} ──`);
    const begun = performance.now();
    const { failures: names = [], seconds = {}, ...counts } = await suite.run();
    took[suite.name] = (performance.now() - begun) / 1000;
    failures.push(...names);
    files.push(...Object.entries(seconds));
    perSuite[suite.name] = counts;
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
  const slowest = files.sort(([, a], [, b]) => b - a).slice(0, slowestShown);
  if (slowest.length > 0) say("\nthe slowest files");
  for (const [file, seconds] of slowest) say(`${seconds.toFixed(0).padStart(6)} s  ${relative(root, file)}`);
  if (failures.length > 0) say("\nfailed");
  for (const failure of failures) say(`  ${failure.replace(`${root}${sep}`, "")}`);
  say("");
  for (const [name, { passed, failed, skipped }] of Object.entries(perSuite)) {
    const seconds = took[name]!.toFixed(0);
    say(`${name.padEnd(12)} ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds} s`);
  }
  if (values.json === true)
    process.stdout.write(`${JSON.stringify({ ok: total.failed === 0, ...total, suites: perSuite })}\n`);
  else process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

process.exit(await main());
