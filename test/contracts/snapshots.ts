/** Values that are committed under test/snapshots/ and compared; `UPDATE_SNAPSHOTS=1` writes them anew. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import hre from "hardhat";

// Not in snapshots/: that folder is Hardhat's own, and it deletes what it does not know.
const folder = join(hre.config.paths.root, "test", "snapshots");

/** Gas and size are those of the code that is deployed. */
export const isProduction = hre.globalOptions.buildProfile === "production";

const isUpdate = process.env.UPDATE_SNAPSHOTS === "1";
const advice = "look at the change, then UPDATE_SNAPSHOTS=1";

/** Compares text with test/snapshots/`name`, or writes it. */
export function matchSnapshot(name: string, text: string): void {
  if (isUpdate) write(name, text);
  else assert.equal(text, read(name), `test/snapshots/${name} differs: ${advice}`);
}

/**
 * Compares numbers with those of test/snapshots/`name`, or writes them. The deployed profile compiles all sources together, and what
 * its optimiser inlines depends on all of them: a source that is added moves the numbers of others by a little.
 *
 * @param tolerance share by which a number may differ
 */
export function matchTable(name: string, values: Readonly<Record<string, number>>, tolerance: number): void {
  if (isUpdate) {
    write(name, tableOf(values));
    return;
  }
  const known = JSON.parse(read(name)) as Record<string, number>;
  assert.deepEqual(
    Object.keys(values).sort(),
    Object.keys(known).sort(),
    `test/snapshots/${name}: ${advice}`,
  );
  const moved = Object.entries(values).filter(
    ([key, value]) => Math.abs(value - known[key]!) > tolerance * known[key]!,
  );
  const lines = moved.map(([key, value]) => `${key}: ${value} instead of ${known[key]}`);
  assert.deepEqual(lines, [], `test/snapshots/${name} differs: ${advice}`);
}

function write(name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function read(name: string): string {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch (cause) {
    throw new Error(`test/snapshots/${name} is missing: run the test with UPDATE_SNAPSHOTS=1`, { cause });
  }
}

/** One line per entry, in order of the names. */
function tableOf(values: Readonly<Record<string, number>>): string {
  const sorted = Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
