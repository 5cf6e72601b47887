import { createPublicClient, fallback, type Hex, http } from "viem";
import { connectContracts, type ReadClient } from "../../../keepers/src/chain/contracts.ts";
import { manifestLayout, parseManifest } from "../../../keepers/src/core/dataset/manifest.ts";
import { allBundles, readHolders } from "../../../keepers/src/storage/client/dataset.ts";
import type { BundleFailure } from "../../../keepers/src/storage/client/fetch-bundles.ts";
import { OperatorPeers } from "../../../keepers/src/storage/client/peers.ts";
import { readBack } from "../../../keepers/src/storage/client/read-back.ts";
import { openBrowserHost } from "./browser-host.ts";
import type { ReadBackInput } from "./methods.ts";
import type { CallContext } from "./protocol.ts";
import { Shelf, withShelf } from "./shelf.ts";

/**
 * Asks whoever holds the bundles of a dataset on chain for cells of them, as `assay data put` does before it removes its
 * staged copy, and writes on the shelf what came of it.
 * @returns the bundles that were not given
 * @throws BadInputError for a manifest that is none; ShelfError, ShelfInUseError; what the chain's endpoint throws
 */
export function readBackDataset(input: ReadBackInput, context: CallContext): Promise<BundleFailure[]> {
  return withShelf(input.shelf, () => readBackAndNote(input, context));
}

async function readBackAndNote(
  { shelf: name, manifestBytes, datasetId, deployment, rpc }: ReadBackInput,
  { signal, progress }: CallContext,
): Promise<BundleFailure[]> {
  const manifest = parseManifest(manifestBytes);
  const layout = manifestLayout(manifest);
  const client = createPublicClient({
    transport: fallback(rpc.map((endpoint) => http(endpoint, { batch: true }))),
  }) as unknown as ReadClient;
  const contracts = connectContracts(client, deployment);
  const held = await readHolders({ contracts }, datasetId, allBundles(layout));
  const holders = new Map<number, Hex>();
  const failures: BundleFailure[] = [];
  for (const { bundleIndex, operator } of held) {
    if (operator !== undefined) holders.set(bundleIndex, operator);
    else failures.push({ bundleIndex, operator, reason: "nobody holds it" });
  }
  // Who has removed the bundles here wants to know all the same.
  const shelf = await Shelf.find(name).catch(() => undefined);
  // Whoever closes the page in between has not seen that others have the bytes.
  await shelf?.noteReadBack(datasetId, false);
  const host = await openBrowserHost();
  const peers = new OperatorPeers(contracts, host);
  try {
    failures.push(
      ...(await readBack(
        { peers },
        {
          datasetId,
          manifest,
          layout,
          holders,
          signal,
          onProgress: (done) => progress({ stage: "checking", done, total: holders.size, unit: "bundles" }),
        },
      )),
    );
  } finally {
    await peers.close();
    await host.stop();
  }
  if (failures.length === 0) await shelf?.noteReadBack(datasetId, true);
  return failures;
}
