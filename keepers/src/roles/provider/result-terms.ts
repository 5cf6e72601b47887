import type { Contracts } from "../../chain/contracts.ts";
import { BadInputError } from "../../core/errors.ts";

/** What of a network decides how long results are to be stored, in chain seconds. */
export type ResultClocks = { readonly challengeWindow: number; readonly epochLength: number };

/**
 * Epochs for which a result has to be paid for when it is anchored: a commitment to it is taken only if its holders have agreed to
 * serve it for twice the window of challenges, as jobs with a committee ask. One epoch has begun by then, and one may pass while
 * the result is placed. Epochs that are added later bind nobody.
 */
export function leastResultEpochs({ challengeWindow, epochLength }: ResultClocks): number {
  return Math.ceil((2 * challengeWindow) / epochLength) + 2;
}

/**
 * Refuses to begin with terms under which no result could be committed to: its provider would be late with every job.
 *
 * @throws BadInputError when results would be stored for too short a time; what the chain's endpoint throws
 */
export async function requireResultEpochs(
  { JobRegistry, DatasetRegistry }: Pick<Contracts, "JobRegistry" | "DatasetRegistry">,
  epochs: number,
): Promise<void> {
  const [{ challengeWindow }, epochLength] = await Promise.all([
    JobRegistry.read.parameters(),
    DatasetRegistry.read.epochLength(),
  ]);
  const least = leastResultEpochs({ challengeWindow, epochLength });
  if (epochs >= least) return;
  throw new BadInputError(
    `results would be stored for ${epochs} epochs: a commitment to one asks for ${least} on this network`,
    { next: `Use --epochs ${least} or more.` },
  );
}
