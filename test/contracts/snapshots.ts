/** Values that are committed under test/snapshots/ and compared, exactly by default; `UPDATE_SNAPSHOTS=1` writes them anew. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import hre from "hardhat";

// Not in snapshots/: that folder is Hardhat's own, and it deletes what it does not know.
const folder = join(hre.config.paths.root, "test", "snapshots");

/** Gas and size are those of the code that is deployed. */
export const isProduction = hre.globalOptions.buildProfile === "production";

/** What is on record, or nothing where it is written anew. */
function recordOf(name: string, text: string): string | undefined {
  const path = join(folder, name);
  if (process.env.UPDATE_SNAPSHOTS === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return undefined;
  }
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`test/snapshots/${name} is missing: run the test with UPDATE_SNAPSHOTS=1`, { cause });
  }
}

const differs = (name: string) =>
  `test/snapshots/${name} differs: look at the change, then UPDATE_SNAPSHOTS=1`;

/** Compares text with test/snapshots/`name`, or writes it. */
export function matchSnapshot(name: string, text: string): void {
  const known = recordOf(name, text);
  if (known !== undefined) assert.equal(text, known, differs(name));
}

/**
 * Compares a table of gas with test/snapshots/`name`, or writes it, where calldata holds times: a byte of them that is 0
 * costs less, and the clock of the chain goes on while a test computes.
 *
 * @param most by how much a value may differ
 */
export function matchGas(name: string, values: Readonly<Record<string, number>>, most: number): void {
  const text = recordOf(name, tableOf(values));
  if (text === undefined) return;
  const known = JSON.parse(text) as Record<string, number>;
  assert.deepEqual(Object.keys(values).sort(), Object.keys(known).sort(), differs(name));
  for (const [what, value] of Object.entries(values)) {
    const difference = value - known[what]!;
    assert.ok(Math.abs(difference) <= most, `${differs(name)} (${what}: ${difference} gas)`);
  }
}

/** One line per entry, in order of the names. */
export function tableOf(values: Readonly<Record<string, number>>): string {
  const sorted = Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
