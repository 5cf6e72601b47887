import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { root } from "../setup.ts";
import { type CompiledContract, compile } from "./compiler.ts";
import { pathWithoutPackages } from "./programs.ts";

/** Where the properties are, from the repository's root. */
export const propertyFiles = "test/symbolic/*.sol";

/** What became of a property: it holds for all inputs, or it does not, or the solver could not tell. */
export type Property = { name: string; holds: boolean; seconds: number };

type Report = {
  exitcode: number;
  test_results: Record<string, { name: string; exitcode: number; num_models: number; time: number[] }[]>;
};

/** The properties that stand in the sources: the name of each begins with `check_`. */
export function declaredProperties(code: string): string[] {
  return [...code.matchAll(/\bfunction (check_\w+)\(/g)].map(([, name]) => name as string);
}

/** An artifact as Foundry writes it, as far as it is read. */
function artifactOf(contract: CompiledContract, ast: object, version: string): string {
  const { bytecode, deployedBytecode, methodIdentifiers } = contract.evm;
  const prefixed = (code: typeof bytecode) => ({ ...code, object: `0x${code?.object ?? ""}` });
  return JSON.stringify({
    abi: contract.abi,
    bytecode: prefixed(bytecode),
    deployedBytecode: prefixed(deployedBytecode),
    methodIdentifiers,
    metadata: { compiler: { version } },
    ast,
  });
}

/** Writes the artifacts of the properties, and the `forge` that halmos calls first: everything is built already. */
function writeBuild(folder: string): void {
  const { version, output } = compile([propertyFiles], ["evm.bytecode", "evm.deployedBytecode"]);
  for (const [path, contracts] of Object.entries(output.contracts)) {
    if (!path.startsWith(`${dirname(propertyFiles)}/`)) continue;
    const out = join(folder, "out", basename(path));
    mkdirSync(out, { recursive: true });
    for (const [name, contract] of Object.entries(contracts))
      writeFileSync(join(out, `${name}.json`), artifactOf(contract, output.sources[path]!.ast, version));
  }
  const forge = join(folder, "bin", "forge");
  mkdirSync(dirname(forge));
  writeFileSync(forge, "#!/bin/sh\nexit 0\n");
  chmodSync(forge, 0o755);
}

/**
 * Runs halmos over every property.
 * @param program path of halmos; its solvers are beside it
 */
export function runHalmos(program: string): Property[] {
  const folder = join(root, ".assay", "analysis", "halmos");
  rmSync(folder, { recursive: true, force: true });
  writeBuild(folder);
  const report = join(folder, "report.json");
  const args = [
    "--root",
    folder,
    "--json-output",
    report,
    "--no-status",
    "--solver-timeout-assertion",
    "20s",
  ];
  // As many roots as a cover has.
  args.push("--loop", "64");
  const path = [join(folder, "bin"), dirname(program), pathWithoutPackages()].join(delimiter);
  const { error, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, PATH: path },
  });
  if (error !== undefined) throw error;
  process.stderr.write(stdout);
  let read: Report;
  try {
    read = JSON.parse(readFileSync(report, "utf8")) as Report;
  } catch {
    throw new Error(`halmos wrote no report:\n${stderr}`);
  }
  return Object.values(read.test_results)
    .flat()
    .map(({ name, exitcode, time }) => ({
      name: name.replace(/\(.*/, ""),
      holds: exitcode === 0,
      seconds: Math.round((time[0] ?? 0) * 100) / 100,
    }));
}
