#!/usr/bin/env node
// Runs a TypeScript entry point on a Node.js that can run it, installing the dependencies first if needed.
//
// This file and bring-node.mjs are the only ones that must work on plain Node.js 20 with nothing installed: everything
// after them runs on the Node.js that the project brings along as a registry package (see docs/decisions/0001-toolchain.md).
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bringNode, isRecent, leastNode, nodeBelow, nodePackage, npmOn } from "./bring-node.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const windows = process.platform === "win32";
const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const say = (line) => process.stderr.write(`${line}\n`);

const packageName = nodePackage(packageJson);

function bundledNode() {
  if (packageName === undefined) return undefined;
  const path = nodeBelow(join(root, "node_modules"), packageName);
  return existsSync(path) ? path : undefined;
}

function fail(what, next) {
  say(`assay: ${what}\n  What to do next: ${next}`);
  process.exit(1);
}

/** PATH with a folder before all others. */
const withFirst = (...folders) => [...folders, process.env.PATH].join(windows ? ";" : ":");

/** A Node.js that npm can run on: this one, or the package's. */
function nodeForInstall(folder) {
  if (isRecent(process.versions.node)) return process.execPath;
  if (packageName === undefined)
    fail(
      `no Node.js package for ${process.platform}-${process.arch}, and this is ${process.version}`,
      `install Node.js ${leastNode} or newer and run the same command again`,
    );
  try {
    return bringNode(root, packageName, folder);
  } catch (error) {
    return fail(`${error.message}; nothing was run`, "check the network and run the same command again");
  }
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
  const folder = join(root, ".assay", "node");
  const node = nodeForInstall(folder);
  const { command, args, shell } = npmOn(node);
  const ci = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const result = spawnSync(command, [...args, ...ci], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell,
    // onnxruntime-node's own install script fetches CUDA libraries that nothing here uses; its CPU binaries come with it.
    env: { ...process.env, PATH: withFirst(dirname(node)), ONNXRUNTIME_NODE_INSTALL: "skip" },
  });
  rmSync(folder, { recursive: true, force: true });
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
  fail(
    `Node.js ${process.version} is too old and no newer one was installed`,
    `install Node.js ${leastNode} or newer`,
  );
// Tools started by name (npx hardhat, say) must find the same Node.js first.
const path = withFirst(dirname(node), join(root, "node_modules", ".bin"));
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
