import { isAddressEqual } from "viem";
import type { PayTerms } from "../cluster/protocol.ts";
import type { SignedTotal } from "./book.ts";

export type Standing = {
  /** Chunks that the worker computes for a provider beyond those that are paid for. */
  readonly mostUnpaid: number;
  /** Multiaddr at which it joined. */
  readonly address: string;
  /** The round of the job, as it is on chain. */
  readonly round: { readonly forceUntil: number; readonly surety: bigint };
  /** What is not settled of this job and others. */
  readonly unsettled: readonly SignedTotal[];
};

/**
 * What a worker may have at risk in a job: its own bound, less what the provider owes it for other jobs, and never more than
 * the surety that is there. A root that is posted pays for nothing that comes after it. The surety is no promise: the provider
 * can demand it for accounts of its own.
 */
export function mostAtRisk(pay: PayTerms, { mostUnpaid, address, round, unsettled }: Standing): bigint {
  if (round.forceUntil !== 0) return 0n;
  const elsewhere = unsettled.filter((signed) => {
    const isTheirs = signed.address === address || isAddressEqual(signed.provider, pay.provider);
    return isTheirs && signed.jobId !== BigInt(pay.jobId);
  });
  const own = BigInt(mostUnpaid) * BigInt(pay.perChunk);
  const left = elsewhere.reduce((rest, { total }) => rest - total, own);
  return left < round.surety ? left : round.surety;
}
