import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./setup.ts";
import { say } from "./stages.ts";

/** A custom error that a source reverts with, or an event that it emits. */
export type Outcome = {
  source: string;
  line: number;
  kind: "revert" | "event";
  name: string;
  isOwn: boolean;
};
/** An outcome with the tests that expect it: `file: test`. */
type Reached = Outcome & { tests: string[] };

type TestBlock = { file: string; area: string; title: string; code: string };

/** Guards that no call can trip, and why; they stay, because what they guard against must not pass if it ever could. */
const guards: Record<string, string> = {
  "contracts/attestation/ValidatorSet.sol SetFull": "takes as many enrolments as the weight tree has places",
  "contracts/disputes/ExactElementwise.sol NotElementwise": "is asked for opcodes without sums alone",
  "contracts/disputes/ExactOps.sol NoSum": "an opcode without sums has no products to ask for",
  "contracts/disputes/ExactPooling.sol EmptyWindow": "pads are smaller than the kernel (WindowRules)",
  "contracts/libraries/HashToCurve.sol PointAdditionFailed": "both points come from the map to the curve",
};

const help = `npm run reach [-- --list] [--json]

Looks for a test of every custom error and event of every contract, and fails when one has none.
Reads sources and tests only; that the lines do run is what npm run coverage measures.
  --list    print every error and event with the test that expects it, not only those without one
  --json    print the list as one JSON document on standard output
`;

