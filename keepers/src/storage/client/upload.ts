import { type Address, getAddress, type Hex } from "viem";
import { type ReceiptDomain, recoverReceipt } from "../../chain/receipt.ts";
import { AssayError, exitCode } from "../../core/errors.ts";
import { RefusalError } from "../transport/errors.ts";
import type { ShardClient } from "../transport/shard-client.ts";
import { type OfferedTerms, writeTerms } from "./terms.ts";

/** An operator's promise to hold a bundle, as it goes on chain. */
export type KeptReceipt = {
  bundleIndex: number;
  operator: Address;
  /** Seconds since 1970. */
  validUntil: bigint;
  /** Epoch before which its duty ends at the latest. */
  latestEnd: number;
  signature: Hex;
};

/** A bundle on its way to an operator. */
export type UploadParameters = {
  datasetId: Hex;
  owner: Address;
  manifestCid: string;
  /** What the dataset will be anchored under; undefined when it is. */
  terms: OfferedTerms | undefined;
  /** Its bytes; undefined when the operator has it already. */
  manifest: Uint8Array | undefined;
  bundleIndex: number;
  poseidonRoot: Hex;
  transportRoot: Hex;
  operator: Address;
  /** Seconds since 1970 until which the receipt shall be good. */
  validUntil: bigint;
  /** Epoch before which the operator's duty shall end at the latest. */
  latestEnd: number;
  domain: ReceiptDomain;
  /** Reads the bundle; asked for only once the operator has accepted it. */
  read: () => Promise<Uint8Array>;
  signal?: AbortSignal;
  /** Told how many bytes of the bundle the operator is known to have. */
  onProgress?: (received: number) => void;
};

/** The operator sent a receipt that the chain would refuse. */
export class BadReceiptError extends AssayError {
  override readonly name: string = "BadReceiptError";

  constructor(reason: string, cause?: unknown) {
    super(`its receipt is worthless: ${reason}`, {
      next: "Another operator is asked instead.",
      exitCode: exitCode.refused,
      cause,
    });
  }
}

/**
 * Brings one bundle to one operator: offer, bytes (from where an earlier attempt ended), commit. The receipt that comes
 * back is the operator's own, over exactly these roots.
 * @throws RefusalError, TransportError, MalformedMessageError, BadReceiptError
 */
export async function uploadBundle(client: ShardClient, parameters: UploadParameters): Promise<KeptReceipt> {
  const { datasetId, bundleIndex, manifestCid, manifest, poseidonRoot, transportRoot, signal } = parameters;
  // On the wire addresses are lower-case.
  const owner = parameters.owner.toLowerCase() as Address;
  const terms = parameters.terms && writeTerms(parameters.terms);
  const offer = {
    datasetId,
    owner,
    manifestCid,
    bundleIndices: [bundleIndex],
    ...(terms !== undefined && { terms }),
  };
  const { refused } = await client.offer(offer, manifest, { signal });
  const [refusal] = refused;
  if (refusal !== undefined) {
    throw new RefusalError("refused", `it refused: ${refusal.reason}${detail(refusal.detail)}`);
  }
  const bytes = await parameters.read();
  await client.put(
    { datasetId, bundleIndex, bytes },
    { signal, onProgress: (received) => parameters.onProgress?.(received) },
  );
  const answer = await client.commit(
    {
      datasetId,
      bundleIndex,
      poseidonRoot,
      transportRoot,
      validUntil: parameters.validUntil.toString(),
      latestEnd: parameters.latestEnd,
    },
    { signal },
  );
  return checkReceipt(parameters, getAddress(answer.operator), BigInt(answer.validUntil), answer.signature);
}

/** Seconds. A receipt that runs out much sooner than was asked could not be brought on chain in time. */
const mostShortened = 3600n;

async function checkReceipt(
  parameters: UploadParameters,
  signedBy: Address,
  signedUntil: bigint,
  signature: Hex,
): Promise<KeptReceipt> {
  const { datasetId, bundleIndex, poseidonRoot, transportRoot, operator, validUntil, latestEnd, domain } =
    parameters;
  if (signedBy !== getAddress(operator)) throw new BadReceiptError(`it is of operator ${signedBy}`);
  // A node may shorten the term a little; one that lengthens it makes a receipt that the registry refuses.
  if (signedUntil > validUntil || signedUntil < validUntil - mostShortened)
    throw new BadReceiptError(`it is valid until ${signedUntil}`);
  const roots = { poseidonRoot, transportRoot };
  const receipt = { datasetId, bundleIndex, ...roots, operator, validUntil: signedUntil, latestEnd };
  const signer = await recoverReceipt(receipt, signature, domain).catch((cause: unknown) => {
    throw new BadReceiptError("its signature is malformed", cause);
  });
  if (getAddress(signer) !== getAddress(operator)) throw new BadReceiptError("someone else signed it");
  return { bundleIndex, operator, validUntil: signedUntil, latestEnd, signature };
}

/** What a stranger wrote, fit for one line on a terminal. */
function detail(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, "?").slice(0, 160);
  return clean === "" ? "" : ` (${clean})`;
}
