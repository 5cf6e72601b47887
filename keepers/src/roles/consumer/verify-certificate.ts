import { createHash } from "node:crypto";
import { type Hex, keccak256 } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { encodeLeaves } from "../../core/exact/result-files.ts";
import { orderHash } from "../../core/market/typed-data.ts";
import type { Executor } from "../../training/executors/types.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import type { JobLedger } from "../jobs/job-ledger.ts";
import { compileJob } from "../jobs/job-program.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { openJobRun, trainJob } from "../jobs/job-run.ts";
import type { JobStorage } from "../jobs/job-storage.ts";
import type { MachineLimits } from "../jobs/published-program.ts";
import { fetchResult } from "../jobs/result.ts";
import type { Certificate } from "./fetch-model.ts";
import { readMetadata } from "./metadata.ts";

export type VerifyCertificateParameters = {
  readonly certificateId: bigint;
  readonly certificate: Certificate;
  /** The certificate's job, from the events of market and registry. */
  readonly job: JobRecord;
  readonly ledger: JobLedger;
  readonly contracts: Contracts;
  readonly deployment: Deployment;
  readonly storage: JobStorage;
  readonly executor: Executor;
  readonly limits: MachineLimits;
  /** Folder for downloads, and for the run when every step is computed again. */
  readonly folder: string;
  /** Whether every step is computed again. */
  readonly steps: boolean;
  readonly signal?: AbortSignal;
  readonly onClaim?: (claim: Claim) => void;
};

/** Something that a certificate says, and whether it is so. */
export type Claim = {
  readonly claim: string;
  /** skipped: it was not asked for, or cannot be checked; `detail` says why. */
  readonly verdict: "holds" | "wrong" | "skipped";
  readonly detail: string;
};

/** `IJobRegistry.Status.Finalised` */
const finalised = 6;

type Check = { readonly claim: string; run(): Promise<Omit<Claim, "claim">> };

const holds = (detail: string): Omit<Claim, "claim"> => ({ verdict: "holds", detail });
const wrong = (detail: string): Omit<Claim, "claim"> => ({ verdict: "wrong", detail });
const skipped = (detail: string): Omit<Claim, "claim"> => ({ verdict: "skipped", detail });

/**
 * Holds everything that a certificate says against its sources: metadata, registry, order, commitment, program, stored
 * result, and (on request) every step of the training, computed again here.
 *
 * @throws what storage and chain throw for reasons that may pass
 */
export async function verifyCertificate(parameters: VerifyCertificateParameters): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const { claim, run } of checksOf(parameters)) {
    const result = { claim, ...(await tried(run)) };
    parameters.onClaim?.(result);
    claims.push(result);
  }
  return claims;
}

/** What is refused for what it says is wrong; what an endpoint fails at is not. */
async function tried(run: Check["run"]): Promise<Omit<Claim, "claim">> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof OrderRefusedError) return wrong(error.message);
    throw error;
  }
}

function checksOf(parameters: VerifyCertificateParameters): Check[] {
  return [
    { claim: "metadata", run: () => checkMetadata(parameters) },
    { claim: "job", run: () => checkJob(parameters) },
    { claim: "order", run: async () => checkOrder(parameters) },
    { claim: "commitment", run: async () => checkCommitment(parameters) },
    { claim: "attestation", run: async () => checkAttestation(parameters) },
    { claim: "program", run: () => checkProgram(parameters) },
    { claim: "stored model", run: () => checkResult(parameters) },
    { claim: "steps", run: () => checkSteps(parameters) },
  ];
}

async function checkMetadata({ certificateId, certificate, contracts }: VerifyCertificateParameters) {
  const metadata = readMetadata(await contracts.ModelCertificate.read.tokenURI([certificateId]));
  const expected: Record<string, unknown> = {
    job: Number(certificate.jobId),
    provider: certificate.provider,
    attested: certificate.isAttested ? "yes" : "no",
    finalised: Number(certificate.finalisedAt),
    order: certificate.orderHash,
    dataset: certificate.datasetId,
    "training order": certificate.trainingHash,
    "program root": certificate.programRoot,
    "program file (SHA-256)": certificate.programDigest,
    "trace root": certificate.traceRoot,
    "trace leaves (SHA-256)": certificate.leavesDigest,
    "state root": certificate.stateRoot,
    "stored model": certificate.resultId,
  };
  const other = Object.keys(expected).find((name) => metadata.attributes[name] !== expected[name]);
  if (other !== undefined) return wrong(`the token's metadata give another "${other}"`);
  return holds(`${Object.keys(expected).length} attributes, made on chain`);
}

