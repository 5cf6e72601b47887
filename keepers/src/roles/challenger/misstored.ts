import { randomInt } from "node:crypto";
import { join } from "node:path";
import type { Hex } from "viem";
import { stateFileBytes } from "../../core/exact/result-files.ts";
import { MisencodedError } from "../../storage/client/errors.ts";
import { KeptResults } from "../../storage/client/kept-results.ts";
import type { CellPlace, StoredStream } from "../../storage/client/stored-stream.ts";
import type { FolderRun } from "../../training/dispute/claimed-run.ts";
import type { CellQuestions } from "../jobs/cell-questions.ts";
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

/** Where bundles of a job's wrongly encoded results are kept, among what else belongs to the job. */
export function keptFolder(folder: string, jobId: bigint): string {
  return join(folder, String(jobId), "misencoded");
}

/** A cell, drawn by lot, of a bundle that is not what was anchored: the state says nothing of it. */
function anyCell(stored: StoredStream): CellPlace {
  const bundleIndex = stored.misencoded[0]!;
  return { bundleIndex, cellIndex: randomInt(stored.cellsOf(bundleIndex)) };
}

/**
 * Shows the contracts that what is stored is no encoding of anything, or the first byte of it that is not that of the state which was
 * committed to. Where it takes cells that nobody serves, those who owe them are asked on chain, the owner where nobody holds them: what
 * they publish convicts, and so does it when they publish nothing. The bundles that were served are kept until then: a holder that has
 * learnt what was asked for need not serve them again. Says whether nothing is left to show.
 */
export async function showMisstored(
  parts: JobContext &
    Pick<ComputeParts, "storage" | "folder"> & { readonly questions: Pick<CellQuestions, "ask" | "endedOf"> },
  { jobId, claimId, steps, resultId: datasetId }: Misstored,
  run: Pick<FolderRun, "program" | "state">,
  limit: LimitOptions,
): Promise<boolean> {
  const { storage, folder, questions, log } = parts;
  const { program } = run;
  const results = new KeptResults(keptFolder(folder, jobId));
  const seen = questions.endedOf(datasetId);
  // What nobody serves is for challenges of its holders.
  const found = await inTime(
    async (signal) => {
      try {
        const stored = await storage.stream({
          ...{ datasetId, count: stateFileBytes(program), signal },
          kept: await results.opened(datasetId),
          keep: (bytes) => results.stash(datasetId, bytes),
          onNotKept: (reason) => log.warn({ jobId, reason }, "what is wrongly encoded is not kept here"),
        });
        return { stored };
      } catch (error) {
        if (error instanceof MisencodedError) return { misencoded: error };
        throw error;
      }
    },
    {
      ...limit,
      onNothing: (reason) => log.warn({ jobId, reason }, "what is stored cannot be shown to be wrong"),
    },
  );
  if (found === undefined) return false;
  const { misencoded } = found;
  if (misencoded?.fraud !== undefined) return await showEncodingFraud(parts, misencoded.fraud);
  const stored = found.stored ?? misencoded?.stored;
  if (stored === undefined) return false;
  const fraud = findStoredFraud(claimId, program, await run.state(steps), stored);
  if (misencoded !== undefined && (fraud === undefined || "length" in fraud)) {
    const asked = fraud ?? [anyCell(stored)];
    log.warn(
      { jobId, cells: asked.length },
      "what is served of the result is no encoding of it; the rest is asked for",
    );
    return !(await questions.ask(datasetId, asked, { seen, signal: limit.signal }));
  }
  if (fraud === undefined || "length" in fraud) {
    log.warn({ jobId }, "the state is stored as it was committed to, but not as a file");
    return true;
  }
  const isShown = await sendFraud(parts, `show-misstored:${claimId}`, fraud);
  if (isShown) {
    log.warn({ jobId, kind: fraud.name }, "showed that something else is stored than was committed to");
  }
  return isShown;
}
