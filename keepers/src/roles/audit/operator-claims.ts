import { type Address, getAddress } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import { BadInputError } from "../../core/errors.ts";
import { type Claim, type Difference, settled } from "./claims.ts";
import { compared, indexClaims, rowDifferences } from "./index-claims.ts";
import { rpcClaim } from "./job-claims.ts";
import type { GatherParameters } from "./job-evidence.ts";
import { jobRows } from "./job-rows.ts";
import { operatorRow } from "./operator-rows.ts";
import { paymentOf, paymentRows } from "./payment-rows.ts";
import type { Picture, TimelinePicture, Tone } from "./pictures/types.ts";
import type { Row } from "./rows.ts";
import { slashRows } from "./slash-rows.ts";
import { askIndex, type IndexFindings } from "./told.ts";
import { coins, counted, account as shortly, tokens } from "./wording.ts";

export type OperatorAudit = { readonly claims: readonly Claim[]; readonly pictures: readonly Picture[] };

type Found = {
  readonly operator: Row;
  readonly jobs: readonly Row[];
  readonly payments: readonly Row[];
  readonly slashes: readonly Row[];
};

/**
 * Checks what is told of an operator: its stake, its jobs, what it earned, and what it lost.
 *
 * @throws BadInputError when no event of the chain is about it; what the chain's endpoint throws
 */
export async function auditOperator(parameters: GatherParameters, address: Address): Promise<OperatorAudit> {
  const { client, contracts, history, attribution, index, signal } = parameters;
  const id = address.toLowerCase();
  const subjectsOf = (event: AssayEvent) => attribution.subjectsOf(event);
  const events = history.events.filter((event) => subjectsOf(event).operator === id);
  if (events.length === 0) {
    throw new BadInputError(`nothing on this chain is about the account ${address}`, {
      next: "Name the account of an operator: a storage node, a provider, a validator or a challenger.",
    });
  }
  const paid = history.events.filter((event) => paymentOf(event, attribution)?.to.toLowerCase() === id);
  const jobIds = new Set(
    events.flatMap((event) => (event.contract === "JobRegistry" ? [subjectsOf(event).job] : [])),
  );
  const ofJobs = history.events.filter((event) => {
    const { job } = subjectsOf(event);
    return job !== undefined && jobIds.has(job);
  });
  const stamps = await parameters.stamps.read([...new Set([...events, ...paid, ...ofJobs])]);
  const found = (until: bigint): Found => {
    const known = ({ blockNumber }: AssayEvent) => blockNumber <= until;
    return {
      operator: operatorRow(id, history.events.filter(known), stamps, attribution),
      jobs: jobRows(ofJobs.filter(known), stamps, attribution).jobs.filter(({ provider }) => provider === id),
      payments: paymentRows(paid.filter(known), stamps, attribution),
      slashes: slashRows(events.filter(known), stamps),
    };
  };
  const now = found(history.block.number);
  const findings = await askIndex({
    ...index,
    client,
    history,
    signal,
    questions: [
      { kind: "events", where: { operator: id }, rows: events.length },
      { kind: "operators", where: { id }, rows: 1 },
      { kind: "jobs", where: { provider: id }, rows: jobIds.size },
      { kind: "payments", where: { to: id }, rows: now.payments.length },
      { kind: "slashes", where: { operator: id }, rows: now.slashes.length },
    ],
  });
  const before = found(findings.asOf);
  const state = await contracts.Staking.read.operatorOf([getAddress(address)], {
    blockNumber: history.block.number,
  });
  const related = [...paid, ...ofJobs];
  const claims = [
    ...indexClaims({ history, findings, events, related, stamps, subject: "this operator" }),
    stakeClaim(now, before, findings, state),
    jobsClaim(now, before, findings),
    paymentsClaim(now, before, findings),
    slashesClaim(now, before, findings),
    rpcClaim(),
  ];
  const moments = events.flatMap((event) => {
    const known = words[`${event.contract}.${event.eventName}`];
    if (known === undefined) return [];
    const { transactionHash: transaction } = event;
    return { at: stamps.get(transaction)!.timestamp, label: known[0], tone: known[1], transaction };
  });
  return { claims, pictures: moments.length === 0 ? [] : [timeline(address, moments.slice(-mostMoments))] };
}

type StakeState = { readonly stake: bigint; readonly locked: bigint; readonly active: boolean };

