import { rm } from "node:fs/promises";
import { join } from "node:path";
import { checkpointName, listCheckpoints } from "./checkpoint.ts";
import { checkpointFolder, type RunFolder } from "./run-folder.ts";
import { lockRun } from "./run-lock.ts";

/**
 * Forgets what a run computed from some step on, so that the next call trains it again. The logs are cut when it goes on.
 *
 * @param step steps that stay done, at most
 * @throws RunFolderError while another process trains it
 */
export async function rewindRun(run: RunFolder, step: number): Promise<void> {
  const lock = lockRun(run.path);
  try {
    const folder = checkpointFolder(run);
    // The newest go first: whatever ends this early, no later state outlives an earlier one.
    const later = (await listCheckpoints(folder)).filter((at) => at > step).sort((a, b) => b - a);
    for (const at of later) await rm(join(folder, checkpointName(at)));
  } finally {
    lock.release();
  }
}
