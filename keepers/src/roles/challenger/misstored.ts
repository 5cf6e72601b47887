import type { Hex } from "viem";
import { stateFileBytes } from "../../core/exact/result-files.ts";
import { MisencodedError } from "../../storage/client/errors.ts";
import type { FolderRun } from "../../training/dispute/claimed-run.ts";
import type { ComputeParts, JobContext } from "../jobs/duty.ts";
import { showEncodingFraud } from "../jobs/encoding-fraud.ts";
import { inTime, type LimitOptions } from "../jobs/in-time.ts";
import { findStoredFraud, sendFraud } from "../jobs/stored-fraud.ts";

/** A right result that nobody can read from where it should be stored. */
export type Misstored = {
  readonly jobId: bigint;
  /** The commitment, as the game names it. */
  readonly claimId: bigint;
  readonly steps: number;
  readonly resultId: Hex;
};

/**
 * Shows the contracts that what is stored is no encoding of anything, or the first byte of it that is not that of the state which was
 * committed to. Says whether nothing is left to show.
 */
export async function showMisstored(
  parts: JobContext & Pick<ComputeParts, "storage">,
  { jobId, claimId, steps, resultId: datasetId }: Misstored,
  run: Pick<FolderRun, "program" | "state">,
  limit: LimitOptions,
): Promise<boolean> {
  const { storage, log } = parts;
  const { program } = run;
  // What nobody serves is for challenges of its holders.
  const found = await inTime(
    async (signal) => {
      try {
        return { stored: await storage.stream({ datasetId, count: stateFileBytes(program), signal }) };
      } catch (error) {
        if (error instanceof MisencodedError && error.fraud !== undefined) return { misencoded: error.fraud };
        throw error;
      }
    },
    {
      ...limit,
      onNothing: (reason) => log.warn({ jobId, reason }, "what is stored cannot be shown to be wrong"),
    },
  );
  if (found === undefined) return false;
  if (found.stored === undefined) return await showEncodingFraud(parts, found.misencoded);
  const fraud = findStoredFraud(claimId, program, await run.state(steps), found.stored);
  if (fraud === undefined) {
    log.warn({ jobId }, "the state is stored as it was committed to, but not as a file");
    return true;
  }
  const isShown = await sendFraud(parts, `show-misstored:${claimId}`, fraud);
  if (isShown) {
    log.warn({ jobId, kind: fraud.name }, "showed that something else is stored than was committed to");
  }
  return isShown;
}
