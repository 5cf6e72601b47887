#!/usr/bin/env node
// Runs a TypeScript entry point on a Node.js that can run it, installing the dependencies first if needed.
//
// This is the only file that must work on plain Node.js 20 with nothing installed: everything after it runs on
// the Node.js that the project brings along as a registry package (see docs/decisions/0001-toolchain.md).
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const windows = process.platform === "win32";
const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const say = (line) => process.stderr.write(`${line}\n`);

/** Name of the registry package that carries Node.js for this platform, or undefined when there is none. */
function nodePackage() {
  const os = windows ? "win" : process.platform;
  const names = [`node-${os}-${process.arch}`, `node-bin-${os}-${process.arch}`];
  return names.find((name) => packageJson.optionalDependencies[name] !== undefined);
}

/** Hardhat 3 needs 22.13; running TypeScript without a flag needs 22.18 or 23.6. */
function isRecent(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

function bundledNode() {
  const name = nodePackage();
  if (name === undefined) return undefined;
  const path = join(root, "node_modules", name, "bin", windows ? "node.exe" : "node");
  return existsSync(path) ? path : undefined;
}

function fail(what, next) {
  say(`assay: ${what}\n  What to do next: ${next}`);
  process.exit(1);
}

function install() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const digest = createHash("sha256")
    .update(lock)
    .update(process.platform + process.arch)
    .digest("hex");
  const stamp = join(root, "node_modules", ".assay-install");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;

  say("assay: installing dependencies from the package registry (1 to 4 minutes, about 1 GB, once)");
  rmSync(stamp, { force: true });
  // npm leaves out optional packages whose `engines` ask for more than the Node.js it runs on, Hardhat's
  // native EVM among them; so npm itself must run on the newer one.
  const name = nodePackage();
  const command = "npm ci --no-audit --no-fund --loglevel=error";
  let result;
  // onnxruntime-node's own install script fetches CUDA libraries that nothing here uses; its CPU binaries come with it.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" };
  const options = { cwd: root, stdio: ["ignore", 2, 2], shell: windows, env };
  if (isRecent(process.versions.node)) {
    result = spawnSync("npm", command.split(" ").slice(1), options);
  } else if (name !== undefined) {
    const exact = `--package=${name}@${packageJson.optionalDependencies[name]}`;
    const nested = windows ? `"${command}"` : command;
    result = spawnSync("npx", ["--yes", exact, "-c", nested], options);
  } else {
    fail(
      `no Node.js package for ${process.platform}-${process.arch}, and this is ${process.version}`,
      "install Node.js 24 and run the same command again",
    );
  }
  if (result.status !== 0) {
    fail(
      "installing the dependencies failed; nothing else was changed",
      "check the network and run the same command again",
    );
  }
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) fail("no script given", "use npm start, npm test, npm run bench or npm run assay");
install();

const node = bundledNode() ?? (isRecent(process.versions.node) ? process.execPath : undefined);
if (node === undefined)
  fail(`Node.js ${process.version} is too old and no newer one was installed`, "install Node.js 24");
// Tools started by name (npx hardhat, say) must find the same Node.js first.
const path = `${dirname(node)}${windows ? ";" : ":"}${join(root, "node_modules", ".bin")}${windows ? ";" : ":"}${process.env.PATH}`;
// Under npm the working folder is the project's; the user's own is in INIT_CWD.
const caller = process.cwd() === root ? (process.env.INIT_CWD ?? root) : process.cwd();
const child = spawn(node, ["--disable-warning=ExperimentalWarning", join(root, script), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: path, HARDHAT_DISABLE_TELEMETRY_PROMPT: "true", ASSAY_CALLER_CWD: caller },
});
// The program ends itself in its own time. A terminal sends its Ctrl-C to the program too; a signal from elsewhere
// reaches this process alone and has to be handed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("error", (error) =>
  fail(
    `${node} could not be started: ${error.message}`,
    "remove node_modules and run the same command again",
  ),
);
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
