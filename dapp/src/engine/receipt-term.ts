import type { KeptReceipt } from "../../../keepers/src/storage/client/upload.ts";

/** Seconds that a receipt has to be good for to count: until then a wallet has to have anchored and placed. */
const leastTerm = 1_800n;

/** Whether a receipt is worth paying for, at a second of the chain's. */
export function isGoodFor({ validUntil }: Pick<KeptReceipt, "validUntil">, now: bigint): boolean {
  return validUntil >= now + leastTerm;
}
