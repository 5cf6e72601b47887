/** Values that are committed under snapshots/ and compared exactly; `UPDATE_SNAPSHOTS=1` writes them anew. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import hre from "hardhat";

const folder = join(hre.config.paths.root, "snapshots");

/** Gas and size are those of the code that is deployed. */
export const isProduction = hre.globalOptions.buildProfile === "production";

/** Compares text with snapshots/`name`, or writes it. */
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
    throw new Error(`snapshots/${name} is missing: run the test with UPDATE_SNAPSHOTS=1`, { cause });
  }
  assert.equal(text, known, `snapshots/${name} differs: look at the change, then UPDATE_SNAPSHOTS=1`);
}

/** One line per entry, in order of the names. */
export function tableOf(values: Readonly<Record<string, number>>): string {
  const sorted = Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
