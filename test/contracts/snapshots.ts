/** Values that are committed under test/snapshots/ and compared exactly; `UPDATE_SNAPSHOTS=1` writes them anew. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import hre from "hardhat";

// Not in snapshots/: that folder is Hardhat's own, and it deletes what it does not know.
const folder = join(hre.config.paths.root, "test", "snapshots");

/** Gas and size are those of the code that is deployed. */
export const isProduction = hre.globalOptions.buildProfile === "production";

/** Compares text with test/snapshots/`name`, or writes it. */
export function matchSnapshot(name: string, text: string): void {
  const path = join(folder, name);
  if (process.env.UPDATE_SNAPSHOTS === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return;
  }
  let known: string;
  try {
    known = readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`test/snapshots/${name} is missing: run the test with UPDATE_SNAPSHOTS=1`, { cause });
  }
  assert.equal(text, known, `test/snapshots/${name} differs: look at the change, then UPDATE_SNAPSHOTS=1`);
}

/** One line per entry, in order of the names. */
export function tableOf(values: Readonly<Record<string, number>>): string {
  const sorted = Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
