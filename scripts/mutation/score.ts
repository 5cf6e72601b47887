import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../setup.ts";
import type { Mutant } from "./mutants.ts";

/** Where the reasons for mutants that no test kills are, from the repository's root. */
export const listFile = "test/static/mutants.json";

/** Mutants that no test can or need kill: equal in what they do, or not worth a test, each with the reason. */
export type Listed = {
  equivalent: { mutants: string[]; reason: string }[];
  survivors: { mutants: string[]; reason: string }[];
};

/** What became of a mutant. */
export type Judged = Mutant & { outcome: "killed" | "timeout" | "survived" };

export type Contract = {
  mutants: number;
  killed: number;
  /** Of those killed: the ones that did not end in time. */
  timeouts: number;
  equivalent: number;
  survivors: { mutant: string; line: number; reason?: string }[];
};

/** `mistaken` are listed as equivalent, and a test tells them from the original. */
export type Score = { score: number; contracts: Record<string, Contract>; mistaken: string[] };

export const readListed = () => JSON.parse(readFileSync(join(root, listFile), "utf8")) as Listed;

const plain = (text: string) => text.replace(/\s+/g, " ");

/** How a mutant is called in the list and in the record: nothing in it changes when lines move. */
export const nameOf = ({ where, original, replacement }: Mutant) =>
  `${where}: ${plain(original)} → ${plain(replacement)}`;

const percent = (part: number, whole: number) => (whole === 0 ? 100 : Math.floor((part / whole) * 1000) / 10);

/** The share of mutants that tests kill, of those that are not equivalent, in percent. */
export function shareOf(contracts: readonly Contract[]): number {
  const sum = (of: "mutants" | "killed" | "equivalent") =>
    contracts.reduce((total, contract) => total + contract[of], 0);
  return percent(sum("killed"), sum("mutants") - sum("equivalent"));
}

/** What became of the mutants, contract by contract, and the share of those that tests kill. */
export function scoreOf(
  judged: readonly Judged[],
  listed: Listed,
  lineOf: (mutant: Mutant) => number,
): Score {
  const reasons = (kind: keyof Listed) =>
    new Map(listed[kind].flatMap(({ mutants, reason }) => mutants.map((name) => [name, reason] as const)));
  const equivalent = reasons("equivalent");
  const accepted = reasons("survivors");
  const contracts: Record<string, Contract> = {};
  const mistaken: string[] = [];
  for (const mutant of judged) {
    const name = mutant.file.replace(/^contracts\//, "").replace(/\.sol$/, "");
    contracts[name] ??= { mutants: 0, killed: 0, timeouts: 0, equivalent: 0, survivors: [] };
    const contract = contracts[name];
    contract.mutants++;
    const title = nameOf(mutant);
    if (mutant.outcome === "timeout") contract.timeouts++;
    if (mutant.outcome !== "survived") {
      contract.killed++;
      if (equivalent.has(title)) mistaken.push(title);
      continue;
    }
    const reason = accepted.get(title);
    if (equivalent.has(title)) contract.equivalent++;
    else
      contract.survivors.push({
        mutant: title,
        line: lineOf(mutant),
        ...(reason === undefined ? {} : { reason }),
      });
  }
  return { score: shareOf(Object.values(contracts)), contracts, mistaken };
}
