import type { Contract } from "./score.ts";

/** What a run found, as it is kept in the repository. */
export type MutationRecord = {
  readonly ok: boolean;
  readonly score: number;
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly load: { readonly before?: number; readonly after?: number };
  readonly seconds: number;
  readonly gambit: string;
  /** The most mutants of each contract, and by which seed they were chosen; null for all of them. */
  readonly sample: { readonly most: number; readonly seed: number } | null;
  readonly untried: number;
  /** Mutants whose outcome comes from earlier runs. */
  readonly judgedBefore: number;
  /** Digests of the contracts that were judged to the end, by their files. */
  readonly sources: Readonly<Record<string, string>>;
  readonly contracts: Readonly<Record<string, Contract>>;
  readonly refused: readonly { readonly mutant: string; readonly error?: string }[];
};

const nameOf = (file: string) => file.replace(/^contracts\//, "").replace(/\.sol$/, "");
const contractOf = (name: string) => name.split("/").at(-1)!;

/**
 * Puts what a run of some contracts found in the place of what the record says of them, and keeps the rest of the record.
 *
 * @param found of this run: `sources` holds those contracts alone that it judged to the end
 * @param earlier the record, undefined where there is none
 * @param digests of all contracts as they are now
 * @param scoreOf share of killed mutants over contracts, in percent
 * @throws if the record was made of another sample: its contracts cannot be counted beside those of this run
 */
export function mergeRecord(
  found: MutationRecord,
  earlier: MutationRecord | undefined,
  digests: Readonly<Record<string, string>>,
  scoreOf: (contracts: readonly Contract[]) => number,
): MutationRecord {
  if (earlier === undefined) return found;
  if (JSON.stringify(earlier.sample) !== JSON.stringify(found.sample)) {
    throw new Error(
      `the record was made of another sample (${JSON.stringify(earlier.sample)}): judge all contracts, or take that one`,
    );
  }
  // What has changed since, or has been judged now, is not taken from the record.
  const kept = Object.keys(earlier.sources).filter(
    (file) => earlier.sources[file] === digests[file] && found.contracts[nameOf(file)] === undefined,
  );
  const names = new Set(kept.map(nameOf));
  const old = Object.entries(earlier.contracts).filter(([name]) => names.has(name));
  const contracts = Object.fromEntries(
    [...old, ...Object.entries(found.contracts)].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  const sources = { ...Object.fromEntries(kept.map((file) => [file, digests[file]!])), ...found.sources };
  const keptNames = new Set([...names].map(contractOf));
  const score = scoreOf(Object.values(contracts));
  return {
    ...found,
    score,
    judgedBefore: found.judgedBefore + old.reduce((total, [, { mutants }]) => total + mutants, 0),
    sources: Object.fromEntries(Object.entries(sources).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    contracts,
    refused: [
      ...earlier.refused.filter(({ mutant }) => keptNames.has(mutant.split(".")[0]!)),
      ...found.refused,
    ],
  };
}
