import { spawn } from "node:child_process";
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
  { name: "coverage", command: [process.execPath, "scripts/coverage.ts"] },
  { name: "mutation", command: [process.execPath, "scripts/mutation.ts", "--json"] },
] as const;

const help = `npm run nightly [-- part …]

Runs what is too long for the gate, for some hours (all of it, or those named):
  "long walks"   all Solidity suites with 10,000 runs of every fuzz test and 1,000 walks of 64 calls for every invariant;
                 a walk's own call that reverts fails it
  strategies     1,000 seeded dishonest strategies (assay simulate)
  coalitions     10,000 walks of coalitions (npm run coalitions)
  coverage       npm run coverage
  mutation       npm run mutation (needs Gambit)
`;

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
    options: { help: { type: "boolean" } },
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
  const ended: { name: string; code: number; seconds: number }[] = [];
  for (const { name, command } of chosen) {
    say(`\n── ${name} ──`);
    const start = performance.now();
    const code = await run(command);
    ended.push({ name, code, seconds: (performance.now() - start) / 1000 });
  }
  say("");
  for (const { name, code, seconds } of ended)
    say(`${name.padEnd(12)} ${code === 0 ? "passed" : "failed"} in ${seconds.toFixed(0)} s`);
  const failed = ended.filter(({ code }) => code !== 0).length;
  process.stdout.write(`${ended.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

process.exit(await main());
