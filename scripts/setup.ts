import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setupCircuits } from "../circuits/setup/setup.ts";
import { say, showProgress } from "./stages.ts";

export const root = resolve(import.meta.dirname, "..");

/** Runs a command of the project and rejects when it fails; its output goes to standard error. */
export function runCommand(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", 2, 2],
      env: { ...process.env, ...env },
      shell: process.platform === "win32",
    });
    child.on("error", failed);
    child.on("exit", (code) =>
      code === 0 ? done() : failed(new Error(`${command} ${args.join(" ")} ended with exit code ${code}`)),
    );
  });
}

function* filesBelow(folder: string, ending: string): Generator<string> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesBelow(path, ending);
    else if (name.endsWith(ending)) yield path;
  }
}

function contractsDigest(): string {
  const hash = createHash("sha256");
  for (const file of ["hardhat.config.ts", "package-lock.json"]) hash.update(readFileSync(join(root, file)));
  for (const path of filesBelow(join(root, "contracts"), ".sol"))
    hash.update(path).update(readFileSync(path));
  return hash.digest("hex");
}

/**
 * Compiles the contracts unless nothing has changed since the last time.
 *
 * @param withTests the Solidity tests, too; otherwise only what other tests deploy beside the contracts
 */
export async function setupContracts(
  profile: "default" | "production" = "default",
  withTests = true,
): Promise<{ cached: boolean }> {
  const stamp = join(root, ".assay", `contracts-${profile}`);
  const digest = contractsDigest();
  const marker = join(root, "artifacts", "contracts");
  if (existsSync(stamp) && existsSync(marker) && readFileSync(stamp, "utf8") === digest)
    return { cached: true };
  say(
    `  compiling the contracts (${profile} profile, about ${profile === "default" ? "1 minute" : "10 minutes"})`,
  );
  const build = ["build", "--build-profile", profile];
  if (withTests) await runCommand("hardhat", build);
  else {
    const beside = [...filesBelow(join(root, "test", "contracts"), ".sol")].filter(
      (path) => !path.endsWith(".t.sol"),
    );
    await runCommand("hardhat", [...build, "--no-tests"]);
    await runCommand("hardhat", [...build, ...beside]);
  }
  mkdirSync(join(root, ".assay"), { recursive: true });
  // The artifacts folder holds one profile at a time: building one makes the other stale.
  for (const other of ["default", "production"])
    writeFileSync(join(root, ".assay", `contracts-${other}`), "");
  writeFileSync(stamp, digest);
  return { cached: false };
}

/** What decides the bytecode of the subgraph. */
function subgraphDigest(): string {
  const hash = createHash("sha256");
  for (const file of ["package-lock.json", "subgraph/schema.graphql", "subgraph/subgraph.yaml"])
    hash.update(readFileSync(join(root, file)));
  for (const path of filesBelow(join(root, "subgraph", "src"), ".ts"))
    hash.update(path).update(readFileSync(path));
  for (const path of filesBelow(join(root, "subgraph", "abis"), ".json")) hash.update(readFileSync(path));
  return hash.digest("hex");
}

/** Builds the subgraph with The Graph's own compiler unless nothing has changed since the last time. */
export async function setupSubgraph(): Promise<{ cached: boolean }> {
  const stamp = join(root, ".assay", "subgraph");
  const manifest = join(root, "subgraph", "build", "subgraph.yaml");
  const digest = subgraphDigest();
  if (existsSync(stamp) && existsSync(manifest) && readFileSync(stamp, "utf8") === digest)
    return { cached: true };
  say("  compiling the subgraph (about half a minute)");
  rmSync(stamp, { force: true });
  await runCommand("graph", ["codegen", "subgraph/subgraph.yaml", "-o", "subgraph/generated"]);
  await runCommand("graph", ["build", "subgraph/subgraph.yaml", "-o", "subgraph/build"]);
  mkdirSync(join(root, ".assay"), { recursive: true });
  writeFileSync(stamp, digest);
  return { cached: false };
}

/** Where the built page is. */
export const pageFolder = join(root, "dapp", "dist");

/** Whatever decides what the page becomes: its own files, and what it takes from elsewhere. */
function pageDigest(): string {
  const hash = createHash("sha256").update(readFileSync(join(root, "package-lock.json")));
  const folders = ["dapp/src", "dapp/public", "keepers/src", "subgraph/queries"];
  for (const name of ["dapp/index.html", "dapp/vite.config.ts"]) hash.update(readFileSync(join(root, name)));
  for (const folder of folders)
    for (const path of filesBelow(join(root, folder), "")) hash.update(path).update(readFileSync(path));
  return hash.digest("hex");
}

/** Builds the page unless nothing has changed since the last time. */
export async function setupPage(): Promise<{ cached: boolean }> {
  const stamp = join(root, ".assay", "page");
  const digest = pageDigest();
  if (
    existsSync(stamp) &&
    existsSync(join(pageFolder, "index.html")) &&
    readFileSync(stamp, "utf8") === digest
  )
    return { cached: true };
  say("  building the page (a few seconds)");
  rmSync(stamp, { force: true });
  await runCommand("vite", ["build", "--logLevel", "warn", "dapp"]);
  mkdirSync(join(root, ".assay"), { recursive: true });
  writeFileSync(stamp, digest);
  return { cached: false };
}

/** Everything that must exist before the network can start: contracts, circuits, development keys, subgraph, page. */
export async function setUp(): Promise<Record<string, unknown>> {
  const contracts = await setupContracts();
  const circuits = await setupCircuits({ onProgress: (line) => showProgress(line) });
  const subgraph = await setupSubgraph();
  const page = await setupPage();
  return { contracts, circuits: circuits.map(({ name }) => name), subgraph, page };
}
