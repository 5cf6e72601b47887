import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import type { ModelCertificateQuery } from "../../../subgraph/queries/documents.ts";

type Certificate = NonNullable<ModelCertificateQuery["certificate"]>;

/** A certificate as a file: what it says, and where that can be looked up. */
export function certificateFile(certificate: Certificate, { chainId, addresses }: Deployment): Uint8Array {
  const { id, job, provider, dataset, result, finalisedAt, ...said } = certificate;
  const file = {
    certificate: id,
    ...said,
    finalisedAt: Number(finalisedAt),
    job: job.id,
    provider: provider.id,
    dataset: dataset.id,
    result: result.id,
    issuedIn: job.events[0]?.transaction ?? null,
    chainId,
    contracts: {
      ModelCertificate: addresses.ModelCertificate,
      JobRegistry: addresses.JobRegistry,
      DatasetRegistry: addresses.DatasetRegistry,
    },
  };
  return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}
