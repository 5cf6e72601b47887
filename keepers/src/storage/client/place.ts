import type { Address, Hex } from "viem";
import { type Call, encodeCall, type ReadClient } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment-format.ts";
import { explainRevert, type Revert } from "../../chain/revert.ts";
import type { Manifest } from "../../core/dataset/manifest.ts";
import type { ChainView, StorageWriter } from "./client.ts";
import type { BundlesTree } from "./roots.ts";
import type { KeptReceipt } from "./upload.ts";

export type PlaceParameters = {
  datasetId: Hex;
  manifest: Manifest;
  tree: BundlesTree;
  receipts: readonly KeptReceipt[];
  signal?: AbortSignal;
  /** Told after each transaction how many receipts are on chain. */
  onProgress?: (placed: number) => void;
};

export type PlacedBundle = { bundleIndex: number; operator: Address };
/** A receipt that the chain would not take, and why. */
/**
 * Where it lies that the chain does not take a receipt: with the operator that signed it; with the receipt alone, which has
 * run out; nowhere, since the bundle is held already; or elsewhere, with the dataset, the registry, or an endpoint that is
 * behind: then the receipt may be good later.
 */
export type ReceiptFault = "operator" | "receipt" | "held" | "elsewhere";

export type RejectedReceipt = PlacedBundle & { reason: string; fault: ReceiptFault };

export type Placed = { placed: PlacedBundle[]; rejected: RejectedReceipt[]; transactions: Hex[] };

/** The dataset that receipts belong to. */
export type PlacedDataset = Pick<PlaceParameters, "datasetId" | "manifest" | "tree">;

/** What tells whether the chain would take receipts. */
export type PlacingView = Pick<ChainView, "contracts"> & {
  readonly account: { readonly address: Address };
  readonly chain: { readonly public: Pick<ReadClient, "simulateContract"> };
};

/** Receipts in one transaction: about 1 KiB of calldata and 200,000 gas each. */
export const receiptsAtOnce = 11;

/**
 * Brings receipts on chain, several in a transaction. Those that the chain would refuse are found beforehand and left
 * out, so that one operator whose stake is gone does not hold the others up.
 */
export async function placeReceipts(client: StorageWriter, parameters: PlaceParameters): Promise<Placed> {
  const { receipts, datasetId, signal, onProgress } = parameters;
  const result: Placed = { placed: [], rejected: [], transactions: [] };
  for (let from = 0; from < receipts.length; from += receiptsAtOnce) {
    signal?.throwIfAborted();
    const batch = receipts.slice(from, from + receiptsAtOnce);
    const { good, bad } = await sortReceipts(client, parameters, batch);
    result.rejected.push(...bad);
    if (good.length > 0) {
      const call = placeCall(client.deployment, parameters, good);
      const names = good.map(
        ({ bundleIndex, operator, validUntil }) => `${bundleIndex}:${operator}:${validUntil}`,
      );
      const { transactionHash } = await client.queue.send({
        ...call,
        key: `place:${datasetId}:${names.join(",")}`,
        description: `placing ${good.length} bundles`,
      });
      result.transactions.push(transactionHash);
      result.placed.push(...good.map(({ bundleIndex, operator }) => ({ bundleIndex, operator })));
    }
    onProgress?.(result.placed.length);
  }
  return result;
}

/** Tells receipts that the chain takes from those it refuses: all at once, and one by one only when that fails. */
export async function sortReceipts(
  client: PlacingView,
  parameters: PlacedDataset,
  batch: readonly KeptReceipt[],
): Promise<{ good: KeptReceipt[]; bad: RejectedReceipt[] }> {
  if ((await refusal(client, parameters, batch)) === undefined) return { good: [...batch], bad: [] };
  const good: KeptReceipt[] = [];
  const bad: RejectedReceipt[] = [];
  for (const receipt of batch) {
    // Together with the ones accepted so far: two receipts may be good alone and exclude each other.
    const revert = await refusal(client, parameters, [...good, receipt]);
    if (revert === undefined) good.push(receipt);
    else {
      const { bundleIndex, operator } = receipt;
      bad.push({ bundleIndex, operator, reason: revert.reason, fault: faultOf(revert) });
    }
  }
  return { good, bad };
}

async function refusal(
  { chain, contracts, account }: PlacingView,
  parameters: PlacedDataset,
  receipts: readonly KeptReceipt[],
): Promise<Revert | undefined> {
  try {
    await chain.public.simulateContract({
      address: contracts.BundleRegistry.address,
      abi: contracts.BundleRegistry.abi,
      functionName: "place",
      args: [receipts.map((receipt) => signedReceipt(parameters, receipt))],
      account: account.address,
    });
    return undefined;
  } catch (error) {
    const revert = explainRevert(error);
    if (revert === undefined) throw error;
    return revert;
  }
}

const faults: Readonly<Record<string, ReceiptFault>> = {
  WrongSignature: "operator",
  NotEligible: "operator",
  SegmentTaken: "operator",
  ReceiptOutdated: "operator",
  RefusedByPolicy: "operator",
  TermTooLong: "operator",
  AlreadyHeld: "held",
};

/** Where a refusal of `place` lies. */
export function faultOf({ errorName = "", args = [] }: Revert): ReceiptFault {
  if (errorName === "ReceiptNotValid") {
    const [validUntil, present] = args as readonly [bigint, bigint];
    // One that is good for too long is so for a chain, or an endpoint, that is behind.
    return validUntil < present ? "receipt" : "elsewhere";
  }
  return faults[errorName] ?? "elsewhere";
}

/** The call that brings receipts on chain. */
export function placeCall(
  deployment: Deployment,
  parameters: PlacedDataset,
  receipts: readonly KeptReceipt[],
): Call {
  const signed = receipts.map((receipt) => signedReceipt(parameters, receipt));
  return encodeCall(deployment, "BundleRegistry", "place", [signed]);
}

/** A receipt as the registry takes it. */
export function signedReceipt({ datasetId, manifest, tree }: PlacedDataset, receipt: KeptReceipt) {
  const { bundleIndex, operator, validUntil, latestEnd, signature } = receipt;
  const { poseidonRoot, transportRoot } = manifest.bundles[bundleIndex]!;
  return {
    receipt: {
      datasetId,
      bundleIndex,
      poseidonRoot: poseidonRoot as Hex,
      transportRoot: transportRoot as Hex,
      operator,
      validUntil,
      latestEnd,
    },
    proof: tree.proof(bundleIndex),
    signature,
    // Whoever calls is the owner.
    approval: "0x",
  } as const;
}
