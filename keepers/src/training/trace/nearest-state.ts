import type { Hex } from "viem";
import { listCheckpoints } from "../trainer/checkpoint.ts";
import { CheckpointError } from "../trainer/errors.ts";
import { leafAt, loadCheckpoint } from "../trainer/progress.ts";
import { checkpointFolder, type RunFolder } from "../trainer/run-folder.ts";

/** A checkpoint of a run; undefined where there is none that can be used. */
export async function checkpointAt(run: RunFolder, step: number) {
  try {
    return await loadCheckpoint(run, step);
  } catch (error) {
    if (error instanceof CheckpointError) return undefined;
    throw error;
  }
}

/** The newest checkpoint after `limit` steps or fewer that holds the state which the trace claims there. */
export async function nearestState(
  run: RunFolder,
  trace: readonly { readonly stateRoot: Hex }[],
  limit: number,
): Promise<{ readonly step: number; readonly state: readonly Int32Array[] } | undefined> {
  const steps = await listCheckpoints(checkpointFolder(run));
  for (const step of steps.filter((each) => each <= limit && each > 0).reverse()) {
    const leaf = leafAt(run, step);
    const checkpoint = leaf === undefined ? undefined : await checkpointAt(run, step);
    if (checkpoint === undefined) continue;
    if (trace[leaf!]?.stateRoot === checkpoint.stateRoot) return { step, state: checkpoint.state };
  }
  return undefined;
}
