import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Address } from "viem";
import { exitCode } from "../../core/errors.ts";
import { printable } from "../../core/printable.ts";
import { type Auditor, openAudit } from "../../roles/audit/audit.ts";
import type { Claim } from "../../roles/audit/claims.ts";
import { reportHtml } from "../../roles/audit/html.ts";
import type { AuditReport } from "../../roles/audit/report.ts";
import type { RunAuditParameters } from "../../roles/audit/run-claims.ts";
import { createJobStorage } from "../../roles/jobs/job-storage.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import type { CommandContext } from "../context.ts";
import { ConfigurationError, UsageError } from "../errors.ts";
import { machineLimits, parseJobId } from "../jobs.ts";
import { engineOf } from "../training/engines.ts";

export type AuditOptions = {
  subgraph?: string;
  html?: string;
  sample?: number;
  all?: boolean;
  compute?: boolean;
};

export type DatasetAuditOptions = Pick<AuditOptions, "subgraph" | "html" | "compute"> & { full?: boolean };

/** Intervals that are computed again unless the user says how many. */
const usualSample = 3;

/** `assay audit job` and `assay audit certificate` */
export async function auditJob(
  context: CommandContext,
  subject: "job" | "certificate",
  id: string,
  options: AuditOptions,
): Promise<number> {
  const number = parseJobId(id);
  const run = await runParameters(context, options);
  return audited(context, options, (auditor) => auditor[subject](number, run));
}

/** `assay audit dataset` */
export async function auditDataset(
  context: CommandContext,
  id: string,
  options: DatasetAuditOptions,
): Promise<number> {
  const datasetId = parseDatasetId(id);
  if (options.compute === false) return audited(context, options, (auditor) => auditor.dataset(datasetId));
  const client = await context.storageClient();
  const pool = new CommitPool({ workers: machineLimits().threads });
  context.onClose(() => pool.close());
  const commit = (bytes: Uint8Array) => pool.commit(bytes);
  const storage = { client, commit, full: options.full === true };
  return audited(context, options, (auditor) => auditor.dataset(datasetId, storage));
}

/** `assay audit operator` */
export function auditOperator(
  context: CommandContext,
  account: Address,
  options: AuditOptions,
): Promise<number> {
  return audited(context, options, (auditor) => auditor.operator(account));
}

async function audited(
  context: CommandContext,
  options: AuditOptions,
  work: (auditor: Auditor) => Promise<AuditReport>,
): Promise<number> {
  const { output, signal } = context;
  const { chain, deployment } = await context.network();
  const index = { url: indexUrl(context, options) };
  const onProgress = (line: string) => output.detail(line);
  const report = await work(await openAudit({ client: chain, deployment, index, signal, onProgress }));
  if (options.html !== undefined) {
    const path = context.path(options.html);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, reportHtml(report));
    output.note(`The report is in ${path}.`);
  }
  output.result(report, [
    report.title,
    report.lead,
    "",
    ...report.claims.flatMap(lines),
    "",
    summary(report),
  ]);
  return report.ok ? exitCode.ok : exitCode.failure;
}

/** @throws ConfigurationError, UsageError */
function indexUrl(context: CommandContext, { subgraph }: AuditOptions): string {
  const text = subgraph ?? context.env.ASSAY_SUBGRAPH_URL;
  if (text === undefined) {
    throw new ConfigurationError("no index is configured", {
      next: "Set --subgraph or ASSAY_SUBGRAPH_URL; `npm start` prints the address of the one that it serves.",
    });
  }
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new UsageError(`${JSON.stringify(text.slice(0, 80))} is not an http address`);
}

async function runParameters(
  context: CommandContext,
  { compute, all, sample }: AuditOptions,
): Promise<RunAuditParameters | undefined> {
  if (compute === false) return undefined;
  const home = join(await context.stateFolder(), "audits");
  await mkdir(home, { recursive: true });
  const folder = await mkdtemp(join(home, "job-"));
  context.onClose(() => rm(folder, { recursive: true, force: true }));
  return {
    storage: createJobStorage(await context.storageClient()),
    executor: await engineOf("native"),
    limits: machineLimits(),
    folder,
    intervals: all === true ? "all" : (sample ?? usualSample),
    onProgress: (line) => context.output.detail(line),
    signal: context.signal,
  };
}

const words = { verified: "verified here  ", trusted: "taken on trust ", wrong: "WRONG          " } as const;

function lines({ verdict, statement, how, differences }: Claim): string[] {
  const indent = " ".repeat(words.wrong.length);
  return [
    `${words[verdict]}${printable(statement)}`,
    `${indent}${printable(how)}`,
    ...differences.map(
      ({ what, told, found }) =>
        `${indent}- ${printable(what)}: it was said: ${printable(told)}; it is: ${printable(found)}`,
    ),
  ];
}

function summary({ tally, ok }: AuditReport): string {
  const counts = `${tally.verified} claims verified here, ${tally.trusted} taken on trust, ${tally.wrong} wrong.`;
  return ok ? `${counts} Everything that could be checked is as it was said.` : counts;
}
