import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { root } from "../setup.ts";
import { keys, note } from "./ledger.ts";
import { deal, NoAnswer } from "./pool.ts";
import type { Numbered } from "./schemata.ts";
import type { Judged } from "./score.ts";
import { soliditySuites } from "./solidity.ts";
import type { Attempt, Effort, Explored, Kind, Reply } from "./suites.ts";

/** Code that holds mutants costs more gas and is longer: what measures either says nothing here, and takes long. */
const measuring = /(^|\/)(gas|memberGas|game|gameLenet|interfaces|playersRandom|search)\.test\.ts$/;

/** How many files of TypeScript tests are tried on a mutant, its own area's first: each may take a minute. */
const MOST_FILES = 4;

type Suite = Explored & { name: string; area: string; reaches: Set<number> };

/** The folder below contracts/ or test/contracts/. */
const areaOf = (path: string) => path.replace(/^test\//, "").split("/")[1] as string;

/** The processor time that a suite may take with a mutant in it: what takes longer does not end. */
const limitOf = (milliseconds: number) => 20_000 + 10 * milliseconds;
/** How many times as long an attempt may take on a busy machine. */
const BUSY = 10;

/** What a suite may take on the original contracts, with every mutant reporting. */
const EXPLORE_MILLISECONDS = 900_000;

/** What is left of the time for a request when the run has an end of its own. */
const timeFor = (milliseconds: number, deadline: number) =>
  Math.max(0, Math.min(milliseconds, deadline - performance.now()));

const isOver = (deadline: number) => performance.now() >= deadline;

/** On the original contracts, no answer is an error like others. */
function noAnswer(error: unknown): Reply {
  if (error instanceof NoAnswer) return { memory: 0, error: "no answer in time" };
  throw error;
}

/** Runs every suite on the original contracts once. */
async function explore(
  kind: Kind,
  names: Map<string, string>,
  deadline: number,
  say: (line: string) => void,
): Promise<Suite[]> {
  const suites: Suite[] = [];
  await deal(kind, [...names], async ([name, path], ask) => {
    if (isOver(deadline)) return;
    const time = timeFor(EXPLORE_MILLISECONDS, deadline);
    const { explored, error } = await ask({ explore: name }, time).catch(noAnswer);
    if (explored === undefined) say(`  left out: ${name}: ${error?.split("\n")[0]}`);
    else suites.push({ ...explored, name, area: areaOf(path), reaches: new Set(explored.reached) });
    const failing = explored?.failing.length ?? 0;
    if (failing > 0) say(`  left out: ${failing} of the tests in ${name}`);
  });
  return suites;
}

/** A source with all that it imports from the repository, directly or not. */
function importsOf(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  const code = readFileSync(join(root, path), "utf8");
  for (const [, name] of code.matchAll(/^(?:import|\}).*?"(\.[^"]+)";/gm))
    importsOf(normalize(join(dirname(path), name as string)).replaceAll("\\", "/"), found);
  return found;
}

/** The suites of a kind that are tried on a mutant, the cheapest first. */
function suitesFor(kind: Kind, suites: readonly Suite[], { id, file }: Numbered, effort: Effort): Suite[] {
  const area = areaOf(file);
  const reaching = suites
    .filter(({ reaches }) => reaches.has(id))
    .sort((a, b) => Number(b.area === area) - Number(a.area === area) || a.milliseconds - b.milliseconds);
  if (kind === "nodejs") return reaching.slice(0, MOST_FILES);
  // What walks at random through another area costs minutes and notices little.
  return effort === "full" ? reaching.filter((suite) => suite.area === area) : reaching;
}

/** Repeats what got no answer. */
const again =
  <T>(what: () => Promise<T>) =>
  (error: unknown): Promise<T> => {
    if (error instanceof NoAnswer) return what();
    throw error;
  };

/**
 * Tries suites on mutants until one notices, and gives back the mutants that none has noticed; those that the time was too
 * short for are neither judged nor given back.
 */