/** Comments can name what the code below them does not do. */
const withoutComments = (code: string) =>
  code
    .replace(/\/\*[\s\S]*?\*\//g, (text) => text.replace(/[^\n]/g, " "))
    .replace(/(^|[^:"'`])\/\/.*$/gm, "$1");

/** Folder below `contracts/` or `test/contracts/`; "" for what lies at their top. */
const areaOf = (path: string) => path.replace(/^(test\/)?contracts\//, "").match(/^([^/]+)\//)?.[1] ?? "";

const read = (path: string) => withoutComments(readFileSync(join(root, path), "utf8"));

/** Every `revert Name(` and `emit Name(` of a source. */
function sitesOf(source: string, code: string): Outcome[] {
  return [...code.matchAll(/\b(revert|emit)\s+(?:\w+\.)*(\w+)\s*\(/g)].map((match) => ({
    source,
    line: code.slice(0, match.index).split("\n").length,
    kind: match[1] === "emit" ? "event" : "revert",
    name: match[2] as string,
    // Tests then name it with the source's name in front.
    isOwn: new RegExp(`\\b(?:error|event) ${match[2]}\\(`).test(code),
  }));
}

/** Cuts code at each start of a block: good enough to tell which test a line belongs to. */
function cut(code: string, start: RegExp): { title: string; code: string; at: number }[] {
  const starts = [...code.matchAll(start)];
  return starts.map((match, i) => ({
    at: match.index,
    title: match.slice(1).find((group) => group !== undefined) ?? "",
    code: code.slice(match.index, starts[i + 1]?.index),
  }));
}

const solidityFunctions = (code: string) => cut(code, /\bfunction\s+(\w+)\s*\(/g);
const isTest = ({ title }: { title: string }) => /^(test|invariant)/.test(title);

/** The files below `test/` that a Solidity test is built on: its fixtures, and theirs. */
function fixturesOf(file: string, sources: ReadonlyMap<string, string>): string[] {
  const seen = new Set<string>();
  const waiting = [file];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [, path] of sources.get(next)?.matchAll(/\bfrom "(\.[^"]+)"/g) ?? []) {
      const fixture = join(dirname(next), path as string);
      if (seen.has(fixture) || !sources.has(fixture)) continue;
      seen.add(fixture);
      waiting.push(fixture);
    }
  }
  return [...seen];
}

/** The tests of a Solidity file; what helpers expect, here or in fixtures, counts for the tests that call them. */
function solidityBlocks(file: string, sources: ReadonlyMap<string, string>): TestBlock[] {
  const functions = solidityFunctions(sources.get(file) ?? "");
  const fixtures = fixturesOf(file, sources).flatMap((path) => solidityFunctions(sources.get(path) ?? ""));
  const helpers = [...functions, ...fixtures].filter((one) => !isTest(one));
  return functions.filter(isTest).map(({ title, code: own }) => {
    const used = new Set<string>([own]);
    // A set that grows is gone through to its end: helpers call helpers.
    for (const code of used) {
      const called = helpers.filter((helper) => new RegExp(`\\b${helper.title}\\(`).test(body(code)));
      for (const helper of called) used.add(helper.code);
    }
    return { file, area: areaOf(file), title, code: [...used].join("\n") };
  });
}

/** A function without its head, which names itself. */
const body = (code: string) => code.slice(code.indexOf("("));

/** The cases of a TypeScript test; what stands before the first one is a helper of all. */
function typescriptBlocks(file: string, code: string): TestBlock[] {
  const cases = cut(code, /\b(?:it|test)\(\s*(?:"([^"]+)"|`([^`]+)`)/g);
  const shared = { title: "all cases", code: cases.length === 0 ? code : code.slice(0, cases[0]!.at) };
  return [...cases, shared].map(({ title, code: own }) => ({ file, area: areaOf(file), title, code: own }));
}

/** The tests that a helper serves, directly or through other helpers. */
function importersOf(helper: string, sources: ReadonlyMap<string, string>): string[] {
  const seen = new Set([helper]);
  const waiting = [helper];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [file, code] of sources) {
      if (seen.has(file) || !code.includes(`/${basename(next)}"`)) continue;
      seen.add(file);
      waiting.push(file);
    }
  }
  return [...seen].filter((file) => file.endsWith(".test.ts"));
}

/** Every test of the contracts, cut into its cases. */
function testBlocks(): TestBlock[] {
  const solidity = new Map(
    globSync("test/contracts/**/*.sol", { cwd: root })
      .sort()
      .map((file) => [file, read(file)]),
  );
  const typescript = new Map(
    globSync("test/contracts/**/*.ts", { cwd: root })
      .sort()
      .map((file) => [file, read(file)]),
  );
  return [
    ...[...solidity.keys()].flatMap((file) => solidityBlocks(file, solidity)),
    ...[...typescript].flatMap(([file, code]) => {
      const users = file.endsWith(".test.ts") ? [file] : importersOf(file, typescript);
      return users.flatMap((user) => typescriptBlocks(user, code));
    }),
  ];
}

/** Whether a test names the outcome in a way that expects it. */
function expects({ file, code }: TestBlock, { source, kind, name, isOwn }: Outcome): boolean {
  if (!code.includes(name)) return false;
  if (file.endsWith(".sol")) {
    const full = isOwn ? `${basename(source, ".sol")}\\.${name}` : name;
    const selector = `\\b${full}\\.selector\\b`;
    const emitted = `\\bemit (?:\\w+\\.)*${full}\\(`;
    return new RegExp(kind === "revert" ? selector : `${emitted}|${selector}`).test(code);
  }
  return new RegExp(`["'\`/.|]${name}\\b`).test(code);
}

/**
 * The tests of each outcome. Names are shared between areas (`NotEligible`, say), so that only tests of the area of the
 * source count; those of libraries may be reached from anywhere.
 */
function reach(outcomes: readonly Outcome[], blocks: readonly TestBlock[]): Reached[] {
  return outcomes.map((outcome) => {
    const area = areaOf(outcome.source);
    const contract = basename(outcome.source, ".sol");
    const own = blocks.filter((block) => area === "libraries" || block.area === area || block.area === "");
    // Tests of the contract itself first: within an area, too, names are shared.
    const isOwn = ({ file }: TestBlock) => basename(file).startsWith(contract);
    const found = own.filter((block) => expects(block, outcome));
    const tests = [...found.filter(isOwn), ...found.filter((block) => !isOwn(block))];
    return { ...outcome, tests: tests.map(({ file, title }) => `${basename(file)}: ${title}`) };
  });
}

/** Every place of a revert or event, in the order of the sources. */
export function allSites(): Outcome[] {
  const sources = globSync("contracts/**/*.sol", { cwd: root }).sort();
  return sources.flatMap((source) => sitesOf(source, read(source)));
}

/** Once per source and name, at the first place. */
function allOutcomes(): Outcome[] {
  const first = new Map<string, Outcome>();
  for (const site of allSites()) {
    const key = `${site.source} ${site.kind} ${site.name}`;
    if (!first.has(key)) first.set(key, site);
  }
  return [...first.values()];
}

const guardOf = ({ source, name }: Outcome) => guards[`${source} ${name}`];

const isMissing = (row: Reached) => row.tests.length === 0 && guardOf(row) === undefined;

/** Errors and events that no test expects and that are no guards: `source:line name`. */
export function unreached(): string[] {
  const missing = reach(allOutcomes(), testBlocks()).filter(isMissing);
  return missing.map(({ source, line, name }) => `${source}:${line} ${name}`);
}

const options = { list: { type: "boolean" }, json: { type: "boolean" }, help: { type: "boolean" } } as const;

function main(): number {
  const { values } = parseArgs({ options });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  const rows = reach(allOutcomes(), testBlocks());
  const missing = rows.filter(isMissing);
  for (const row of values.list === true ? rows : missing) {
    const { source, line, kind, name, tests } = row;
    const [first, ...others] = tests;
    const guard = guardOf(row);
    const none = guard === undefined ? "NO TEST" : `a guard: ${guard}`;
    const by = first === undefined ? none : `${first}${others.length > 0 ? ` (+${others.length})` : ""}`;
    say(`${`${source.replace("contracts/", "")}:${line}`.padEnd(40)} ${kind} ${name.padEnd(26)} ${by}`);
  }
  const kept = rows.filter((row) => row.tests.length === 0).length - missing.length;
  say(`\n${rows.length} errors and events, ${kept} of them guards, ${missing.length} without a test`);
  if (values.json === true) process.stdout.write(`${JSON.stringify(rows)}\n`);
  return missing.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(main());
