import type { Address } from "viem";
import type { Contracts, ReadClient } from "../../../keepers/src/chain/contracts.ts";
import {
  type PlacedDataset,
  type RejectedReceipt,
  receiptsAtOnce,
  sortReceipts,
} from "../../../keepers/src/storage/client/place.ts";
import type { KeptReceipt } from "../../../keepers/src/storage/client/upload.ts";

export type Sorted = {
  /** Receipts that the chain takes, as many at a time as go into one transaction. */
  readonly batches: readonly (readonly KeptReceipt[])[];
  /** Those that it will never take. */
  readonly lost: readonly RejectedReceipt[];
  /** Why it takes others not now, where there are any. */
  readonly notNow: string | undefined;
};

/** Asks the chain which receipts it would take, in the transactions that they would be sent in. */
export async function sortForPlacing(
  parts: { readonly contracts: Contracts; readonly client: ReadClient; readonly account: Address },
  dataset: PlacedDataset,
  receipts: readonly KeptReceipt[],
): Promise<Sorted> {
  const { contracts, client, account } = parts;
  const view = { contracts, chain: { public: client }, account: { address: account } };
  const batches: KeptReceipt[][] = [];
  const rejected: RejectedReceipt[] = [];
  for (let from = 0; from < receipts.length; from += receiptsAtOnce) {
    const { good, bad } = await sortReceipts(view, dataset, receipts.slice(from, from + receiptsAtOnce));
    if (good.length > 0) batches.push(good);
    rejected.push(...bad);
  }
  return {
    batches,
    lost: rejected.filter(({ fault }) => fault === "operator" || fault === "receipt"),
    notNow: rejected.find(({ fault }) => fault === "elsewhere")?.reason,
  };
}
