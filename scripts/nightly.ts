import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { root, setUp } from "./setup.ts";
import { say } from "./stages.ts";

/** What takes too long for every change: each part is one command that fails as a whole. */
const parts = [
  {
    name: "long walks",
    command: ["hardhat", "--config", "scripts/hardhat/nightly.config.ts", "test", "solidity"],
  },
  {
    name: "strategies",
    command: [process.execPath, "keepers/src/cli/main.ts", "simulate", "--strategies", "1000", "--json"],
  },
  {
    name: "coalitions",
    command: [process.execPath, "scripts/coalitions.ts", "--walks", "10000", "--json"],
  },
  {
    name: "production",
    command: [process.execPath, "scripts/test.ts", "solidity", "--profile", "production"],
  },
  { name: "coverage", command: [process.execPath, "scripts/coverage.ts"] },
  { name: "mutation", command: [process.execPath, "scripts/mutation.ts", "--json"] },
  { name: "mutation:keepers", command: [process.execPath, "scripts/mutation-keepers.ts", "--json"] },
] as const;

const recordFile = "bench/nightly.json";

const help = `npm run nightly [-- part …] [--record]

Runs what is too long for the gate, for some hours (all of it, or those named):
  "long walks"      all Solidity suites with 10,000 runs of every fuzz test and 1,000 walks of 64 calls for every invariant;
                    a walk's own call that reverts fails it
  strategies        1,000 seeded dishonest strategies (assay simulate)
  coalitions        10,000 walks of coalitions (npm run coalitions)
  production        the Solidity suites on the profile that is deployed
  coverage          npm run coverage
  mutation          npm run mutation (needs Gambit)
  mutation:keepers  npm run mutation:keepers

  --record          writes ${recordFile}: of each part that was run when, on what, for how long, and whether it passed
`;

type Ended = { readonly passed: boolean; readonly seconds: number };
type Entry = Ended & { date: string; commit: string; machine: string; load: number };

/** Puts the parts that were run in the place of what the record says of them. */
function record(ended: Readonly<Record<string, Ended>>): void {
  const path = join(root, recordFile);
  const earlier = existsSync(path)
    ? (JSON.parse(readFileSync(path, "utf8")) as { parts: Record<string, Entry> }).parts
    : {};
  const { stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" });
  const run = {
    date: new Date().toISOString().slice(0, 10),
    commit: stdout.trim(),
    machine: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores`,
    load: Number(loadavg()[2]!.toFixed(1)),
  };
  const entries = parts.flatMap(({ name }): [string, Entry][] => {
    const entry = ended[name] === undefined ? earlier[name] : { ...ended[name], ...run };
    return entry === undefined ? [] : [[name, entry]];
  });
  writeFileSync(path, `${JSON.stringify({ parts: Object.fromEntries(entries) }, null, 2)}\n`);
}

function run([command, ...args]: readonly string[]): Promise<number> {
  return new Promise((done, failed) => {
    const child = spawn(command as string, args, {
      cwd: root,
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    child.on("error", failed);
    child.on("exit", (code) => done(code ?? 1));
  });
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { help: { type: "boolean" }, record: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) {
    say(`assay: unknown part\n\n${help}`);
    return 64;
  }
  await setUp();
  const chosen = positionals.length === 0 ? parts : parts.filter(({ name }) => positionals.includes(name));
  const ended: Record<string, Ended> = {};
  for (const { name, command } of chosen) {
    say(`\n── ${name} ──`);
    const start = performance.now();
    const code = await run(command);
    ended[name] = { passed: code === 0, seconds: Math.round((performance.now() - start) / 1000) };
    // One part after the other: a night can end before its last part does.
    if (values.record) record(ended);
  }
  say("");
  for (const [name, { passed, seconds }] of Object.entries(ended))
    say(`${name.padEnd(16)} ${passed ? "passed" : "failed"} in ${seconds} s`);
  const failed = Object.values(ended).filter(({ passed }) => !passed).length;
  process.stdout.write(`${Object.keys(ended).length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
