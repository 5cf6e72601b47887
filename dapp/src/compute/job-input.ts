import { type Hex, hexToBytes } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { manifestCid } from "../../../keepers/src/core/dataset/manifest.ts";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import { decodePackage } from "../../../keepers/src/core/market/package.ts";
import type { TrainingDataQuery } from "../../../subgraph/queries/documents.ts";
import type { FetchJobInput } from "../engine/methods.ts";

export type JobToFetch = NonNullable<TrainingDataQuery["job"]>;

/**
 * What the engine needs to fetch a job. What decides comes from the chain itself: roots, the hash of the training order, the
 * size of the program; what an index says only shows where to find what is then held against them.
 * @throws AssayError for a job without a result, or whose program was never published; what the endpoint throws
 */
export async function readJobInput(
  contracts: Pick<Contracts, "JobRegistry" | "DatasetRegistry">,
  gateway: string,
  { id, dataset, result, order }: JobToFetch,
): Promise<FetchJobInput> {
  if (result === null) throw new AssayError("The provider has not committed to a result.");
  if (order.training === null || order.trainingPackage === null)
    throw new AssayError("The program of this job was never published.");
  const jobId = BigInt(id);
  const [claim, job] = await Promise.all([
    contracts.JobRegistry.read.claimOf([jobId]),
    contracts.JobRegistry.read.jobOf([jobId]),
  ]);
  const [batch, reduction, optimizer] = claim.nodeCounts.map(Number);
  const { model } = decodePackage(hexToBytes(order.trainingPackage as Hex));
  return {
    gateway,
    published: {
      training: order.training as Hex,
      package: order.trainingPackage as Hex,
      order: {
        problem: {
          datasetId: dataset.id as Hex,
          trainingHash: claim.trainingHash,
          programRoot: claim.programRoot,
          nodeCounts: [batch!, reduction!, optimizer!],
          witnessNode: Number(claim.witnessNode),
          slots: Number(claim.slots),
          programDigest: order.programDigest as Hex,
        },
      },
    },
    dataset: cidOf(dataset.manifestDigest),
    result: cidOf(result.manifestDigest),
    model: model.kind === "onnx" ? await modelCid(contracts, model.datasetId) : undefined,
    traceRoot: claim.traceRoot,
    stateRoot: job.stateRoot,
  };
}

function cidOf(digest: string): string {
  return manifestCid(hexToBytes(digest as Hex));
}

/** The manifest of a model that is stored, from the event that anchored it. */
async function modelCid(
  { DatasetRegistry }: Pick<Contracts, "DatasetRegistry">,
  datasetId: Hex,
): Promise<string> {
  const [anchored] = await DatasetRegistry.getEvents.DatasetAnchored({ datasetId }, { fromBlock: 0n });
  if (anchored === undefined) throw new AssayError(`The model's dataset ${datasetId} is not anchored.`);
  return cidOf(anchored.args.manifestDigest!);
}
