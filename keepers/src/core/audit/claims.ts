import type { Address, Hex } from "viem";
import { type Claim, Verifier } from "../groth16/verifier.ts";
import { decodeVerifyingKey } from "../groth16/verifying-key.ts";

/** What an audit answer proves: cells of one bundle, or of all bundles of a cover. */
export const claimKinds = ["possession", "covering"] as const;
export type ClaimKind = (typeof claimKinds)[number];

/** A proof that an operator gave, with what it is claimed to prove. */
export type PossessionClaim = {
  kind: ClaimKind;
  /** The bundle or the cover that was asked. */
  duty: Hex;
  operator: Address;
  /** Bundles of the dataset that the proof answers for. */
  bundles: number[];
  claim: Claim;
};

/** The verifying key of each circuit that claims are made under, encoded as on chain. */
export type ClaimKeys = { readonly [K in ClaimKind]?: Uint8Array };

/**
 * Verifies claims, all of one circuit together.
 * @returns the positions of those that are false; all of a kind without a key are
 * @throws Groth16FormatError for a key that is none
 */
export async function falseUnder(
  keys: ClaimKeys,
  claims: readonly Pick<PossessionClaim, "kind" | "claim">[],
): Promise<Set<number>> {
  const wrong = new Set<number>();
  for (const kind of claimKinds) {
    const positions = [...claims.keys()].filter((i) => claims[i]!.kind === kind);
    if (positions.length === 0) continue;
    const key = keys[kind];
    if (key === undefined) {
      for (const i of positions) wrong.add(i);
      continue;
    }
    using verifier = await Verifier.create(decodeVerifyingKey(key));
    const batch = positions.map((i) => claims[i]!.claim);
    if (verifier.verifyBatch(batch)) continue;
    for (const i of verifier.findInvalid(batch)) wrong.add(positions[i]!);
  }
  return wrong;
}
