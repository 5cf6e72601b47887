import { type Hex, hexToBytes } from "viem";
import { manifestCid, maxManifestBytes } from "../../../keepers/src/core/dataset/manifest.ts";
import { bodyOf } from "./body.ts";

/** Manifests that are fetched at once: lists want as many as they have rows. */
const atOnce = 6;
/** Milliseconds that a gateway may take for one, so that a slow one keeps no others waiting for long. */
const patience = 30_000;

let underWay = 0;
const waiting: (() => void)[] = [];

/** Does `work` when fewer than {@link atOnce} others are under way, unless it was given up before. */
async function inTurn<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (underWay >= atOnce) await new Promise<void>((begin) => waiting.push(begin));
  else underWay++;
  try {
    signal?.throwIfAborted();
    return await work();
  } finally {
    // The turn is handed on; it is given back when nobody waits.
    const next = waiting.shift();
    if (next === undefined) underWay--;
    else next();
  }
}

/**
 * Fetches a manifest from an IPFS gateway. The digest is what an owner anchored, and may stand for any bytes: no more are read
 * than a manifest may have, and they are for the caller to check.
 *
 * @param digest SHA-256 of the manifest, from which its CID follows
 * @throws Error when the gateway does not give it
 */
export async function fetchManifest(
  gateway: string,
  digest: Hex,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  return inTurn(async () => {
    const timeout = AbortSignal.timeout(patience);
    const response = await fetch(`${gateway}/ipfs/${manifestCid(hexToBytes(digest))}`, {
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`The storage gateway does not give the manifest (HTTP ${response.status}).`);
    }
    try {
      return await bodyOf(response, maxManifestBytes);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`The storage gateway does not give the manifest: ${reason}.`, { cause });
    }
  }, signal);
}
