import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join, relative, sep } from "node:path";
import type { CircuitName } from "./circuits.ts";
import { circuitSources, repository } from "./circuits.ts";
import { CircuitSetupError } from "./errors.ts";

const require = createRequire(import.meta.url);

/** O2 removes every linear constraint: the compiler takes longer once, each proof takes half as long. */
const flags = ["--r1cs", "--wasm", "--O2"];

/** Changes when the set-up makes other artifacts from the same sources. */
const format = 1;

/** SHA-256 over everything that decides the artifacts of a circuit. */
export async function sourceHash(name: CircuitName): Promise<string> {
  const hash = createHash("sha256");
  const library = (await readdir(join(repository, "circuits/lib")))
    .sort()
    .map((file) => `circuits/lib/${file}`);
  for (const file of [circuitSources[name], ...library]) {
    // Line ends depend on how the repository was checked out.
    const text = (await readFile(join(repository, file), "utf8")).replaceAll("\r\n", "\n");
    hash.update(`${file}\n${text.length}\n${text}`);
  }
  const versions = ["circom2", "circomlib"].map((name) => {
    const { version } = require(`${name}/package.json`) as { version: string };
    return `${name} ${version}`;
  });
  return hash.update(JSON.stringify({ flags, format, versions })).digest("hex");
}

/**
 * Runs circom over one circuit into `directory`, which must be inside the repository: the compiler sees nothing else.
 * @throws CircuitSetupError with the compiler's own words when it refuses the source.
 */
export async function compileCircuit(name: CircuitName, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const output = relative(repository, directory).split(sep).join("/");
  const source = circuitSources[name];
  await runCompiler(name, [source, ...flags, "-l", "node_modules", "-o", output]);
  const base = basename(source, ".circom");
  await rename(join(directory, `${base}.r1cs`), join(directory, "circuit.r1cs"));
  await rename(join(directory, `${base}_js`, `${base}.wasm`), join(directory, "circuit.wasm"));
  await rm(join(directory, `${base}_js`), { recursive: true });
}

/** A process of its own: the compiler takes up to 600 MB, which end with it. */
function runCompiler(name: CircuitName, parameters: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [require.resolve("circom2/cli.js"), ...parameters], {
      cwd: repository,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0 && output.includes("Everything went okay")) resolve();
      else reject(new CircuitSetupError(`circom refused ${circuitSources[name]}:\n${output}`));
    });
  });
}
