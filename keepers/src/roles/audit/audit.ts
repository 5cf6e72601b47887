import type { Address, Hex } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import { type Contracts, connectContracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { BadInputError } from "../../core/errors.ts";
import { Attribution } from "./attribution.ts";
import { type Claim, tallyOf } from "./claims.ts";
import { shortened } from "./compare.ts";
import { auditDataset, datasetPictures, type StorageAuditParameters } from "./dataset-claims.ts";
import { readHistory, StampReader } from "./history.ts";
import { IndexReader } from "./index-reader.ts";
import { jobClaims } from "./job-claims.ts";
import { type GatherParameters, gatherJob, type JobEvidence } from "./job-evidence.ts";
import { jobPictures } from "./job-pictures.ts";
import { auditOperator } from "./operator-claims.ts";
import type { Picture } from "./pictures/types.ts";
import type { AuditReport, Subject } from "./report.ts";
import { auditRun, type RunAudit, type RunAuditParameters, uncomputed } from "./run-claims.ts";
import { shownUrl } from "./shown-url.ts";

export type AuditParameters = {
  readonly client: ChainClient;
  readonly deployment: Deployment;
  /** Address of an index, and how long and how much it may answer. */
  readonly index: {
    readonly url: string;
    /** Milliseconds for one answer. */
    readonly timeout?: number;
    /** Milliseconds that it may need to reach the chain's newest block. */
    readonly patience?: number;
  };
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
};

/** Reads the chain once; audits of several things can share it. */
export async function openAudit(parameters: AuditParameters): Promise<Auditor> {
  const { client, deployment, index, signal, onProgress } = parameters;
  onProgress?.("reading all events from the chain");
  const history = await readHistory(client, deployment);
  return new Auditor(parameters, {
    client,
    contracts: connectContracts(client.public, deployment),
    history,
    attribution: new Attribution(history.events),
    stamps: new StampReader(client),
    index: { ...index, reader: new IndexReader({ ...index, signal }) },
    signal,
  });
}

/** Audits things against one reading of the chain. */
export class Auditor {
  readonly #parameters: AuditParameters;
  readonly #parts: GatherParameters & { readonly contracts: Contracts };

  constructor(parameters: AuditParameters, parts: GatherParameters) {
    this.#parameters = parameters;
    this.#parts = parts;
  }

  /** The same reading of the chain, beside another index. */
  asking(index: AuditParameters["index"]): Auditor {
    const { signal } = this.#parameters;
    const reader = new IndexReader({ ...index, signal });
    return new Auditor(this.#parameters, { ...this.#parts, index: { ...index, reader } });
  }

  /**
   * @param run how to compute parts of the training again; without it that is left out
   * @throws BadInputError when there is no such job; what the chain's endpoint throws
   */
  async job(jobId: bigint, run?: RunAuditParameters): Promise<AuditReport> {
    const evidence = await this.#gather(jobId);
    return this.#reportJob("job", evidence, run);
  }

  /** As {@link job}, of the job that a certificate is for. */
  async certificate(certificateId: bigint, run?: RunAuditParameters): Promise<AuditReport> {
    const evidence = await this.#gather(certificateId);
    if (evidence.record.certificateId === certificateId) return this.#reportJob("certificate", evidence, run);
    throw new BadInputError(`there is no certificate ${certificateId} on this chain`, {
      next: "A job has its certificate once it is final; `assay audit job` says what became of it.",
    });
  }

  /**
   * @param storage how to look at what is stored; without it that is left out
   * @throws BadInputError when there is no such dataset; what the chain's endpoint throws
   */
  async dataset(datasetId: Hex, storage?: StorageAuditParameters): Promise<AuditReport> {
    this.#parameters.onProgress?.("comparing the index with the chain");
    const evidence = await auditDataset(this.#parts, datasetId, storage);
    const title = `Dataset ${shortened(datasetId)}`;
    return this.#report("dataset", datasetId, title, "anchor", evidence.claims, datasetPictures(evidence));
  }

  /** @throws BadInputError when nothing is known of the account; what the chain's endpoint throws */
  async operator(address: Address): Promise<AuditReport> {
    this.#parameters.onProgress?.("comparing the index with the chain");
    const { claims, pictures } = await auditOperator(this.#parts, address);
    return this.#report("operator", address, `Operator ${shortened(address)}`, "stake", claims, pictures);
  }

  #gather(jobId: bigint): Promise<JobEvidence> {
    this.#parameters.onProgress?.("comparing the index with the chain");
    return gatherJob(this.#parts, jobId);
  }

  async #reportJob(
    subject: "job" | "certificate",
    evidence: JobEvidence,
    run: RunAuditParameters | undefined,
  ): Promise<AuditReport> {
    const again: RunAudit =
      run === undefined ? { claims: uncomputed(), pictures: [] } : await auditRun(evidence, run);
    const claims = [...jobClaims(evidence), ...again.claims];
    const pictures = [...jobPictures(evidence), ...again.pictures];
    return this.#report(subject, String(evidence.jobId), titleOf(subject, evidence), "job", claims, pictures);
  }

  #report(
    subject: Subject,
    id: string,
    title: string,
    leading: string,
    claims: readonly Claim[],
    pictures: readonly Picture[],
  ): AuditReport {
    const { chainId, block } = this.#parts.history;
    const tally = tallyOf(claims);
    return {
      subject,
      id,
      title,
      lead: claims.find((claim) => claim.id === leading)?.statement ?? "",
      chain: { chainId, block: block.number, hash: block.hash, timestamp: block.timestamp },
      index: shownUrl(this.#parts.index.url),
      tally,
      ok: tally.wrong === 0,
      claims,
      pictures,
    };
  }
}

function titleOf(subject: "job" | "certificate", { record, rows }: JobEvidence): string {
  return subject === "job"
    ? `Job ${record.jobId}: ${String(rows.jobs[0]!.status).toLowerCase()}`
    : `Certificate ${record.certificateId}: the model of job ${record.jobId}`;
}
