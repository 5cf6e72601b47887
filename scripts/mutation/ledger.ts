import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Mutant, readSource } from "./mutants.ts";
import type { Judged } from "./score.ts";
import type { Kind } from "./suites.ts";
import { workFolder } from "./workplace.ts";

/** What a run has found about one mutant: a line of the ledger. */
export type Entry = {
  /** The mutant in its contract's source, whatever else has changed. */
  key: string;
  outcome: Judged["outcome"];
  /** The suite that has noticed it; of one that is left, the last kind of suites that was tried. */
  by: string;
};

/** Every mutant that was judged, one to a line: a run that was cut off goes on from here. */
export const ledgerFile = join(workFolder, "ledger.jsonl");

/** Digest of a contract's source. */
export const digestOf = (file: string) =>
  createHash("sha256").update(readSource(file), "latin1").digest("hex").slice(0, 16);

/** Calls mutants by what they change, in exactly this source: a changed contract has mutants of its own. */
export function keys(): (mutant: Mutant) => string {
  const digests = new Map<string, string>();
  return ({ file, start, end, replacement }) => {
    const digest = digests.get(file) ?? digestOf(file);
    digests.set(file, digest);
    return `${file}@${digest}:${start}:${end}:${replacement}`;
  };
}

/** How much an entry says: a suite that notices a mutant counts for more than all that do not. */
const rank = ({ outcome, by }: Entry) => (outcome !== "survived" ? 2 : isAfterAll({ by }) ? 1 : 0);

/** Whether a mutant that was left has survived more than the suites that are tried first. */
export const isAfterAll = ({ by }: Pick<Entry, "by">) => by !== ("solidity" satisfies Kind);

/** What was found of each mutant. */
export function readLedger(path = ledgerFile): Map<string, Entry> {
  const found = new Map<string, Entry>();
  if (!existsSync(path)) return found;
  for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
    const entry = JSON.parse(line) as Entry;
    const other = found.get(entry.key);
    if (other === undefined || rank(entry) >= rank(other)) found.set(entry.key, entry);
  }
  return found;
}

/** Adds a line. */
export function note(entry: Entry, path = ledgerFile): void {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${JSON.stringify(entry)}\n`);
}
