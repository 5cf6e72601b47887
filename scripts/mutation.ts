import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { programOf } from "./analysis/programs.ts";
import { build, prepare } from "./mutation/build.ts";
import { judge } from "./mutation/judge.ts";
import { digestOf, isAfterAll, keys, ledgerFile, readLedger } from "./mutation/ledger.ts";
import { type Mutant, readSource } from "./mutation/mutants.ts";
import { type MutationRecord, mergeRecord } from "./mutation/record.ts";
import { chooser, shuffled } from "./mutation/sample.ts";
import { type Judged, nameOf, readListed, scoreOf, shareOf } from "./mutation/score.ts";
import { root } from "./setup.ts";
import { messageOf, say } from "./stages.ts";

const gambitPackage = "certora-cli==8.20.3";
const recordFile = "bench/mutation.json";
/** What tests must kill of the mutants that are not equivalent, in percent. */
const bar = 95;
/** How many mutants are tried where the time is short: of a contract, and of all. */
const fewMutants = 40;
const fewInAll = 120;
const seed = 15;

const help = `npm run mutation [-- --changed | contract …] [--sample n] [--minutes n] [--resume | --report] [--record] [--json]

Changes the contracts in one place at a time, as Gambit does it, and runs the tests that reach the place: a change that no
test notices is a hole in the tests. Fails when they notice less than ${bar} % of the changes that make a difference.
  contract …      files below contracts/ (all of them by default)
  --changed       the contracts that differ from those of the last record, ${recordFile}: at most ${fewMutants} mutants of
                  each, and about ${fewInAll} in all
  --sample n      at most n mutants of each contract, the same ones every time
  --minutes n     stops after n minutes, in the midst of mutants that are dealt in a random order, and says how many were judged
  --resume        goes on with an earlier run: mutants of unchanged contracts that were killed in it are not tried again, those
                  that survived are
  --report        judges nothing, and says what earlier runs found of the mutants of contracts that have not changed since
  --record        writes ${recordFile}; with names of contracts, what came out takes the place of what it says of these
  --json          ends with one JSON document on standard output
  ASSAY_GAMBIT    path of gambit, from PyPI: ${gambitPackage}, which keeps it in certora_bins/; on the PATH by default
`;

const git = (...args: string[]) =>
  spawnSync("git", args, { cwd: root, encoding: "utf8" }).stdout?.trim() ?? "";

/** Digests of the contracts, by their files. */
const digestsOf = (files: readonly string[]) =>
  Object.fromEntries(files.toSorted().map((file) => [file, digestOf(file)]));

/** The last record, if there is one. */
function readRecord(): MutationRecord | undefined {
  const path = join(root, recordFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as MutationRecord) : undefined;
}

/** The contracts that are not as they were when the last record was made. */
function changedFiles(all: readonly string[]): string[] {
  const sources = readRecord()?.sources ?? {};
  return all.filter((file) => !file.includes("/interfaces/") && sources[file] !== digestOf(file));
}

