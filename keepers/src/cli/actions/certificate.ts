import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { explainRevert } from "../../chain/revert.ts";
import { BadInputError, exitCode } from "../../core/errors.ts";
import type { Certificate } from "../../roles/consumer/fetch-model.ts";
import { readMetadata } from "../../roles/consumer/metadata.ts";
import { type Claim, verifyCertificate } from "../../roles/consumer/verify-certificate.ts";
import { createJobStorage } from "../../roles/jobs/job-storage.ts";
import type { CommandContext } from "../context.ts";
import { findJob, machineLimits, openConsumer, parseJobId } from "../jobs.ts";
import { engineOf } from "../training/engines.ts";

export type VerifyOptions = { steps?: boolean };

/** `assay certificate show` */
export async function showCertificate(context: CommandContext, id: string): Promise<void> {
  const certificateId = parseJobId(id);
  const certificate = await certificateOf(context, certificateId);
  const { ModelCertificate } = (await context.network()).contracts;
  const [owner, uri] = await Promise.all([
    ModelCertificate.read.ownerOf([certificateId]),
    ModelCertificate.read.tokenURI([certificateId]),
  ]);
  const metadata = readMetadata(uri);
  const facts = Object.entries(metadata.attributes).map(([name, value]) => `${name.padEnd(24)}${value}`);
  context.output.result({ certificateId, owner, certificate, metadata }, [
    metadata.name,
    `${"owner".padEnd(24)}${owner}`,
    ...facts,
  ]);
}

/** `assay certificate verify` */
export async function verify(context: CommandContext, id: string, options: VerifyOptions): Promise<number> {
  const { output, signal } = context;
  const certificateId = parseJobId(id);
  const certificate = await certificateOf(context, certificateId);
  const { contracts, deployment } = await context.network();
  const consumer = await openConsumer(context);
  const folder = join(await context.stateFolder(), "certificates", id);
  await mkdir(folder, { recursive: true });
  const claims = await verifyCertificate({
    certificateId,
    certificate,
    job: findJob(consumer, id),
    ledger: consumer.ledger,
    contracts,
    deployment,
    storage: createJobStorage(await context.storageClient()),
    executor: await engineOf("native"),
    limits: machineLimits(),
    folder,
    steps: options.steps === true,
    signal,
    onClaim: (claim) => output.json || output.detail(line(claim)),
  });
  const ok = claims.every(({ verdict }) => verdict !== "wrong");
  output.result({ certificateId, ok, claims }, [
    ...claims.map(line),
    ok ? `Certificate ${id} says what is so.` : `Certificate ${id} does not hold.`,
  ]);
  return ok ? exitCode.ok : exitCode.failure;
}

function line({ claim, verdict, detail }: Claim): string {
  return `${claim.padEnd(14)}${verdict.padEnd(9)}${detail}`;
}

/** @throws BadInputError when the job has no certificate */
async function certificateOf(context: CommandContext, certificateId: bigint): Promise<Certificate> {
  const { ModelCertificate } = (await context.network()).contracts;
  try {
    return await ModelCertificate.read.certificateOf([certificateId]);
  } catch (error) {
    if (explainRevert(error)?.errorName !== "ERC721NonexistentToken") throw error;
    throw new BadInputError(`there is no certificate ${certificateId} on this chain`, {
      next: "A job has its certificate once it is final; `assay job show` says whether it is.",
      cause: error,
    });
  }
}
