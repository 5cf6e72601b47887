import { createPublicClient, fallback, type Hex, http } from "viem";
import { connectContracts, type ReadClient } from "../../../keepers/src/chain/contracts.ts";
import {
  manifestCid,
  manifestDigest,
  manifestLayout,
  parseManifest,
} from "../../../keepers/src/core/dataset/manifest.ts";
import { allBundles, readHolders } from "../../../keepers/src/storage/client/dataset.ts";
import { OperatorPeers } from "../../../keepers/src/storage/client/peers.ts";
import { uploadAll } from "../../../keepers/src/storage/client/put-upload.ts";
import { manifestHashes, offeredId, writeTerms } from "../../../keepers/src/storage/client/terms.ts";
import { openBrowserHost } from "./browser-host.ts";
import type { UploadedDataset, UploadInput } from "./methods.ts";
import type { CallContext } from "./protocol.ts";
import { isGoodFor } from "./receipt-term.ts";
import { Shelf, withShelf } from "./shelf.ts";
import { ShelfMemory } from "./shelf-memory.ts";

/**
 * Brings the bundles of an encoded dataset to storage nodes, as `assay data put` does: those that have neither a holder on
 * chain nor a receipt that is still good. Nothing is paid, and nothing sent to the chain.
 * @throws BadInputError for a manifest that is none; ShelfError, ShelfInUseError; what the chain's endpoint throws
 */
export function uploadDataset(input: UploadInput, context: CallContext): Promise<UploadedDataset> {
  return withShelf(input.shelf, () => uploadFromShelf(input, context));
}

async function uploadFromShelf(
  { shelf: name, manifestBytes, owner, terms, deployment, rpc, refused }: UploadInput,
  { signal, progress }: CallContext,
): Promise<UploadedDataset> {
  const manifest = parseManifest(manifestBytes);
  const layout = manifestLayout(manifest);
  const client = createPublicClient({
    transport: fallback(rpc.map((endpoint) => http(endpoint, { batch: true }))),
  }) as unknown as ReadClient;
  const contracts = connectContracts(client, deployment);
  const datasetId = offeredId(deployment, owner, manifest, manifestHashes(manifest, manifestBytes), terms);
  const memory = await ShelfMemory.open(await Shelf.find(name), datasetId);
  // Who comes back to it goes on under the same terms.
  await memory.remember("terms", JSON.stringify(writeTerms(terms)));
  const all = allBundles(layout);
  const holders = new Map<number, Hex>();
  for (const { bundleIndex, operator } of await readHolders({ contracts }, datasetId, all))
    if (operator !== undefined) holders.set(bundleIndex, operator);
  const { timestamp } = await client.getBlock();
  const promised = new Map<number, Hex>();
  for (const receipt of memory.receipts()) {
    const { bundleIndex, operator } = receipt;
    const isRefused = refused.some((each) => each.bundleIndex === bundleIndex && each.operator === operator);
    if (holders.has(bundleIndex)) continue;
    if (isRefused || !isGoodFor(receipt, timestamp)) await memory.dropReceipt(bundleIndex);
    else promised.set(bundleIndex, operator);
  }
  const bundles = all.filter((bundleIndex) => !holders.has(bundleIndex) && !promised.has(bundleIndex));
  if (bundles.length === 0) return { datasetId, receipts: memory.receipts(), failures: [], unplaced: [] };
  const host = await openBrowserHost();
  const peers = new OperatorPeers(contracts, host);
  try {
    const { failures, unplaced } = await uploadAll(
      { contracts, deployment, peers, chain: { public: client } },
      {
        memory,
        datasetId,
        owner,
        manifest,
        manifestBytes,
        manifestCid: manifestCid(manifestDigest(manifestBytes)),
        terms,
        layout,
        bundles,
        holders,
        promised,
        except: new Set(refused.filter(({ fault }) => fault === "operator").map(({ operator }) => operator)),
        signal,
        onProgress: ({ done, total }) => progress({ stage: "sending", done, total, unit: "bundles" }),
      },
    );
    return { datasetId, receipts: memory.receipts(), failures, unplaced };
  } finally {
    await peers.close();
    await host.stop();
  }
}
