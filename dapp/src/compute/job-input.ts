import { type Hex, hexToBytes } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { manifestCid } from "../../../keepers/src/core/dataset/manifest.ts";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import { decodePackage } from "../../../keepers/src/core/market/package.ts";
import type { TrainingDataQuery } from "../../../subgraph/queries/documents.ts";
import type { FetchJobInput, OrderedInput } from "../engine/methods.ts";

export type JobToFetch = NonNullable<TrainingDataQuery["job"]>;

type Reads = Pick<Contracts, "JobRegistry" | "DatasetRegistry">;

/**
 * What the engine needs to fetch what an order names. What decides comes from the chain itself: the hash of the training
 * order, root and size of the program; what an index says only shows where to find what is then held against them.
 * @throws AssayError for a job whose program was never published; what the endpoint throws
 */
export async function readOrdered(
  contracts: Reads,
  gateway: string,
  { id, dataset, order }: JobToFetch,
): Promise<OrderedInput> {
  if (order.training === null || order.trainingPackage === null)
    throw new AssayError("The program of this job was never published.");
  const claim = await contracts.JobRegistry.read.claimOf([BigInt(id)]);
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
    model: model.kind === "onnx" ? await modelCid(contracts, model.datasetId) : undefined,
  };
}

/**
 * As {@link readOrdered}, with the result and the roots that the provider committed to.
 * @throws AssayError for a job without a result
 */
export async function readJobInput(
  contracts: Reads,
  gateway: string,
  job: JobToFetch,
): Promise<FetchJobInput> {
  if (job.result === null) throw new AssayError("The provider has not committed to a result.");
  const jobId = BigInt(job.id);
  const [ordered, claim, { stateRoot }] = await Promise.all([
    readOrdered(contracts, gateway, job),
    contracts.JobRegistry.read.claimOf([jobId]),
    contracts.JobRegistry.read.jobOf([jobId]),
  ]);
  return { ...ordered, result: cidOf(job.result.manifestDigest), traceRoot: claim.traceRoot, stateRoot };
}

/** CID of a manifest, by its digest. */
export function cidOf(digest: string): string {
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