async function attempt(
  kind: Kind,
  effort: Effort,
  suites: readonly Suite[],
  mutants: readonly Numbered[],
  judged: Judged[],
  deadline: number,
  say: (line: string) => void,
): Promise<Numbered[]> {
  const left: Numbered[] = [];
  const keyOf = keys();
  let count = 0;
  await deal(kind, mutants, async (mutant, ask) => {
    let outcome: Judged["outcome"] = "survived";
    let by: string = kind;
    if (isOver(deadline)) return;
    for (const { name, milliseconds, gas, failing } of suitesFor(kind, suites, mutant, effort)) {
      const request = {
        suite: name,
        mutant: mutant.id,
        effort,
        failing,
        gas,
      };
      const notices = async () => {
        const limit = limitOf(milliseconds);
        const answer = ask({ attempt: request, milliseconds: limit }, timeFor(BUSY * limit, deadline));
        const { killed, error } = await answer;
        if (error !== undefined) throw new Error(`${name}: ${error}`);
        return killed === true;
      };
      try {
        // A worker may end for reasons of its own: once more, in another.
        if (!(await notices().catch(again(notices)))) continue;
        outcome = "killed";
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        if (isOver(deadline)) return;
        outcome = "timeout";
      }
      by = name;
      break;
    }
    note({ key: keyOf(mutant), outcome, by });
    if (outcome === "survived") left.push(mutant);
    else judged.push({ ...mutant, outcome });
    if (++count % 250 === 0) say(`  ${kind}, ${effort}: ${count} of ${mutants.length}, ${left.length} left`);
  });
  return left;
}

/** The suites that pass at length when no mutant is on. */
async function passing(suites: readonly Suite[], say: (line: string) => void): Promise<Suite[]> {
  const sound: Suite[] = [];
  await deal("solidity", suites, async (suite, ask) => {
    const { name, gas } = suite;
    const request: Attempt = { suite: name, mutant: 0, effort: "full", failing: [], gas };
    const attempt = { attempt: request, milliseconds: EXPLORE_MILLISECONDS };
    const { killed } = await ask(attempt, EXPLORE_MILLISECONDS).catch(noAnswer);
    if (killed === false) sound.push(suite);
    else say(`  left out at length: ${name}`);
  });
  return sound;
}

/**
 * Tries the tests on every mutant: Solidity tests, then those in TypeScript, then, without a deadline, Solidity tests at length.
 * @param isEquivalent says what the slower tests need not be tried on
 * @param deadline when to stop, on the clock of `performance.now()`: a mutant that neither a test has noticed by then nor
 * all have been tried on is left out of what comes back
 */
export async function judge(
  mutants: readonly Numbered[],
  isEquivalent: (mutant: Numbered) => boolean,
  deadline: number,
  say: (line: string) => void,
): Promise<Judged[]> {
  const judged: Judged[] = [];
  const keyOf = keys();
  const mutated = new Set(mutants.map(({ file }) => file));
  const importing = [...soliditySuites()].filter(([, path]) =>
    [...importsOf(path)].some((file) => mutated.has(file)),
  );
  const solidity = await explore("solidity", new Map(importing), deadline, say);
  say(`  ${solidity.length} contracts of Solidity tests`);
  const first = await attempt("solidity", "quick", solidity, mutants, judged, deadline, say);
  const survived = (mutant: Numbered): Judged => ({ ...mutant, outcome: "survived" });
  judged.push(...first.filter(isEquivalent).map(survived));
  let left = first.filter((mutant) => !isEquivalent(mutant));
  const areas = new Set(left.map(({ file }) => areaOf(file)));
  const files = globSync("test/contracts/**/*.test.ts", { cwd: root })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => !measuring.test(file) && areas.has(areaOf(file)));
  if (left.length > 0) {
    const nodejs = await explore("nodejs", new Map(files.map((file) => [file, file])), deadline, say);
    left = await attempt("nodejs", "quick", nodejs, left, judged, deadline, say);
  }
  if (left.length > 0 && deadline === Infinity) {
    const sound = await passing(
      solidity.filter(({ area }) => left.some(({ file }) => areaOf(file) === area)),
      say,
    );
    left = await attempt("solidity", "full", sound, left, judged, deadline, say);
  }
  for (const mutant of [...first.filter(isEquivalent), ...left])
    note({ key: keyOf(mutant), outcome: "survived", by: "all" });
  return [...judged, ...left.map(survived)];
}
