import { writeFileSync } from "node:fs";
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
const seed = 15;

const help = `npm run mutation:keepers [-- part …] [--share n] [--record] [--json]

Changes the keepers' code in one place at a time, as Stryker ${strykerVersion} does it, and runs the tests that reach the place:
a change that no test notices is a hole in the tests. Fails when they notice less than ${bar} % of them.
  part …       ${parts.map(({ name }) => name).join(", ")} (all of them by default)
  --share n    changes 1 in n lines alone, the same ones every time
  --record     writes ${recordFile}
  --json       ends with one JSON document on standard output
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      record: { type: "boolean", default: false },
      share: { type: "string", default: "1" },
    },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0 || !/^[1-9]\d{0,4}$/.test(values.share)) {
    say(
      unknown.length > 0
        ? `assay: no part ${unknown.join(", ")}`
        : `assay: --share ${values.share}: 1 to 99999`,
    );
    say(`\n${help}`);
    return 64;
  }
  const start = performance.now();
  const before = loadavg()[0];
  const found: Record<string, Record<string, Contract>> = {};
  for (const part of parts) {
    if (positionals.length > 0 && !positionals.includes(part.name)) continue;
    say(`\n── ${part.name} ──`);
    found[part.name] = await judgePart(part, 1 / Number(values.share), seed);
  }
  const scores = Object.fromEntries(
    Object.entries(found).map(([name, files]) => [name, shareOf(Object.values(files))]),
  );
  const score = shareOf(Object.values(found).flatMap((files) => Object.values(files)));
  for (const files of Object.values(found)) {
    for (const [file, { mutants, killed, survivors }] of Object.entries(files)) {
      say(`${file}: ${killed} of ${mutants} killed`);
      for (const { mutant, line } of survivors) say(`  line ${line}: ${mutant}`);
    }
  }
  for (const [name, each] of Object.entries(scores)) say(`${name}: ${each} % killed`);
  say(`${score} % killed, at least ${bar} %: ${score >= bar ? "yes" : "NO"}`);
  const record = {
    ok: score >= bar,
    score,
    scores,
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores`,
    load: { before, after: loadavg()[0] },
    seconds: Math.round((performance.now() - start) / 1000),
    stryker: strykerVersion,
    sample: values.share === "1" ? null : { oneLineIn: Number(values.share), seed },
    files: Object.assign({}, ...Object.values(found)) as Record<string, Contract>,
  };
  if (values.record) writeFileSync(join(root, recordFile), `${JSON.stringify(record, null, 2)}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(record)}\n`);
  return record.ok ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  say(`assay: ${messageOf(error)}`);
  process.exit(1);
}
