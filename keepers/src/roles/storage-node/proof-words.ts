import { encodeAbiParameters, keccak256 } from "viem";
import { proofWords } from "../../core/groth16/encode.ts";
import type { Proof } from "../../core/groth16/types.ts";

/** A Groth16 proof as the contracts take it. */
export type ProofWords = readonly [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];

export function toProofWords(proof: Proof): ProofWords {
  return proofWords(proof) as unknown as ProofWords;
}

/**
 * Tells proofs of the same statement apart. Proofs are randomised: one that is made anew, because the chain refused or
 * lost the transaction of the last one, is another intent to the transaction queue.
 */
export function proofTag(proof: Proof): string {
  return keccak256(encodeAbiParameters([{ type: "uint256[]" }], [proofWords(proof)])).slice(2, 18);
}
