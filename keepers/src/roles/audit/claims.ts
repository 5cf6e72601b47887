import type { Hex } from "viem";
import { sentence } from "./wording.ts";

/**
 * How a claim came out. verified: it was checked here. trusted: it was not, and `how` says why. wrong: what an index told,
 * or what was stored, contradicts what was found here.
 */
export type Verdict = "verified" | "trusted" | "wrong";

/** Parts of a report, in their order. */
export const topics = [
  "index",
  "data",
  "order",
  "award",
  "work",
  "attestation",
  "certificate",
  "disputes",
  "money",
  "standing",
  "trust",
] as const;
export type Topic = (typeof topics)[number];

/** One place where two accounts differ. */
export type Difference = {
  /** What it is about, such as "payment 0x… : amount". */
  readonly what: string;
  /** What the index said. Text from outside: never to be shown without escaping. */
  readonly told: string;
  /** What the chain, or a computation done here, says. */
  readonly found: string;
};

/** Something that is said about a dataset, a job, an operator or a certificate, and what became of it. */
export type Claim = {
  /** Short name, the same in every audit: "payments". */
  readonly id: string;
  readonly topic: Topic;
  /** What is claimed, in a sentence for everybody. */
  readonly statement: string;
  readonly verdict: Verdict;
  /** verified: how. trusted: why nothing was checked. wrong: what does not hold. */
  readonly how: string;
  readonly differences: readonly Difference[];
  /** Details for those who want to do it again: name and value. */
  readonly facts: readonly (readonly [string, string])[];
  /** Transactions that the claim rests on. */
  readonly transactions: readonly Hex[];
};

export type ClaimParts = Pick<Claim, "id" | "topic" | "statement" | "how"> &
  Partial<Pick<Claim, "differences" | "facts" | "transactions">>;

/** Differences that stand in a report for one claim at most; the rest is counted. */
const mostNamed = 20;

function limited(differences: readonly Difference[]): readonly Difference[] {
  const more = differences.length - mostNamed;
  if (more <= 0) return differences;
  return [...differences.slice(0, mostNamed), { what: `and ${more} more`, told: "", found: "" }];
}

const claim = (verdict: Verdict, { differences = [], ...parts }: ClaimParts): Claim => ({
  facts: [],
  transactions: [],
  ...parts,
  differences: limited(differences),
  statement: sentence(parts.statement),
  how: sentence(parts.how),
  verdict,
});

export const verified = (parts: ClaimParts): Claim => claim("verified", parts);
export const trusted = (parts: ClaimParts): Claim => claim("trusted", parts);
export const wrong = (parts: ClaimParts): Claim => claim("wrong", parts);

/** verified when nothing differs; wrong otherwise, with `problem` in place of how it was checked. */
export function settled(
  differences: readonly Difference[],
  { problem, ...parts }: ClaimParts & { readonly problem: string },
): Claim {
  return differences.length === 0 ? verified(parts) : wrong({ ...parts, how: problem, differences });
}

/** How many claims came out each way. */
export type Tally = { readonly [V in Verdict]: number };

export function tallyOf(claims: readonly Claim[]): Tally {
  const count = (verdict: Verdict) => claims.filter((each) => each.verdict === verdict).length;
  return { verified: count("verified"), trusted: count("trusted"), wrong: count("wrong") };
}
