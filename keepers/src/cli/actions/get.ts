import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesToHex } from "viem";
import { exitCode } from "../../core/errors.ts";
import { showEncodingFraud } from "../../roles/jobs/encoding-fraud.ts";
import type { ProofReport, ProofSource } from "../../storage/client/check-proofs.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { readingSecret } from "../../storage/client/dataset-key.ts";
import type { BundleFailure } from "../../storage/client/fetch-bundles.ts";
import { type GetResult, get } from "../../storage/client/get.ts";
import { getObject, openDataset } from "../../storage/client/get-object.ts";
import { type RepairResult, repair } from "../../storage/client/repair.ts";
import { type Check, verify } from "../../storage/client/verify.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { CannotWriteError } from "../../storage/readers/write-records.ts";
import type { CommandContext } from "../context.ts";
import { dutyContext } from "../duty-context.ts";

export type GetOptions = { to?: string; proofs: ProofSource };
export type ObjectOptions = { to?: string };
export type VerifyOptions = { full?: boolean; prove?: boolean; proofs: ProofSource };

/** `assay data get` */
export async function getDataset(context: CommandContext, id: string, options: GetOptions): Promise<void> {
  const { output, signal } = context;
  const datasetId = parseDatasetId(id);
  const client = await context.storageClient();
  const result = await get(client, {
    datasetId,
    target: context.path(options.to ?? `dataset-${datasetId.slice(2, 10)}`),
    directory: join(await context.stateFolder(), "downloads"),
    proofs: options.proofs,
    secret: await secretOf(context),
    signal,
    onProgress: (progress) => output.progress(progress),
  });
  output.result(result, describeGet(result));
}

/** `assay data object` */
export async function getOneObject(
  context: CommandContext,
  id: string,
  index: number,
  { to }: ObjectOptions,
): Promise<void> {
  const { signal } = context;
  const datasetId = parseDatasetId(id);
  const client = await context.storageClient();
  const dataset = await openDataset(client, datasetId, signal);
  const secret = await secretOf(context);
  const { bytes, downloaded, replaced } = await getObject(client, dataset, { index, secret, signal });
  const object = bytesToHex(bytes);
  if (to === undefined) {
    context.output.result({ datasetId, index, object, downloaded, replaced }, [
      object,
      ...describeReplaced(replaced),
    ]);
    return;
  }
  const path = context.path(to);
  await writeFile(path, bytes).catch((cause: unknown) => {
    throw new CannotWriteError(path, cause instanceof Error ? cause.message : String(cause), cause);
  });
  context.output.result({ datasetId, index, path, bytes: bytes.length, downloaded, replaced }, [
    `object ${index} (${bytes.length} bytes) is in ${path}`,
    ...describeReplaced(replaced),
  ]);
}

/** `assay data verify` */
export async function verifyDataset(
  context: CommandContext,
  id: string,
  options: VerifyOptions,
): Promise<number> {
  const { output, signal } = context;
  const datasetId = parseDatasetId(id);
  const client = await context.storageClient();
  const pool = new CommitPool();
  context.onClose(() => pool.close());
  const { fraud, ...result } = await verify(client, {
    datasetId,
    full: options.full === true || options.prove === true,
    proofs: options.proofs,
    commit: (bundle) => pool.commit(bundle),
    secret: await secretOf(context),
    signal,
    onProgress: (progress) => output.progress(progress),
  });
  const isShown =
    fraud !== undefined &&
    options.prove === true &&
    (await showEncodingFraud(await dutyContext(context, client), fraud));
  output.result({ ...result, canBeProven: fraud !== undefined, isShown }, [
    ...result.checks.map((check) => `${markOf(check)} ${check.what.padEnd(11)} ${check.detail}`),
    "Taken on trust:",
    ...result.trusted.map((text) => `  ${text}`),
    ...(fraud === undefined ? [] : [shownLine(isShown)]),
  ]);
  return result.ok ? exitCode.ok : exitCode.failure;
}

function shownLine(isShown: boolean): string {
  if (isShown)
    return "The contracts know that it is wrongly encoded; who showed it has half of the owner's bond.";
  return "--prove shows the contracts that it is wrongly encoded, for half of the owner's bond.";
}

/** What could be looked at only in part gets no tick. */
function markOf({ ok, isComplete }: Check): string {
  if (!ok) return "✗";
  return isComplete ? "✓" : "?";
}

/** `assay data repair` */
export async function repairDataset(context: CommandContext, id: string): Promise<number> {
  const { output, signal } = context;
  const datasetId = parseDatasetId(id);
  const client = await context.storageWriter();
  const result = await repair(client, {
    datasetId,
    directory: join(await context.stateFolder(), "repairs"),
    signal,
    onProgress: (progress) => output.progress(progress),
  });
  output.result(result, describeRepair(result));
  return result.notRepaired.length === 0 ? exitCode.ok : exitCode.partial;
}

/** The secret that opens encrypted datasets; without an account, plain ones can be read all the same. */
async function secretOf(context: CommandContext): Promise<Uint8Array | undefined> {
  return context.hasAccount() ? readingSecret(await context.account()) : undefined;
}

function describeGet({
  name,
  objectCount,
  files,
  target,
  downloaded,
  proofs,
  replaced,
}: GetResult): string[] {
  return [
    `${name}: ${objectCount} objects, each with its anchored hash`,
    `written     ${files.length} ${files.length === 1 ? "file" : "files"} to ${target}`,
    `downloaded  ${downloaded} bytes`,
    `proofs      ${describeProofs(proofs)}`,
    ...describeReplaced(replaced),
  ];
}

function describeReplaced(replaced: readonly BundleFailure[]): string[] {
  if (replaced.length === 0) return [];
  return [
    `replaced    ${replaced.length} bundles that could not be used:`,
    ...replaced.map(
      ({ bundleIndex, operator, reason }) =>
        `  bundle ${bundleIndex} (${operator ?? "no holder"}): ${reason}`,
    ),
  ];
}

function describeProofs({ source, proven, refuted, unproven }: ProofReport): string {
  if (source === "none") return "not asked for";
  const where = source === "chain" ? "the last audits' on chain" : "asked for just now";
  const bad = refuted.length === 0 ? "" : `, ${refuted.length} false`;
  const open = unproven.length === 0 ? "" : `, ${unproven.length} bundles without one`;
  return `${proven.length} bundles proven (${where})${bad}${open}`;
}

function describeRepair({ vacant, repaired, notRepaired, unusable }: RepairResult): string[] {
  if (vacant.length === 0) return ["Every bundle has a holder; there is nothing to repair."];
  return [
    `${repaired.length} of ${vacant.length} lost bundles restored`,
    ...repaired.map(
      ({ bundleIndex, operator }) =>
        `  bundle ${bundleIndex} is with ${operator}, which takes it over as soon as it can prove it`,
    ),
    ...notRepaired.map(({ bundleIndex, reason }) => `  bundle ${bundleIndex} is not: ${reason}`),
    ...describeReplaced(unusable),
  ];
}
