import { randomBytes } from "node:crypto";
import { type Address, bytesToHex, type Hex } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { auditPoint, bundleIndices } from "../../core/audit/challenge.ts";
import type { PossessionClaim } from "../../core/audit/claims.ts";
import { freshProofEpoch } from "../../core/audit/fresh.ts";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { openingCircuits, packIndices } from "../../core/groth16/inputs.ts";
import { bundleId } from "../../core/ids.ts";
import type { StorageClient } from "./client.ts";
import { forEachConcurrently } from "./concurrency.ts";
import type { Holder, KnownDataset } from "./dataset.ts";
import type { OnProgress } from "./progress.ts";
import { reasonOf } from "./reason.ts";

export type FreshProofsParameters = {
  dataset: KnownDataset;
  holders: readonly Holder[];
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

export type FreshProofs = {
  claims: PossessionClaim[];
  unproven: { bundleIndex: number; reason: string; overdue: boolean }[];
};

/** Holders that prove at the same time; each needs seconds for a proof. */
const parallel = 16;

/**
 * Asks every holder for a possession proof on a seed that nobody but us could have known. The context of these proofs
 * has an epoch that no audit has, so that they can never stand for an audit's answer.
 */
export async function askFreshProofs(
  client: StorageClient,
  parameters: FreshProofsParameters,
): Promise<FreshProofs> {
  const { dataset, holders, signal, onProgress } = parameters;
  const result: FreshProofs = { claims: [], unproven: [] };
  let done = 0;
  await forEachConcurrently(holders, parallel, signal, async ({ bundleIndex, operator }) => {
    try {
      if (operator === undefined) throw new Error("nobody holds it");
      result.claims.push(await askProof(client, dataset, bundleIndex, operator, signal));
    } catch (error) {
      signal?.throwIfAborted();
      result.unproven.push({ bundleIndex, reason: reasonOf(error), overdue: operator !== undefined });
    }
    onProgress?.({ stage: "proofs", done: ++done, total: holders.length, unit: "proofs" });
  });
  return result;
}

async function askProof(
  client: StorageClient,
  { datasetId, manifest, layout }: KnownDataset,
  bundleIndex: number,
  operator: Address,
  signal: AbortSignal | undefined,
): Promise<PossessionClaim> {
  const seed: Hex = bytesToHex(randomBytes(32));
  const shards = await client.peers.connect(operator, signal);
  const { proof, evaluation } = await shards.prove({ datasetId, bundleIndex, seed }, { signal });
  const duty = bundleId(datasetId, bundleIndex);
  const root = BigInt(manifest.bundles[bundleIndex]!.poseidonRoot);
  const { cells } = segmentLayout(layout, bundlePlace(layout, bundleIndex).segment);
  const { depth, indicesPerWord } = openingCircuits.possession;
  const indices = packIndices(bundleIndices({ seed, duty, operator }, cells), 2 * depth, indicesPerWord);
  const rho = auditPoint({
    seed,
    duty,
    root,
    operator,
    epoch: freshProofEpoch,
    chainId: BigInt(client.deployment.chainId),
    auditContract: addressOf(client.deployment, "StorageAudit"),
  });
  const claim = { proof, publicSignals: [evaluation, root, ...indices, rho] };
  return { kind: "possession", duty, operator, bundles: [bundleIndex], claim };
}
