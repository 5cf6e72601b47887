import { type AuditedAttempt, auditAttempts, type Said } from "./attestation.ts";
import { type Claim, settled, trusted, verified, wrong } from "./claims.ts";
import { compared, rowDifferences } from "./index-claims.ts";
import type { JobEvidence } from "./job-evidence.ts";
import { counted } from "./wording.ts";

/** What each committee of a job said, and whether one has vouched for it. */
export function attestationClaims(evidence: JobEvidence): Claim[] {
  const attempts = auditAttempts(evidence);
  return [
    ...attempts.map((attempt) => attestationClaim(evidence, attempt)),
    committeesClaim(evidence, attempts),
  ];
}

function attestationClaim({ record }: JobEvidence, audited: AuditedAttempt): Claim {
  const { attempt, seats, signature, isSeedRight, outcome, transaction } = audited;
  const count = (said: Said) => seats.filter((seat) => seat.said === said).length;
  const { threshold } = record.order.conditions;
  const opened = `${count("agrees")} agreed with the provider, ${count("differs")} said something else`;
  const said = `${count("signed") > 0 ? `${count("signed")} signed, but what they signed was not opened` : opened}, ${count("nothing")} said nothing`;
  const words: Record<Said, string> = {
    agrees: "agrees",
    differs: "differs",
    signed: "signed, not opened",
    nothing: "nothing",
  };
  const parts = {
    id: `attestation-${attempt}`,
    topic: "attestation",
    statement: `${counted(seats.length, "checker")} drawn by lot ${seats.length === 1 ? "was" : "were"} to compute samples of the training again: ${said}.`,
    facts: seats.map(
      ({ validator, operator, intervals, said }, i) =>
        [
          `member ${i + 1}`,
          `validator ${validator} (${operator}), intervals ${intervals.join(", ")}: ${words[said]}`,
        ] as const,
    ),
    transactions: transaction === undefined ? [] : [transaction],
  } as const;
  if (!isSeedRight)
    return wrong({ ...parts, how: "The lot was not drawn with the random seed that the beacon gave." });
  if (signature === "false")
    return wrong({ ...parts, how: "The signature is not that of the members who are said to have signed." });
  if (outcome === "attested" && count("agrees") < threshold)
    return wrong({ ...parts, how: `Only ${count("agrees")} agreed, and ${threshold} must.` });
  if (signature === "unread")
    return trusted({
      ...parts,
      how: "The signature was posted through another contract; the committee's contract has verified it.",
    });
  const lot = "The lot's seed is the beacon's; that the contract drew by stake from it is its own doing.";
  return verified({
    ...parts,
    how:
      signature === "none"
        ? `Nobody signed. ${lot}`
        : `The one signature of all who signed was verified here under the sum of their own keys (BLS on BN254). ${lot}`,
  });
}

function committeesClaim(
  { rowsAsOf, findings, record }: JobEvidence,
  attempts: readonly AuditedAttempt[],
): Claim {
  const differences = rowDifferences(findings, { attestations: rowsAsOf.attestations });
  const attested = attempts.some(({ outcome }) => outcome === "attested");
  if (record.isAttested !== attested)
    differences.push({ what: "attestation", told: String(record.isAttested), found: String(attested) });
  const none = attempts.length === 0;
  return settled(differences, {
    id: "committees",
    topic: "attestation",
    statement: none
      ? "No committee was asked; anybody could challenge the result."
      : attested
        ? "A committee has vouched for the samples that it checked."
        : "No committee has vouched for this result.",
    how: `All committees of this job were read from the chain. ${compared(findings, "attestations")}`,
    problem: "What is told of the committees is not what happened: members or signers are others.",
  });
}
