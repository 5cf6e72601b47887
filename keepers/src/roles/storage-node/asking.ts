import { formatUnits } from "viem";
import type { OfferResponse } from "../../storage/transport/shard-service.ts";

/** What a node asks of the datasets whose bundles it takes. */
export type Asking = {
  /** Least fee, token base units for each bundle and answered audit. */
  readonly leastFee: bigint;
  /** Most epochs that it agrees to serve from the present one on. */
  readonly longestTerm: number;
};

/** Epochs that a dataset can be paid for at once (contracts/storage/Limits.sol). */
export const mostEpochs = 16_384;

export type Refusal = Pick<OfferResponse["refused"][number], "reason" | "detail">;

/** Why a dataset's terms are not good enough; undefined when they are. */
export function termsRefusal(
  { leastFee, longestTerm }: Asking,
  { feePerAudit, epochs }: { readonly feePerAudit: bigint; readonly epochs: number },
): Refusal | undefined {
  if (feePerAudit < leastFee) {
    const [offered, asked] = [formatUnits(feePerAudit, 18), formatUnits(leastFee, 18)];
    return { reason: "price", detail: `it asks for ${asked} tokens an audit, not ${offered}` };
  }
  if (epochs > longestTerm) {
    return { reason: "policy", detail: `it serves for ${longestTerm} epochs at most, not ${epochs}` };
  }
  return undefined;
}
