import { type Address, type Hex, hexToBytes, keccak256 } from "viem";
import { AssayError, exitCode } from "../../core/errors.ts";
import { type Claim, Verifier } from "../../core/groth16/verifier.ts";
import { decodeVerifyingKey } from "../../core/groth16/verifying-key.ts";
import type { StorageClient } from "./client.ts";

/** A proof that an operator gave, with what it is claimed to prove. */
export type PossessionClaim = {
  kind: "possession" | "covering";
  /** The bundle or the cover that was asked. */
  duty: Hex;
  operator: Address;
  /** Bundles of the dataset that the proof answers for. */
  bundles: number[];
  claim: Claim;
};

/** The key on chain is not what its hash says, or is none. */
export class VerifyingKeyError extends AssayError {
  override readonly name: string = "VerifyingKeyError";

  constructor(keyHash: Hex, options: { cause?: unknown } = {}) {
    super(`the verifying key ${keyHash} could not be read from the chain`, {
      next: "Check that the deployment belongs to this chain; ask another RPC endpoint.",
      exitCode: exitCode.unavailable,
      ...options,
    });
  }
}

/**
 * Verifies claims locally, all of one circuit together, under the keys that the chain holds.
 * @returns the positions of those that are false
 */
export async function falseClaims(
  client: StorageClient,
  claims: readonly PossessionClaim[],
): Promise<Set<number>> {
  const wrong = new Set<number>();
  for (const kind of ["possession", "covering"] as const) {
    const positions = [...claims.keys()].filter((i) => claims[i]!.kind === kind);
    if (positions.length === 0) continue;
    using verifier = await verifierOf(client, kind);
    const batch = positions.map((i) => claims[i]!.claim);
    if (verifier.verifyBatch(batch)) continue;
    for (const i of verifier.findInvalid(batch)) wrong.add(positions[i]!);
  }
  return wrong;
}

/** The verifier for a circuit, from the key's bytes on chain, whose hash the audit contract names. */
async function verifierOf(client: StorageClient, kind: PossessionClaim["kind"]): Promise<Verifier> {
  const { contracts, chain } = client;
  const audit = contracts.StorageAudit.read;
  const keyHash = await (kind === "possession" ? audit.possessionKey() : audit.coveringKey());
  const [data] = await contracts.VerifierRegistry.read.keyInfo([keyHash]);
  const code = await chain.public.getCode({ address: data });
  if (code === undefined) throw new VerifyingKeyError(keyHash);
  // The first byte stops calls; the key follows.
  const key = hexToBytes(code).subarray(1);
  if (keccak256(key) !== keyHash) throw new VerifyingKeyError(keyHash);
  try {
    return await Verifier.create(decodeVerifyingKey(key));
  } catch (cause) {
    throw new VerifyingKeyError(keyHash, { cause });
  }
}