function stakeClaim(now: Found, before: Found, findings: IndexFindings, state: StakeState): Claim {
  const { operator } = now;
  const differences: Difference[] = rowDifferences(findings, { operators: [before.operator] });
  const held = { staked: String(state.stake), locked: String(state.locked), isActive: state.active };
  for (const field of ["staked", "locked", "isActive"] as const)
    if (held[field] !== operator[field])
      differences.push({
        what: `${field}, in the contract`,
        told: String(operator[field]),
        found: String(held[field]),
      });
  return settled(differences, {
    id: "stake",
    topic: "standing",
    statement: `${shortly(operator.id)} is ${state.active ? "an active operator" : "no active operator"} with ${tokens(state.stake)} at stake, ${tokens(state.locked)} of them locked.`,
    how: `Its stake was added up again from every event since it registered, and is what the contract holds. ${compared(findings, "operators")}`,
    problem: "What is told of this operator is not so.",
    facts: [
      ["endpoint it names", String(operator.endpoint ?? "none")],
      ["audits answered, missed", `${operator.auditsAnswered}, ${operator.auditsMissed}`],
      ["jobs finished, failed", `${operator.jobsFinalised}, ${operator.jobsFailed}`],
    ],
  });
}

function jobsClaim(now: Found, before: Found, findings: IndexFindings): Claim {
  const failed = now.jobs.filter(({ status }) => status === "Failed").length;
  return settled(rowDifferences(findings, { jobs: before.jobs }), {
    id: "jobs",
    topic: "work",
    statement:
      now.jobs.length === 0
        ? "It has trained for nobody."
        : `It was given ${counted(now.jobs.length, "job")}; ${failed} of them failed by its fault.`,
    how: `Read from the chain. ${compared(findings, "jobs")}`,
    problem: "What is told of its jobs is not what happened.",
    facts: now.jobs.map(
      ({ id, status, price }) => [`job ${id}`, `${status}, ${tokens(BigInt(String(price)))}`] as const,
    ),
  });
}

function paymentsClaim(now: Found, before: Found, findings: IndexFindings): Claim {
  return settled(rowDifferences(findings, { payments: before.payments }), {
    id: "payments",
    topic: "money",
    statement: `It has earned ${tokens(BigInt(String(now.operator.earned)))}.`,
    how: `${counted(now.payments.length, "payment")} to it read from the chain again. ${compared(findings, "payments")}`,
    problem: "What is told of the payments is not what was paid.",
    facts: now.payments.map(
      ({ kind, amount, transaction }) =>
        [
          `${kind} ${String(transaction).slice(0, 10)}…`,
          kind === "ChallengeReward" ? coins(BigInt(String(amount))) : tokens(BigInt(String(amount))),
        ] as const,
    ),
  });
}

function slashesClaim(now: Found, before: Found, findings: IndexFindings): Claim {
  const total = now.slashes.reduce((sum, { amount }) => sum + BigInt(String(amount)), 0n);
  return settled(rowDifferences(findings, { slashes: before.slashes }), {
    id: "slashes",
    topic: "money",
    statement:
      now.slashes.length === 0
        ? "It has never lost stake."
        : `It lost ${tokens(total)} of its stake in ${counted(now.slashes.length, "slash")}.`,
    how: `All slashes were read from the chain. ${compared(findings, "slashes")}`,
    problem: "What is told of its slashes is not what happened: a penalty is hidden, invented or changed.",
    facts: now.slashes.map(({ reason, amount }) => [String(reason), tokens(BigInt(String(amount)))] as const),
    transactions: now.slashes.map(({ transaction }) => transaction as `0x${string}`),
  });
}

const mostMoments = 40;
const words: Readonly<Record<string, readonly [label: string, tone: Tone]>> = {
  "Staking.OperatorRegistered": ["It registers", "plain"],
  "Staking.OperatorRetired": ["It retires", "muted"],
  "Staking.Staked": ["It stakes", "plain"],
  "Staking.Unbonding": ["It takes stake out", "muted"],
  "Staking.Slashed": ["It is slashed", "bad"],
  "BundleRegistry.BundlePlaced": ["It takes a bundle", "plain"],
  "BundleRegistry.BundleVacated": ["A bundle is taken from it", "bad"],
  "StorageAudit.AuditMissed": ["It misses an audit", "bad"],
  "JobRegistry.JobMatched": ["It is given a job", "plain"],
  "JobRegistry.JobCommitted": ["It commits to a result", "plain"],
  "JobRegistry.JobFinalised": ["Its job is final", "good"],
  "JobRegistry.JobFailed": ["Its job fails", "bad"],
  "ValidatorSet.Enrolled": ["It enrols as a validator", "plain"],
  "Escrow.PricePaid": ["It is paid for a training", "good"],
  "Escrow.FeePaid": ["It is paid for checking", "good"],
  "DisputeGame.Challenged": ["It challenges a result", "plain"],
};

function timeline(address: Address, moments: TimelinePicture["moments"]): TimelinePicture {
  return {
    kind: "timeline",
    topic: "standing",
    title: "What it did, and what became of it",
    description: `${moments.length} moments of ${address}.`,
    moments,
  };
}
