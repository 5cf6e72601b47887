import { type Claim, type Difference, settled } from "./claims.ts";
import { compared, rowDifferences } from "./index-claims.ts";
import { hashesOf, type JobEvidence } from "./job-evidence.ts";
import { coins, counted, instant, listed, tokens } from "./wording.ts";

/** Who was paid for a job, that nothing of its money is missing, and who lost stake. */
export function moneyClaims(evidence: JobEvidence): Claim[] {
  return [paymentsClaim(evidence), escrowClaim(evidence), slashesClaim(evidence)];
}

function paymentsClaim({ rows, rowsAsOf, findings, events }: JobEvidence): Claim {
  const differences = rowDifferences(findings, { payments: rowsAsOf.payments });
  const sums = new Map<string, bigint>();
  for (const { kind, amount } of rows.payments)
    sums.set(String(kind), (sums.get(String(kind)) ?? 0n) + BigInt(String(amount)));
  const words: Record<string, string> = {
    Price: "to the provider",
    CheckFee: "to the checkers",
    Refund: "back to the consumer",
    WorkerPay: "to workers",
  };
  const said = [...sums].flatMap(([kind, sum]) =>
    kind === "ChallengeReward" ? `${coins(sum)} to the challenger` : `${tokens(sum)} ${words[kind]}`,
  );
  return settled(differences, {
    id: "payments",
    topic: "money",
    statement: said.length === 0 ? "Nothing was paid yet." : `Paid: ${listed(said)}.`,
    how: `${counted(rows.payments.length, "payment")} read from the chain again. ${compared(findings, "payments")}`,
    problem: "What is told of the payments is not what was paid.",
    facts: rows.payments.map(
      ({ kind, to, amount, timestamp }) =>
        [
          `${kind} to ${to}`,
          `${kind === "ChallengeReward" ? coins(BigInt(String(amount))) : tokens(BigInt(String(amount)))}, ${instant(BigInt(String(timestamp)))}`,
        ] as const,
    ),
    transactions: hashesOf(events, "PricePaid", "FeePaid", "Refunded", "RewardPaid"),
  });
}

function escrowClaim({ events, state }: JobEvidence): Claim {
  const sum = (name: string, of: (args: never) => bigint) =>
    events
      .filter(({ contract, eventName }) => contract === "Escrow" && eventName === name)
      .reduce((total, { args }) => total + of(args as never), 0n);
  type Amount = { readonly amount: bigint };
  const funded = sum("Funded", ({ price, fees }: { price: bigint; fees: bigint }) => price + fees);
  const left = ["PricePaid", "FeePaid", "Refunded"].reduce(
    (total, name) => total + sum(name, ({ amount }: Amount) => amount),
    0n,
  );
  const held = state.purses[0] + state.purses[1];
  const differences: Difference[] =
    funded === left + held
      ? []
      : [{ what: "money of the job", told: tokens(funded), found: tokens(left + held) }];
  return settled(differences, {
    id: "escrow",
    topic: "money",
    statement: `Of the ${tokens(funded)} that were put in, ${tokens(left)} went out again and ${tokens(held)} are held: nothing is missing.`,
    how: "Sums over all events of the escrow, and what it holds for this job now.",
    problem: "The sums do not come out even.",
  });
}

function slashesClaim({ slashes, slashesAsOf, findings, rows }: JobEvidence): Claim {
  const differences = rowDifferences(findings, { slashes: slashesAsOf });
  const transactions = new Set(
    [...rows.moves, ...rows.payments].map(({ transaction }) => String(transaction)),
  );
  const total = slashes.reduce((sum, { amount }) => sum + BigInt(String(amount)), 0n);
  return settled(differences, {
    id: "slashes",
    topic: "money",
    statement:
      slashes.length === 0
        ? "Nobody who worked on this job has ever lost stake."
        : `Of those who worked on this job, ${counted(new Set(slashes.map(({ operator }) => operator)).size, "account")} lost stake, here or elsewhere: ${tokens(total)} in all.`,
    how: `All slashes of everybody involved were read from the chain. ${compared(findings, "slashes")}`,
    problem: "What is told of slashes is not what happened: a penalty is hidden, invented or changed.",
    facts: slashes.map(
      ({ operator, amount, reason, transaction }) =>
        [
          `${operator}${transactions.has(String(transaction)) ? " (in this job)" : ""}`,
          `${tokens(BigInt(String(amount)))} for "${reason}"`,
        ] as const,
    ),
    transactions: slashes.map(({ transaction }) => transaction as `0x${string}`),
  });
}
