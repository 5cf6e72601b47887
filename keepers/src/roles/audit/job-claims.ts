import { hexToBytes, keccak256 } from "viem";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { packageDigest } from "../../core/market/package.ts";
import { orderHash } from "../../core/market/typed-data.ts";
import { stages } from "../../training/dispute/moves.ts";
import { attestationClaims } from "./attestation-claims.ts";
import { awardClaim } from "./award-claim.ts";
import { type Claim, type Difference, settled, trusted, verified, wrong } from "./claims.ts";
import { compared, indexClaims, rowDifferences } from "./index-claims.ts";
import { hashesOf, type JobEvidence, partOf } from "./job-evidence.ts";
import { moneyClaims } from "./job-money-claims.ts";
import type { Value } from "./rows.ts";
import type { SignatureFinding } from "./signatures.ts";
import { account, counted, tokens } from "./wording.ts";

/** Codes of `IJobRegistry.Status`, by the names that events give. */
const statusCodes = {
  Open: 1,
  Matched: 2,
  Training: 3,
  Committed: 4,
  Attested: 5,
  Finalised: 6,
  Expired: 7,
  Cancelled: 8,
  Failed: 9,
  Void: 10,
} as const;

/** Everything that can be said of a job from chain and index alone; what needs its data is in `run-claims.ts`. */
export function jobClaims(evidence: JobEvidence): Claim[] {
  return [
    ...indexClaims({ ...evidence, subject: "this job" }),
    orderClaim(evidence),
    ...signatureClaims(evidence),
    awardClaim(evidence),
    statusClaim(evidence),
    commitmentClaim(evidence),
    ...attestationClaims(evidence),
    certificateClaim(evidence),
    ...evidence.challenges.map((challenge) => disputeClaim(evidence, challenge)),
    disputesClaim(evidence),
    ...moneyClaims(evidence),
    rpcClaim(),
  ];
}

/** What nobody can check who asks one endpoint about a chain. */
export function rpcClaim(): Claim {
  return trusted({
    id: "rpc",
    topic: "trust",
    statement: "The chain is what the RPC endpoint says it is.",
    how: "Blocks and events were read from an RPC endpoint; that they are the chain's own is not proven here. Name several endpoints, or a node of your own, with --rpc.",
  });
}

function orderClaim({ record, posted, rowsAsOf, findings }: JobEvidence): Claim {
  const { order, training } = record;
  const { problem, conditions } = order;
  const differences: Difference[] = rowDifferences(findings, { orders: rowsAsOf.orders });
  const hash = orderHash(order);
  if (hash !== record.orderHash)
    differences.push({ what: "hash of the order", told: record.orderHash, found: hash });
  if (keccak256(training) !== problem.trainingHash)
    differences.push({
      what: "hash of the training order",
      told: problem.trainingHash,
      found: keccak256(training),
    });
  if (posted !== undefined) {
    const digest = packageDigest(hexToBytes(posted.args.package));
    if (digest !== problem.programDigest)
      differences.push({ what: "digest of the package", told: problem.programDigest, found: digest });
  }
  const { steps, interval } = decodeOrder(training);
  return settled(differences, {
    id: "order",
    topic: "order",
    statement: `${account(record.consumer)} ordered a model: ${counted(steps, "training step")} on the dataset ${account(problem.datasetId)}, for at most ${tokens(conditions.maximumPrice)}.`,
    how: `The order's hash was computed again from its text, and so were the hashes in it. ${compared(findings, "orders")}`,
    problem: "What is told of the order is not what was ordered.",
    facts: [
      ["order (EIP-712)", record.orderHash],
      ["dataset", problem.datasetId],
      ["program root", problem.programRoot],
      ["training order (keccak256)", problem.trainingHash],
      ["steps, and steps between two state roots", `${steps}, ${interval}`],
      ["committee", `${conditions.committeeSize} members, ${conditions.threshold} must agree`],
    ],
    transactions: posted === undefined ? [] : [posted.transactionHash],
  });
}