/** A whole number above zero, or what to do without one. */
function countOf(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${name} ${text}: not a number of one and more`);
  return Number(text);
}

const lineOf = ({ file, start }: Mutant) => readSource(file).slice(0, start).split("\n").length;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      changed: { type: "boolean", default: false },
      record: { type: "boolean", default: false },
      resume: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
      sample: { type: "string" },
      minutes: { type: "string" },
    },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const all = globSync("contracts/**/*.sol", { cwd: root }).map((file) => file.replaceAll("\\", "/"));
  const unknown = positionals.filter((file) => !all.includes(file));
  if (unknown.length > 0) {
    say(`assay: no contract ${unknown.join(", ")}\n\n${help}`);
    return 64;
  }
  const isWhole = !values.changed && positionals.length === 0;
  const files = values.changed ? changedFiles(all) : isWhole ? all : positionals;
  if (files.length === 0) {
    say("no contract has changed since the last record");
    if (values.json) process.stdout.write(`${JSON.stringify({ ok: true, score: 100, contracts: {} })}\n`);
    return 0;
  }
  const gambit = programOf("gambit", "ASSAY_GAMBIT", gambitPackage);
  const start = performance.now();
  const few = Math.min(fewMutants, Math.ceil(fewInAll / files.length));
  const most = countOf("sample", values.sample, values.changed ? few : Infinity);
  const minutes = countOf("minutes", values.minutes, Infinity);
  const load = loadavg();
  if (!values.resume && !values.report) rmSync(ledgerFile, { force: true });
  const listed = readListed();
  const equivalents = new Set(listed.equivalent.flatMap(({ mutants }) => mutants));
  const isEquivalent = (mutant: Mutant) => equivalents.has(nameOf(mutant));
  const earlier = readLedger();
  const keyOf = keys();
  // Survivors are tried again, for tests may have been added; who only wants to know is told of them.
  const isKnown = (mutant: Mutant) => {
    const entry = earlier.get(keyOf(mutant));
    if (entry === undefined || entry.outcome !== "survived") return entry !== undefined;
    return values.report && (isAfterAll(entry) || isEquivalent(mutant));
  };
  const { kept, known, refused, sources } = prepare(
    gambit,
    (file) => files.includes(file),
    chooser(most, seed),
    isKnown,
  );
  say(`  ${kept.length} mutants, and ${refused.length} that are no valid Solidity`);
  if (known.length > 0) say(`  ${known.length} more were judged before`);
  const judged: Judged[] = [];
  if (!values.report) {
    say("  compiling the contracts with their mutants (some minutes)");
    await build(sources);
    judged.push(...(await judge(shuffled(kept, seed), isEquivalent, start + minutes * 60_000, say)));
  }
  const tried = new Set(judged.map(keyOf));
  const untried = kept.filter((mutant) => !tried.has(keyOf(mutant)));
  if (untried.length > 0) say(`  ${untried.length} not judged`);
  const unsure = new Set(untried.map(({ file }) => file));
  judged.push(
    ...known.map((mutant): Judged => ({ ...mutant, outcome: earlier.get(keyOf(mutant))!.outcome })),
  );
  const { score, contracts, mistaken } = scoreOf(judged, listed, lineOf);
  const seconds = Math.round((performance.now() - start) / 1000);
  for (const [name, { mutants, killed, equivalent, survivors }] of Object.entries(contracts)) {
    say(`${name}: ${killed} of ${mutants - equivalent} killed, ${equivalent} equivalent`);
    for (const { mutant, line, reason } of survivors)
      if (reason === undefined) say(`  line ${line}: ${mutant}`);
  }
  for (const name of mistaken) say(`listed as equivalent, and killed: ${name}`);
  say(`${score} % killed, at least ${bar} %: ${score >= bar ? "yes" : "NO"}`);
  const judgedNow = files.filter((file) => !unsure.has(file));
  const found: MutationRecord = {
    ok: score >= bar && mistaken.length === 0,
    score,
    date: new Date().toISOString().slice(0, 10),
    commit: git("rev-parse", "--short", "HEAD"),
    machine: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores`,
    load: { before: load[0], after: loadavg()[0] },
    seconds,
    gambit: gambitPackage,
    sample: Number.isFinite(most) ? { most, seed } : null,
    untried: untried.length,
    judgedBefore: known.length,
    // What was not judged to the end is to be judged with the next change.
    sources: digestsOf(judgedNow),
    contracts,
    refused: refused.map((mutant) => ({ mutant: nameOf(mutant), error: mutant.error })),
  };
  if (values.record) {
    const record = mergeRecord(found, isWhole ? undefined : readRecord(), digestsOf(all), shareOf);
    writeFileSync(join(root, recordFile), `${JSON.stringify(record, null, 2)}\n`);
    say(`the record: ${record.score} % killed in ${Object.keys(record.contracts).length} contracts`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(found)}\n`);
  return found.ok ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  say(`assay: ${messageOf(error)}`);
  process.exit(1);
}
