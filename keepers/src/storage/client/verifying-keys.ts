import { type Hex, hexToBytes, keccak256 } from "viem";
import type { ClaimKeys, ClaimKind } from "../../core/audit/claims.ts";
import { AssayError, exitCode } from "../../core/errors.ts";
import type { ChainView } from "./client.ts";

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

/** The keys of some circuits, from their bytes on chain, whose hashes the audit contract names. @throws VerifyingKeyError */
export async function readVerifyingKeys(view: ChainView, kinds: Iterable<ClaimKind>): Promise<ClaimKeys> {
  const read = [...new Set(kinds)].map(async (kind) => [kind, await readKey(view, kind)] as const);
  return Object.fromEntries(await Promise.all(read));
}

async function readKey({ contracts, chain }: ChainView, kind: ClaimKind): Promise<Uint8Array> {
  const audit = contracts.StorageAudit.read;
  const keyHash = await (kind === "possession" ? audit.possessionKey() : audit.coveringKey());
  const [data] = await contracts.VerifierRegistry.read.keyInfo([keyHash]);
  const code = await chain.public.getCode({ address: data });
  if (code === undefined) throw new VerifyingKeyError(keyHash);
  // The first byte stops calls; the key follows.
  const key = hexToBytes(code).subarray(1);
  if (keccak256(key) !== keyHash) throw new VerifyingKeyError(keyHash);
  return key;
}
