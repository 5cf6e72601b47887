const jobBits = 48n;

/** What of an order decides where its checkpoints stand. */
export type Divided = {
  readonly steps: number;
  readonly interval: number;
  /** Equal parts in which the price is paid; 0 or 1: at the end alone. */
  readonly instalments: number;
};

/** A commitment of a job: 0 is the last one, others are checkpoints. */
export type ClaimName = { readonly jobId: bigint; readonly checkpoint: number };

/** Number of a commitment in the dispute game (contracts/jobs/ClaimIds.sol). */
export function claimIdOf({ jobId, checkpoint }: ClaimName): bigint {
  return jobId | (BigInt(checkpoint) << jobBits);
}

/** The commitment that a number of the dispute game stands for. */
export function claimNameOf(claimId: bigint): ClaimName {
  return { jobId: claimId & ((1n << jobBits) - 1n), checkpoint: Number(claimId >> jobBits) };
}

/**
 * Steps up to each checkpoint, by its number from 1 on: checkpoint i of n stands at leaf floor(i * intervals / n)
 * (contracts/jobs/Instalments.sol).
 */
export function checkpointSteps({ steps, interval, instalments }: Divided): number[] {
  const intervals = Math.ceil(steps / interval);
  const count = Math.max(0, instalments - 1);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 1) * intervals) / instalments) * interval);
}
