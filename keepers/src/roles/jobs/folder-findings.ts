import { join } from "node:path";
import type { Hex } from "viem";
import { witnessesHash } from "../../core/attestation/statement.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { readTrace, readWitnesses } from "../../training/trainer/progress.ts";
import { isRunFolder } from "../../training/trainer/run-folder.ts";
import type { JobRecord } from "./job-record.ts";
import { keptLeaves } from "./result.ts";

/** What a run says of an interval, from what its folder holds; nothing is computed. */
export type FolderFinding =
  | { readonly isRight: true; readonly witnessHash: Hex }
  | { readonly isRight: false };

/**
 * What the run of a job in this keeper's folder says of an interval of the committed trace.
 *
 * @param isOwn whether the committed trace is that of the run itself
 * @returns undefined when the run does not reach so far, the leaves cannot be had, or the first leaf is another one
 */
export async function folderFinding(
  folder: string,
  { jobId, training, result }: JobRecord,
  interval: number,
  isOwn: boolean,
): Promise<FolderFinding | undefined> {
  const own = join(folder, String(jobId));
  const path = join(own, "run");
  if (result === undefined || !isRunFolder(path)) return undefined;
  const trace = await readTrace({ path });
  const [before, next] = [trace[interval], trace[interval + 1]];
  const seen = await readWitnesses({ path }, interval);
  if (before === undefined || next === undefined || seen === undefined) return undefined;
  const right = { isRight: true, witnessHash: witnessesHash(seen) } as const;
  if (isOwn) return right;
  const leaves = await keptLeaves({ order: decodeOrder(training), result, folder: own });
  if (leaves?.[interval]?.stateRoot !== before.stateRoot) return undefined;
  return leaves[interval + 1]!.stateRoot === next.stateRoot ? right : { isRight: false };
}

/** Whether the run of a job in this keeper's folder was computed to the end of an interval. */
export async function reaches(folder: string, jobId: bigint, interval: number): Promise<boolean> {
  const path = join(folder, String(jobId), "run");
  if (!isRunFolder(path)) return false;
  const trace = await readTrace({ path });
  return trace[interval + 1] !== undefined && (await readWitnesses({ path }, interval)) !== undefined;
}
