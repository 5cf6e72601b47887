// Formatters and linters (default), the same with repairs (--fix), or the type checker (--types).
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const solidity = ["contracts/**/*.sol", "test/**/*.sol"];

const commands: Record<string, [string, string[]][]> = {
  "--check": [
    ["biome", ["check", "--error-on-warnings", "."]],
    ["solhint", ["--disc", "--max-warnings", "0", "contracts/**/*.sol"]],
    ["prettier", ["--check", ...solidity]],
  ],
  "--fix": [
    ["biome", ["check", "--write", "."]],
    ["prettier", ["--write", ...solidity]],
  ],
  "--types": [
    ["tsc", ["--noEmit"]],
    ["tsc", ["--noEmit", "--project", "dapp"]],
  ],
};

const chosen = commands[process.argv[2] ?? "--check"];
if (chosen === undefined) {
  process.stderr.write("usage: npm run lint | npm run format | npm run typecheck\n");
  process.exit(64);
}
let failed = 0;
for (const [command, args] of chosen) {
  process.stderr.write(`${command}\n`);
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
