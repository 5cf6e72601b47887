import { falseUnder, type PossessionClaim } from "../../core/audit/claims.ts";
import type { ChainView } from "./client.ts";
import { readVerifyingKeys } from "./verifying-keys.ts";

/**
 * Verifies claims locally, all of one circuit together, under the keys that the chain holds.
 * @returns the positions of those that are false
 * @throws VerifyingKeyError
 */
export async function falseClaims(view: ChainView, claims: readonly PossessionClaim[]): Promise<Set<number>> {
  const kinds = claims.map(({ kind }) => kind);
  return await falseUnder(await readVerifyingKeys(view, kinds), claims);
}