function signatureClaims({ signatures }: JobEvidence): Claim[] {
  const words: Record<SignatureFinding["by"], string> = {
    signed: "The signature was verified here (EIP-712; for a contract's account by asking it, ERC-1271).",
    sent: "The transaction came from this account itself.",
    sealed:
      "What was revealed was hashed again, and is what had been committed to before the others were known.",
    unread:
      "It was relayed by another contract, whose call does not show the signature; the market has checked it.",
    past: "The account is a contract, and what it says of the signature depends on the chain's state at that time, which the RPC endpoint does not keep; the market has checked it.",
  };
  const claims: Record<SignatureFinding["what"], (who: string) => string> = {
    order: (who) => `The order is ${who}'s own.`,
    bid: (who) => `The bid is ${who}'s own.`,
    "sealed bid": (who) => `${who} revealed the very bid that it had sealed.`,
  };
  return signatures.map(({ what, author, by, holds, transaction }) => {
    const parts = {
      id: `signature-${what.replaceAll(" ", "-")}-${author.toLowerCase()}`,
      topic: what === "order" ? "order" : "award",
      statement: claims[what](account(author)),
      facts: [["account", author]],
      transactions: [transaction],
    } as const;
    if (by === "unread" || by === "past") return trusted({ ...parts, how: words[by] });
    return holds
      ? verified({ ...parts, how: words[by] })
      : wrong({ ...parts, how: "The signature, sender or commitment is not this account's." });
  });
}

function statusClaim({ record, rows, rowsAsOf, findings, state, events }: JobEvidence): Claim {
  const differences = rowDifferences(findings, { jobs: rowsAsOf.jobs });
  const { status, reason } = rows.jobs[0]!;
  const expected = statusCodes[status as keyof typeof statusCodes];
  if (state.job.status !== expected)
    differences.push({
      what: "status in the registry",
      told: String(state.job.status),
      found: String(status),
    });
  return settled(differences, {
    id: "job",
    topic: "work",
    statement: statusSentence(String(status), reason),
    how: `The job was put together again from ${counted(events.length, "event")} and held against what the registry stores. ${compared(findings, "jobs")}`,
    problem: "What is told of the job is not what happened.",
    facts: [
      ["status", String(status)],
      ["stake locked", tokens(record.stake ?? 0n)],
    ],
    transactions: hashesOf(events, "JobOpened", "JobLocked", "JobFinalised", "JobFailed"),
  });
}

function statusSentence(status: string, reason: Value | undefined): string {
  switch (status) {
    case "Finalised":
      return "The job was done, stood open to challenge, and is final.";
    case "Failed":
      return `The job failed: ${failureWords(reason)}.`;
    case "Void":
      return "The job was void: its program cannot be carried out.";
    case "Cancelled":
    case "Expired":
      return "The job was never done.";
    default:
      return "The job is not over yet.";
  }
}

function failureWords(reason: Value | undefined): string {
  switch (reason) {
    case "convicted":
      return "a dispute has shown that its provider computed something else than was ordered";
    case "late":
      return "its provider did not deliver in time";
    case "withheld":
      return "its provider withheld what it was asked to show";
    case "lost":
      return "its result could not be retrieved any more, and its provider did not store it again in time";
    case "stranded":
      return "its result could not be retrieved any more, and no seed came with which it could be stored again: nobody is at fault";
    case "misstored":
      return "its provider stored something else than it had committed to";
    default:
      return "its provider did not do what it had to";
  }
}

function commitmentClaim({ record, rowsAsOf, findings, state, events }: JobEvidence): Claim {
  const { result } = record;
  const differences = rowDifferences(findings, { checkpoints: rowsAsOf.checkpoints });
  for (const field of ["traceRoot", "stateRoot", "resultId"] as const) {
    // Until the commitment the registry holds the root of the order's initial state.
    if (field === "stateRoot" && result === undefined) continue;
    const [held, said] = [state.job[field], result?.[field] ?? zeroRoot];
    if (held !== said) differences.push({ what: `${field} in the registry`, told: held, found: said });
  }
  const parts = record.checkpoints.length;
  return settled(differences, {
    id: "commitment",
    topic: "work",
    statement:
      result === undefined
        ? "The provider never committed to a result."
        : `The provider committed to one result, and to every step that led to it${parts > 0 ? `, with ${counted(parts, "instalment")} on the way` : ""}.`,
    how: "The commitment in the event is the one that the registry stores.",
    problem: "The commitment that is told is not the one that was made.",
    facts:
      result === undefined
        ? []
        : [
            ["root of the trace", result.traceRoot],
            ["root of the last state", result.stateRoot],
            ["stored result", result.resultId],
          ],
    transactions: hashesOf(events, "JobCommitted", "CheckpointPosted"),
  });
}

