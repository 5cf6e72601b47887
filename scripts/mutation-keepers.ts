import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { judgePart, parts, strykerVersion } from "./mutation/keepers.ts";
import { type Contract, shareOf } from "./mutation/score.ts";
import { root } from "./setup.ts";
import { messageOf, say } from "./stages.ts";

const recordFile = "bench/mutation-keepers.json";
/** What tests must kill, in percent. */
const bar = 85;
const usualSeed = 15;

const help = `npm run mutation:keepers [-- part …] [--share n] [--record] [--json]

Changes the keepers' code in one place at a time, as Stryker ${strykerVersion} does it, and runs the tests that reach the place:
a change that no test notices is a hole in the tests. Fails when they notice less than ${bar} % of those of any part.
  part …       ${parts.map(({ name }) => name).join(", ")} (all of them by default)
  --share n    changes 1 in n lines alone, the same ones every time
  --seed n     draws other lines (${usualSeed} by default): whether tests hold more than the lines of the record
  --record     writes each part into ${recordFile} as soon as it is judged
  --json       ends with one JSON document on standard output
`;

/** What a run of one part found. */
type PartRecord = {
  readonly score: number;
  readonly date: string;
  readonly machine: string;
  readonly load: { readonly before?: number | undefined; readonly after?: number | undefined };
  readonly seconds: number;
  /** Null where every line was changed. */
  readonly sample: { readonly oneLineIn: number; readonly seed: number } | null;
  readonly files: Readonly<Record<string, Contract>>;
};

type KeepersRecord = {
  readonly ok: boolean;
  readonly score: number;
  readonly stryker: string;
  readonly parts: Readonly<Record<string, PartRecord>>;
};

/** @param names parts that have to be there: a part that nobody has judged is not held to anything */
function recordOf(
  found: Readonly<Record<string, PartRecord>>,
  names: readonly string[] = parts.map(({ name }) => name),
): KeepersRecord {
  const score = shareOf(Object.values(found).flatMap(({ files }) => Object.values(files)));
  // A part that is held well must not hide one that is not.
  const ok = names.every((name) => (found[name]?.score ?? 0) >= bar);
  return { ok, score, stryker: strykerVersion, parts: found };
}

/** The last record, if there is one. */
function readRecord(): KeepersRecord | undefined {
  const path = join(root, recordFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as KeepersRecord) : undefined;
}

function write(record: KeepersRecord): void {
  writeFileSync(join(root, recordFile), `${JSON.stringify(record, null, 2)}\n`);
}

function tell(name: string, { files, score }: PartRecord): void {
  for (const [file, { mutants, killed, survivors }] of Object.entries(files)) {
    say(`${file}: ${killed} of ${mutants} killed`);
    for (const { mutant, line } of survivors) say(`  line ${line}: ${mutant}`);
  }
  say(`${name}: ${score} % killed`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      record: { type: "boolean", default: false },
      share: { type: "string", default: "1" },
      seed: { type: "string", default: String(usualSeed) },
    },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  const wrong = (["share", "seed"] as const).find((name) => !/^[1-9]\d{0,4}$/.test(values[name]));
  if (unknown.length > 0 || wrong !== undefined) {
    say(
      wrong === undefined
        ? `assay: no part ${unknown.join(", ")}`
        : `assay: --${wrong} ${values[wrong]}: 1 to 99999`,
    );
    say(`\n${help}`);
    return 64;
  }
  const [oneLineIn, seed] = [Number(values.share), Number(values.seed)];
  const found: Record<string, PartRecord> = {};
  for (const part of parts) {
    if (positionals.length > 0 && !positionals.includes(part.name)) continue;
    say(`\n── ${part.name} ──`);
    const start = performance.now();
    const before = loadavg()[0];
    const files = await judgePart(part, 1 / oneLineIn, seed);
    found[part.name] = {
      score: shareOf(Object.values(files)),
      date: new Date().toISOString().slice(0, 10),
      machine: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores`,
      load: { before, after: loadavg()[0] },
      seconds: Math.round((performance.now() - start) / 1000),
      sample: oneLineIn === 1 ? null : { oneLineIn, seed },
      files,
    };
    tell(part.name, found[part.name]!);
    // What took so long is kept, whatever becomes of the next part.
    if (values.record) write(recordOf({ ...readRecord()?.parts, ...found }));
  }
  const record = recordOf(found, Object.keys(found));
  say(`${record.score} % killed, at least ${bar} % of every part: ${record.ok ? "yes" : "NO"}`);
  if (values.json) process.stdout.write(`${JSON.stringify(record)}\n`);
  return record.ok ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  say(`assay: ${messageOf(error)}`);
  process.exit(1);
}
