import type { Tone } from "../ui/tone.ts";

/** How a job's status stands. */
export const jobTones: { readonly [status: string]: Tone } = {
  Open: "waiting",
  Matched: "waiting",
  Training: "waiting",
  Committed: "waiting",
  Attested: "waiting",
  Finalised: "healthy",
  Cancelled: "neutral",
  Expired: "neutral",
  Failed: "wrong",
  Void: "neutral",
};

/** Bits of an operator's roles, by their names. */
const roleNames = ["storage node", "provider", "validator", "challenger"] as const;

/** What an operator does: "storage node and provider". */
export function rolesOf(mask: number): string {
  const names = roleNames.filter((_, bit) => (mask & (1 << bit)) !== 0);
  return names.length === 0 ? "no role" : names.join(", ");
}

/** Why contracts take stake, by the word that they give. */
const slashWords: { readonly [reason: string]: string } = {
  audit: "Audit missed",
  retrieval: "Piece not given",
  surrender: "Bundle given up",
  late: "Late with a result",
  unlocked: "Did not begin a job it had won",
  withheld: "Result withheld",
  lost: "Result lost before it was paid",
  misstored: "Something else stored than committed to",
  convicted: "Wrong result",
  silent: "Silent in a committee",
  wrong: "Signed what is wrong in a committee",
  equivocation: "Signed two results",
  "missing reveal": "Secret not revealed",
};

/** Why stake was lost, in words; a word that is not known stands as it is. */
export function slashReason(reason: string): string {
  return slashWords[reason] ?? reason;
}

/** A share in per cent, one decimal. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;
}
