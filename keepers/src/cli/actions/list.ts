import { type Address, formatUnits } from "viem";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { type DatasetHealth, datasetHealth } from "../../storage/client/health.ts";
import { listDatasets } from "../../storage/client/list.ts";
import type { CommandContext } from "../context.ts";
import { table } from "../output.ts";

/** `assay data list` */
export async function list(
  context: CommandContext,
  { owner, all }: { owner?: Address; all?: boolean },
): Promise<void> {
  const client = await context.storageClient();
  const whose = all === true ? undefined : (owner ?? (await context.account()).address);
  const datasets = await listDatasets(client, { owner: whose });
  const rows = datasets.map((dataset) => [
    dataset.datasetId,
    dataset.status,
    `${dataset.objectCount} × ${dataset.objectSize}`,
    `${dataset.held}/${dataset.bundles}`,
    String(dataset.endEpoch),
  ]);
  const header = ["dataset", "status", "objects × bytes", "held", "paid until epoch"];
  context.output.result({ datasets }, datasets.length === 0 ? "There are no datasets." : table(header, rows));
}

/** `assay data health` */
export async function health(
  context: CommandContext,
  id: string,
  { failure }: { failure: number },
): Promise<void> {
  const client = await context.storageClient();
  const result = await datasetHealth(client, { datasetId: parseDatasetId(id), failure });
  context.output.result(result, describe(result));
}

function describe(health: DatasetHealth): string[] {
  const rows = health.bundles.map(({ bundleIndex, operator, answeredEpoch, bounty }) => [
    String(bundleIndex),
    operator ?? "nobody: waits for repair",
    answeredEpoch === undefined ? "-" : String(answeredEpoch),
    bounty === 0n ? "" : formatUnits(bounty, 18),
  ]);
  const spare =
    health.spare < 0
      ? "some segment cannot be restored from what is held"
      : `${health.spare} more bundles of the weakest segment may be lost`;
  return [
    `status       ${health.status}, epoch ${health.currentEpoch}`,
    `paid until   epoch ${health.paidUntilEpoch} (${new Date(health.paidUntil * 1000).toISOString()}), ${formatUnits(health.feeBalance, 18)} tokens of fees left`,
    `vacant       ${health.vacant} of ${health.bundles.length} bundles; ${spare}`,
    `loss         ${health.lossProbability.toExponential(2)} if each holder fails with probability ${health.failure} before a repair`,
    ...table(["bundle", "holder", "answered epoch", "bounty"], rows),
  ];
}
