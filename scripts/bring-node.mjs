// Which Node.js runs the project, and how it is fetched. Like run.mjs, this file runs on plain Node.js 20.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const windows = process.platform === "win32";

/** The least Node.js that runs the sources: `using` declarations, and TypeScript without a flag. */
export const leastNode = "24.11.1";

/** Whether a version, as `process.versions.node` gives it, is `leastNode` or later. */
export function isRecent(version) {
  const [given, least] = [version, leastNode].map((each) => each.split(".").map(Number));
  const first = given.findIndex((part, i) => part !== least[i]);
  return first === -1 || given[first] > least[first];
}

/**
 * Name of the registry package that carries Node.js for a platform.
 *
 * @param packageJson the project's package.json
 * @returns undefined where there is none
 */
export function nodePackage(packageJson, platform = process.platform, arch = process.arch) {
  const os = platform === "win32" ? "win" : platform;
  const names = [`node-${os}-${arch}`, `node-bin-${os}-${arch}`];
  return names.find((name) => packageJson.optionalDependencies[name] !== undefined);
}

/** Path of the executable that a package of Node.js holds, below a folder of packages. */
export const nodeBelow = (modules, name) => join(modules, name, "bin", windows ? "node.exe" : "node");

/**
 * How npm is run on a given Node.js: its own script where that can be found, so that no wrapper picks another Node.js.
 *
 * @param node path of the Node.js that npm is to run on
 */
export function npmOn(node) {
  const beside = dirname(process.execPath);
  const candidates = [
    process.env.npm_execpath,
    join(beside, "node_modules", "npm", "bin", "npm-cli.js"),
    join(beside, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
  ];
  const script = candidates.find((path) => path && basename(path) === "npm-cli.js" && existsSync(path));
  return script === undefined
    ? { command: "npm", args: [], shell: windows }
    : { command: node, args: [script], shell: false };
}

/**
 * Fetches the package of Node.js that the lockfile names for this platform. npm checks the archive against the lockfile's hash
 * before it unpacks it; nothing of it has run by then.
 *
 * @param root the project's folder, with its package-lock.json
 * @param name what `nodePackage` gives
 * @param folder where it is put; whatever is there is removed
 * @returns path of the executable
 * @throws Error when the lockfile has no hash of it, or npm fails: no network, or another archive than the lockfile's
 */
export function bringNode(root, name, folder) {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const { version, integrity, cpu, os } = lock.packages[`node_modules/${name}`] ?? {};
  if (integrity === undefined) throw new Error(`package-lock.json has no hash of ${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const own = { name: "node-for-install", version: "0.0.0", dependencies: { [name]: version } };
  const packages = { "": own, [`node_modules/${name}`]: { version, integrity, cpu, os } };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...own, private: true }));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ ...own, lockfileVersion: 3, packages }));
  const { command, args, shell } = npmOn(process.execPath);
  const ci = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync(command, [...args, ...ci], { cwd: folder, stdio: ["ignore", 2, 2], shell });
  if (status !== 0) throw new Error(`npm could not fetch ${name} ${version} as package-lock.json names it`);
  return nodeBelow(join(folder, "node_modules"), name);
}
