import { AssayError, exitCode } from "../../core/errors.ts";
import type { ChainView } from "./client.ts";
import type { AnchoredDataset } from "./dataset.ts";
import { UnknownDatasetError } from "./errors.ts";
import type { RootedDataset } from "./fetch-bundles.ts";
import { readLogs } from "./read-logs.ts";
import { type BundlesTree, manifestTree, type RootedBundles } from "./roots.ts";

/**
 * The roots of a dataset's bundles, from the event that anchored them: holders that withhold the manifest withhold nothing that
 * a retrieval challenge takes.
 * @throws UnknownDatasetError; AssayError when an endpoint gives other roots than those of the anchor
 */
export async function readAnchoredRoots(
  client: ChainView,
  dataset: AnchoredDataset,
): Promise<RootedDataset & { readonly manifest: RootedBundles; readonly tree: BundlesTree }> {
  const { datasetId, layout, anchor } = dataset;
  const [event] = await readLogs(client, "DatasetRegistry", "BundleRoots", { datasetId });
  if (event === undefined) throw new UnknownDatasetError(datasetId);
  const { poseidonRoots, transportRoots } = event.args;
  const bundles = transportRoots.map((transportRoot, i) => ({
    poseidonRoot: poseidonRoots[i]!,
    transportRoot,
  }));
  const tree = manifestTree({ bundles });
  if (tree.root !== anchor.bundlesRoot) {
    throw new AssayError(`the endpoint gives other roots of ${datasetId} than those that are anchored`, {
      next: "Name another endpoint with --rpc.",
      exitCode: exitCode.unavailable,
    });
  }
  return { datasetId, layout, manifest: { bundles }, tree };
}