const zeroRoot = `0x${"0".repeat(64)}`;

function certificateClaim({ record, state, rowsAsOf, findings, events }: JobEvidence): Claim {
  const differences = rowDifferences(findings, { certificates: rowsAsOf.certificates });
  const { certificate } = state;
  const isIssued = record.certificateId !== undefined;
  if (isIssued !== (certificate !== undefined))
    differences.push({
      what: "certificate",
      told: String(certificate !== undefined),
      found: String(isIssued),
    });
  const { result, order, provider } = record;
  if (certificate !== undefined && result !== undefined) {
    const facts = {
      provider,
      orderHash: record.orderHash,
      ...{ datasetId: order.problem.datasetId, programRoot: order.problem.programRoot },
      ...{ trainingHash: order.problem.trainingHash, programDigest: order.problem.programDigest },
      ...{ traceRoot: result.traceRoot, stateRoot: result.stateRoot, resultId: result.resultId },
      ...{ leavesDigest: result.leavesDigest, isAttested: record.isAttested },
    } as const;
    for (const field of Object.keys(facts) as (keyof typeof facts)[])
      if (certificate[field] !== facts[field])
        differences.push({
          what: `certificate: ${field}`,
          told: String(certificate[field]),
          found: String(facts[field]),
        });
  }
  return settled(differences, {
    id: "certificate",
    topic: "certificate",
    statement: isIssued
      ? `The model has a certificate, number ${record.certificateId}; it belongs to ${account(state.owner ?? "nobody")}.`
      : "There is no certificate for this job.",
    how: isIssued
      ? `Every field of the certificate was held against order and commitment. ${compared(findings, "certificates")}`
      : `The contract of certificates has none for this job. ${compared(findings, "certificates")}`,
    problem: "What is told of certificates is not so.",
    facts: isIssued && result !== undefined ? [["state root of the model", result.stateRoot]] : [],
    transactions: hashesOf(events, "CertificateIssued"),
  });
}

type Dispute = JobEvidence["challenges"][number];

function disputeClaim({ events, rows }: JobEvidence, challenge: Dispute): Claim {
  const { challengeId, challenger, claim, outcome, moves, isSettled, isSilent } = challenge;
  const row = rows.challenges.find(({ id }) => id === String(challengeId))!;
  const own = events.filter(
    ({ contract, args }) =>
      contract === "DisputeGame" && (args as { challengeId?: bigint }).challengeId === challengeId,
  );
  const isOver = outcome !== undefined || isSettled;
  const ending =
    outcome === "convicted"
      ? isSilent
        ? "the provider did not answer in time"
        : "the contracts computed one element themselves, and the provider was wrong"
      : outcome === "lost"
        ? "the challenger was wrong, or gave up"
        : isOver
          ? "the job was over before it was decided"
          : "it is not decided yet";
  return verified({
    id: `dispute-${challengeId}`,
    topic: "disputes",
    statement: `${account(challenger)} challenged ${partOf(challenge)} of ${account(claim.provider)}'s work; after ${counted(moves, "move")} ${ending}.`,
    how: "Every move was read from the chain; the contracts refuse a move that does not follow from the one before.",
    facts: [
      ["narrowed to step", String(row.firstStep)],
      ["tensor", String(row.place)],
      ["element", String(row.index)],
      ["last stage", stages[Number(row.stage)] ?? "unknown"],
    ],
    transactions: [...new Set(own.map(({ transactionHash }) => transactionHash))],
  });
}

function disputesClaim({ challenges, rowsAsOf, findings }: JobEvidence): Claim {
  const { challenges: rows, moves } = rowsAsOf;
  const differences = rowDifferences(findings, { challenges: rows, moves });
  const convicted = challenges.some(({ outcome }) => outcome === "convicted");
  return settled(differences, {
    id: "disputes",
    topic: "disputes",
    statement:
      challenges.length === 0
        ? "Nobody has challenged this work."
        : `${counted(challenges.length, "dispute")}; ${convicted ? "the provider was convicted" : "the provider was not convicted"}.`,
    how: `All challenges of this job were read from the chain${rowsAsOf.jobs[0]?.status === "Failed" ? ", with the failure that followed" : ""}. ${compared(findings, "challenges")}`,
    problem: "What is told of the disputes is not what happened.",
  });
}
