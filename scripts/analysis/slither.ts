import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup.ts";
import { compile } from "./compiler.ts";
import { pathWithoutPackages } from "./programs.ts";

/** Where the list of accepted findings is, from the repository's root. */
export const acceptedFile = "test/static/slither.json";

/** What slither has found; `where` is a contract, or what it declares: `Staking.approve`. */
export type Finding = { detector: string; impact: string; where: string; text: string };

/** Findings that were read and found harmless; a place stands as often as the detector reports it. */
export type Accepted = {
  /** Detectors that speak of style or of every use of a construct. */
  detectors: Record<string, string>;
  findings: { detector: string; where: string[]; reason: string }[];
};

export type Comparison = {
  /** Found, and not on the list. */
  unlisted: Finding[];
  /** On the list, and found no longer. */
  gone: string[];
};

type Element = {
  name: string;
  type: string;
  type_specific_fields?: { parent?: Element };
};
type Report = {
  success: boolean;
  error: string | null;
  results: { detectors?: { check: string; impact: string; description: string; elements: Element[] }[] };
};

export const readAccepted = () => JSON.parse(readFileSync(join(root, acceptedFile), "utf8")) as Accepted;

/** Name of an element with those of what it stands in: contract, function, variable. */
function placeOf(element: Element): string {
  const parent = element.type_specific_fields?.parent;
  const isNamed = element.type !== "node" && element.name !== "";
  if (parent === undefined || !["contract", "function", "struct"].includes(parent.type)) return element.name;
  return isNamed ? `${placeOf(parent)}.${element.name}` : placeOf(parent);
}

/** Compares what was found with the list, place by place. */
export function compare(found: readonly Finding[], accepted: Accepted): Comparison {
  const left = new Map<string, number>();
  for (const { detector, where } of accepted.findings)
    for (const place of where) {
      const key = `${detector} ${place}`;
      left.set(key, (left.get(key) ?? 0) + 1);
    }
  const silent = new Set(Object.keys(accepted.detectors));
  const unlisted: Finding[] = [];
  for (const finding of found) {
    if (accepted.detectors[finding.detector] !== undefined) {
      silent.delete(finding.detector);
      continue;
    }
    const key = `${finding.detector} ${finding.where}`;
    const times = left.get(key) ?? 0;
    if (times === 0) unlisted.push(finding);
    else left.set(key, times - 1);
  }
  const gone = [...left].filter(([, times]) => times > 0).map(([key]) => key);
  return { unlisted, gone: [...silent, ...gone] };
}

/** Writes what slither takes for a build of Hardhat 2: syntax trees are all it reads. */
function writeBuild(folder: string): void {
  const { version, input, output } = compile(["contracts/**/*.sol"]);
  const empty = { object: "", sourceMap: "" };
  for (const contracts of Object.values(output.contracts))
    for (const contract of Object.values(contracts))
      contract.evm = { ...contract.evm, bytecode: empty, deployedBytecode: empty };
  mkdirSync(join(folder, "build-info"), { recursive: true });
  const build = { _format: "hh-sol-build-info-1", id: "contracts", solcVersion: version, input, output };
  writeFileSync(join(folder, "build-info", "contracts.json"), JSON.stringify(build));
}

/**
 * Runs slither over every contract.
 * @param program path of slither
 */
export function runSlither(program: string): Finding[] {
  const folder = join(".assay", "analysis", "slither");
  rmSync(join(root, folder), { recursive: true, force: true });
  writeBuild(join(root, folder));
  const report = join(root, folder, "report.json");
  const args = ["--compile-force-framework", "hardhat", "--hardhat-ignore-compile", "--npx-disable"];
  args.push("--hardhat-artifacts-directory", folder, "--filter-paths", "node_modules", "--json", report);
  const { error, stderr } = spawnSync(program, [".", ...args], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    // Hardhat itself, which it would ask for its folders, writes no such builds any more.
    env: { ...process.env, PATH: pathWithoutPackages(), PYTHONHASHSEED: "0" },
  });
  if (error !== undefined) throw error;
  let read: Report;
  try {
    read = JSON.parse(readFileSync(report, "utf8")) as Report;
  } catch {
    throw new Error(`slither wrote no report:\n${stderr}`);
  }
  if (!read.success) throw new Error(`slither failed: ${read.error}`);
  return (read.results.detectors ?? []).map(({ check, impact, description, elements }) => ({
    detector: check,
    impact,
    where: elements[0] === undefined ? "" : placeOf(elements[0]),
    text: description.trim(),
  }));
}
