import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { declaredProperties, propertyFiles, runHalmos } from "./analysis/halmos.ts";
import { programOf } from "./analysis/programs.ts";
import { acceptedFile, compare, readAccepted, runSlither } from "./analysis/slither.ts";
import { root } from "./setup.ts";
import { messageOf, say } from "./stages.ts";

/** Another version finds other things: the list of accepted findings goes with this one. */
const slitherPackages = "slither-analyzer==0.11.6 crytic-compile==0.4.2";

const halmosPackages = "halmos==0.3.3";

const help = `npm run analyse [-- --symbolic] [--json]

Runs slither over the contracts (about half a minute) and compares what it finds with ${acceptedFile}, where
every finding that is accepted stands with its reason. Fails on a finding that is not listed, and on a listed one that
no longer occurs.
  --symbolic      instead proves the properties in ${propertyFiles} for all inputs, with halmos (less than a minute)
  --json          ends with one JSON document on standard output
  ASSAY_SLITHER   path of slither, from PyPI: ${slitherPackages}; on the PATH by default
  ASSAY_HALMOS    path of halmos, from PyPI: ${halmosPackages}; on the PATH by default
`;

/** Fails on a property that does not hold, cannot be decided, or was not tried. */
function symbolic(isJson: boolean): number {
  const properties = runHalmos(programOf("halmos", "ASSAY_HALMOS", halmosPackages));
  const declared = globSync(propertyFiles, { cwd: root }).flatMap((file) =>
    declaredProperties(readFileSync(join(root, file), "utf8")),
  );
  const proven = new Set(properties.filter(({ holds }) => holds).map(({ name }) => name));
  const missing = declared.filter((name) => !proven.has(name));
  for (const name of missing) say(`not proven: ${name}`);
  const ok = missing.length === 0 && declared.length > 0;
  say(`${declared.length} properties, ${missing.length} of them not proven`);
  if (isJson) process.stdout.write(`${JSON.stringify({ ok, properties, missing })}\n`);
  return ok ? 0 : 1;
}

function main(): number {
  const { values } = parseArgs({
    options: { json: { type: "boolean" }, help: { type: "boolean" }, symbolic: { type: "boolean" } },
  });
  if (values.help === true) {
    process.stdout.write(help);
    return 0;
  }
  if (values.symbolic === true) return symbolic(values.json === true);
  const program = programOf("slither", "ASSAY_SLITHER", slitherPackages);
  const found = runSlither(program);
  const { unlisted, gone } = compare(found, readAccepted());
  for (const { detector, impact, where, text } of unlisted)
    say(`not listed: ${detector} (${impact}) at ${where}\n  ${text.replaceAll("\n", "\n  ")}`);
  for (const each of gone) say(`listed, and found no longer: ${each}`);
  const ok = unlisted.length === 0 && gone.length === 0;
  say(`${found.length} findings, ${unlisted.length} of them not listed; ${gone.length} listed and gone`);
  if (values.json === true)
    process.stdout.write(`${JSON.stringify({ ok, findings: found.length, unlisted, gone })}\n`);
  return ok ? 0 : 1;
}

try {
  process.exit(main());
} catch (error) {
  say(`assay: ${messageOf(error)}`);
  process.exit(1);
}
