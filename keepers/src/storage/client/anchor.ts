import { type Hex, keccak256 } from "viem";
import { addressOf, encodeCall } from "../../chain/contracts.ts";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import type { Manifest } from "../../core/dataset/manifest.ts";
import type { DatasetTerms } from "../../core/ids.ts";
import type { StorageWriter } from "./client.ts";
import { InsufficientFundsError } from "./errors.ts";
import { orUsual } from "./or-usual.ts";
import { signPermit } from "./permit.ts";
import type { PutJournal } from "./put-journal.ts";
import { shapeOf } from "./terms.ts";

/** `IDatasetRegistry.Status` */
export const datasetStatus = { none: 0, active: 1, fraudulent: 2, closed: 3 } as const;

export type AnchorParameters = {
  datasetId: Hex;
  manifest: Manifest;
  manifestHash: Hex;
  manifestDigest: Hex;
  /** What the storage nodes have signed for. */
  terms: Pick<DatasetTerms, "previous" | "feePerAudit" | "epochs">;
};

/** What anchoring cost; nothing when the dataset had been anchored before. */
export type Anchored = { transaction?: Hex; bond: bigint; fees: bigint };

/** Remembers the call over a crash: a permit is signed anew each time, and two calls would be two intents. */
export type AnchorMemory = Pick<PutJournal, "fact" | "remember" | "forget">;

/**
 * Anchors a dataset unless it is anchored already, so that a repeated call pays nothing twice: the call of an
 * interrupted attempt is sent again as it was, and the chain refuses a second anchor of one manifest in any case.
 * @throws InsufficientFundsError before anything is sent; TransactionFailedError
 */
export async function anchorDataset(
  client: StorageWriter,
  memory: AnchorMemory,
  parameters: AnchorParameters,
): Promise<Anchored> {
  const { datasetId, manifest, terms } = parameters;
  const registry = (view: StorageWriter) => view.contracts.DatasetRegistry.read;
  const known = await asAgreed(client, (view) => registry(view).datasetOf([datasetId]));
  if (known.status !== datasetStatus.none) return { bond: 0n, fees: 0n };
  const asked = [shapeOf(manifest), terms.feePerAudit, terms.epochs] as const;
  const [bond, fees] = await asAgreed(client, (view) => registry(view).quote(asked));
  const begun = memory.fact("anchorCall");
  const data = (begun ??
    (await asAgreed(client, (view) => anchorCall(view, parameters, bond + fees)))) as Hex;
  if (begun === undefined) memory.remember("anchorCall", data);
  try {
    const { transactionHash } = await client.queue.send({
      key: `anchor:${datasetId}:${keccak256(data)}`,
      description: "anchoring the dataset",
      to: addressOf(client.deployment, "DatasetRegistry"),
      data,
      value: 0n,
    });
    return { transaction: transactionHash, bond, fees };
  } catch (error) {
    // It had no effect: the next attempt makes a new call, with a new permit.
    if (error instanceof TransactionFailedError) memory.forget("anchorCall");
    throw error;
  }
}

/**
 * Looks at the chain as its endpoints agree on it: one that says that a dataset is anchored, or names another price, allowance or
 * nonce of a permit, would have each attempt fail.
 */
function asAgreed<T>(client: StorageWriter, look: (view: StorageWriter) => Promise<T>): Promise<T> {
  const { confirmed, chain } = client;
  if (confirmed === undefined) return look(client);
  const agreed = { ...client, contracts: confirmed, chain: { ...chain, public: chain.confirmed } };
  return orUsual(agreed, client, look);
}

/** The anchoring call: with a permit unless the registry may take the tokens already. */
async function anchorCall(client: StorageWriter, parameters: AnchorParameters, total: bigint): Promise<Hex> {
  const { account, contracts, deployment } = client;
  const token = contracts.AssayToken.read;
  const [balance, allowance] = await Promise.all([
    token.balanceOf([account.address]),
    token.allowance([account.address, deployment.addresses.DatasetRegistry]),
  ]);
  if (balance < total) throw new InsufficientFundsError(total, balance, await token.symbol());
  const given = anchorArguments(parameters);
  if (allowance >= total) {
    return encodeCall(deployment, "DatasetRegistry", "anchor", given).data;
  }
  const spender = deployment.addresses.DatasetRegistry;
  const { deadline, v, r, s } = await signPermit(client, spender, total);
  const withPermit = [...given, deadline, v, r, s] as const;
  return encodeCall(deployment, "DatasetRegistry", "anchorWithPermit", withPermit).data;
}

/** What the registry's `anchor` takes. */
export function anchorArguments({
  datasetId,
  manifest,
  manifestHash,
  manifestDigest,
  terms: { previous, feePerAudit, epochs },
}: AnchorParameters) {
  const objectRoot = manifest.objectRoot as Hex;
  const shape = shapeOf(manifest);
  return [
    { datasetId, manifestHash, manifestDigest, objectRoot, shape, previous, feePerAudit, epochs },
    manifest.bundles.map(({ poseidonRoot }) => poseidonRoot as Hex),
    manifest.bundles.map(({ transportRoot }) => transportRoot as Hex),
  ] as const;
}