async function checkJob({ certificate, contracts }: VerifyCertificateParameters) {
  const job = await contracts.JobRegistry.read.jobOf([certificate.jobId]);
  const differs = differing(certificate, job, [
    "provider",
    "orderHash",
    "traceRoot",
    "stateRoot",
    "resultId",
  ]);
  if (differs !== undefined) return wrong(`the registry's job has another ${differs}`);
  return job.status === finalised
    ? holds(`job ${certificate.jobId}, finalised and paid`)
    : wrong("it is not final");
}

function checkOrder({ certificate, job }: VerifyCertificateParameters) {
  const { order, training } = job;
  if (orderHash(order) !== certificate.orderHash) return wrong("the job was opened with another order");
  const { problem } = order;
  const differs = differing(certificate, problem, [
    "datasetId",
    "trainingHash",
    "programRoot",
    "programDigest",
  ]);
  if (differs !== undefined) return wrong(`the order has another ${differs}`);
  if (keccak256(training) !== problem.trainingHash) return wrong("the training order is another one");
  const { steps, interval } = decodeOrder(training);
  return holds(`${steps} steps, a state root every ${interval}, on the dataset ${problem.datasetId}`);
}

function checkCommitment({ certificate, job }: VerifyCertificateParameters) {
  if (job.result === undefined) return wrong("nothing was committed to");
  const differs = differing(certificate, job.result, ["traceRoot", "stateRoot", "leavesDigest", "resultId"]);
  if (differs !== undefined) return wrong(`the provider committed to another ${differs}`);
  return job.provider === certificate.provider
    ? holds(`by ${certificate.provider}`)
    : wrong(`the commitment is ${job.provider}'s`);
}

function checkAttestation({ certificate, job }: VerifyCertificateParameters) {
  if (certificate.isAttested !== job.isAttested) return wrong("the committee's word was another one");
  return holds(job.isAttested ? "a committee has vouched for samples" : "none; it was open to challenges");
}

async function checkProgram(parameters: VerifyCertificateParameters) {
  const { ledger, certificate } = parameters;
  const posted = ledger.order(certificate.orderHash);
  if (posted === undefined) return skipped("its package was never published");
  await compileJob(posted, parameters);
  return holds("the published package compiles to the root, with the order's first state");
}

async function checkResult(parameters: VerifyCertificateParameters) {
  const { ledger, certificate, job } = parameters;
  const posted = ledger.order(certificate.orderHash);
  if (posted === undefined || job.result === undefined) return skipped("its program is not known");
  const { compiled, order } = await compileJob(posted, parameters);
  const { state, leaves } = await fetchResult({
    ...parameters,
    program: compiled.program,
    order,
    result: { ...job.result, stateRoot: certificate.stateRoot, traceRoot: certificate.traceRoot },
  });
  if (state === undefined) return wrong("what is stored has another state root");
  if (BigInt(certificate.leavesDigest) === 0n)
    return holds("its state has the root; the leaves were withheld");
  if (leaves === undefined) return wrong("the state has its root, the stored leaves are of another trace");
  if (sha256(encodeLeaves(leaves)) !== certificate.leavesDigest)
    return wrong("the leaves have another digest");
  const last = leaves.at(-1)!.stateRoot;
  if (last !== certificate.stateRoot) return wrong("the trace ends in another state");
  return holds(`fetched; its state has the root, and the trace of ${leaves.length} leaves ends in it`);
}

async function checkSteps(parameters: VerifyCertificateParameters) {
  const { steps, ledger, certificate, job, signal } = parameters;
  if (!steps) return skipped("not computed again; --steps does it");
  if (ledger.order(certificate.orderHash) === undefined) return skipped("its program is not known");
  const opened = await openJobRun(parameters, job, signal);
  try {
    const { stateRoot } = await trainJob(parameters, opened, { signal });
    if (stateRoot !== certificate.stateRoot) return wrong(`computed here they end in ${stateRoot}`);
    return holds(`all ${opened.job.order.steps} computed again, bit for bit`);
  } finally {
    await opened.job.close();
  }
}

/** The first of some fields in which two things differ. */
function differing<K extends string>(
  one: Readonly<Record<K, unknown>>,
  other: Readonly<Record<K, unknown>>,
  fields: readonly K[],
): K | undefined {
  return fields.find((field) => one[field] !== other[field]);
}

function sha256(bytes: Uint8Array): Hex {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`;
}
