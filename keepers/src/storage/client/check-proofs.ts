import type { Address, Hex } from "viem";
import type { PossessionClaim } from "../../core/audit/claims.ts";
import { readChainProofs } from "./chain-proofs.ts";
import { falseClaims } from "./check-claims.ts";
import type { StorageClient } from "./client.ts";
import type { Holder, KnownDataset } from "./dataset.ts";
import { askFreshProofs } from "./fresh-proofs.ts";
import type { OnProgress } from "./progress.ts";

/** Where proofs come from: the last audit's from the chain, new ones on a seed of our own, or none. */
export type ProofSource = "chain" | "fresh" | "none";

export type ProofReport = {
  source: ProofSource;
  /** Bundles whose possession was verified here. */
  proven: number[];
  /** Bundles whose proof is false: their holders are asked last. */
  refuted: { bundleIndex: number; operator: Address; reason: string }[];
  /** Bundles without a proof that could be checked, why, and whether there should have been one. */
  unproven: Unproven[];
  /** Transactions whose proofs were verified. */
  transactions: Hex[];
};

export type Unproven = { bundleIndex: number; reason: string; overdue: boolean };

export type CheckProofsParameters = {
  source: ProofSource;
  dataset: KnownDataset;
  holders: readonly Holder[];
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

/** Gathers and verifies the holders' possession proofs, all together. */
export async function checkProofs(
  client: StorageClient,
  parameters: CheckProofsParameters,
): Promise<ProofReport> {
  const { source, dataset, holders, signal, onProgress } = parameters;
  if (source === "none") return { source, proven: [], refuted: [], unproven: [], transactions: [] };
  const { claims, unproven, transactions } =
    source === "chain"
      ? await fromChain(client, dataset, holders, signal)
      : { ...(await askFreshProofs(client, { dataset, holders, signal, onProgress })), transactions: [] };
  const wrong = await falseClaims(client, claims);
  const report: ProofReport = { source, proven: [], refuted: [], unproven, transactions };
  for (const [i, { bundles, operator }] of claims.entries()) {
    if (wrong.has(i)) {
      const reason = "its proof of possession is false";
      report.refuted.push(...bundles.map((bundleIndex) => ({ bundleIndex, operator, reason })));
    } else report.proven.push(...bundles);
  }
  report.proven.sort((a, b) => a - b);
  onProgress?.({ stage: "proofs", done: report.proven.length, total: holders.length, unit: "bundles" });
  return report;
}

async function fromChain(
  client: StorageClient,
  dataset: KnownDataset,
  holders: readonly Holder[],
  signal: AbortSignal | undefined,
): Promise<{ claims: PossessionClaim[]; unproven: ProofReport["unproven"]; transactions: Hex[] }> {
  const { claims, unread, unanswered } = await readChainProofs(client, dataset, holders, signal);
  const vacant = holders.filter(({ operator }) => operator === undefined);
  return {
    claims,
    unproven: [
      ...unread.map(({ bundleIndex, reason }) => ({ bundleIndex, reason, overdue: false })),
      ...unanswered.map(({ bundleIndex, overdue }) => ({
        bundleIndex,
        reason: overdue ? "none of its last audits was answered" : "its first audit is not over yet",
        overdue,
      })),
      ...vacant.map(({ bundleIndex }) => ({ bundleIndex, reason: "nobody holds it", overdue: false })),
    ],
    transactions: [...new Set(claims.map(({ transaction }) => transaction))],
  };
}
