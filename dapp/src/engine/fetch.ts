import { type Hex, hexToBytes } from "viem";
import { blobCid, maxBlobBytes } from "../../../keepers/src/core/dataset/blob.ts";
import {
  decodeHashList,
  decodeObjects,
  planHashRead,
  planRead,
  type SegmentRead,
} from "../../../keepers/src/core/dataset/decode.ts";
import { type Manifest, manifestLayout, parseManifest } from "../../../keepers/src/core/dataset/manifest.ts";
import { ObjectHashes } from "../../../keepers/src/core/dataset/object-hashes.ts";
import { parseIndex } from "../../../keepers/src/core/dataset/packed.ts";
import { ErasureCode } from "../../../keepers/src/core/erasure/code.ts";
import { AssayError, BadInputError } from "../../../keepers/src/core/errors.ts";
import { bodyOf } from "../data/body.ts";
import type { CallContext } from "./protocol.ts";
import { breathe } from "./serve.ts";

/** Bytes of a dataset that a page takes into memory. */
const mostBytes = 2 ** 30;
/** Objects decoded between two looks for a cancellation. */
const decodedAtOnce = 2048;

/** A dataset that cannot be had: not there, or not what its CID says. */
export class FetchError extends AssayError {
  override readonly name: string = "FetchError";
}

/** A dataset in memory, every byte checked. */
export type FetchedDataset = {
  readonly manifest: Manifest;
  /** All objects, one after another. */
  readonly objects: Uint8Array;
};

/**
 * Fetches a dataset through a gateway that nobody has to believe: bundles are checked against their CIDs, any k of a segment
 * are enough, and every object is checked against its hash.
 * @param cid of its manifest
 * @throws FetchError when it cannot be had; BadInputError for one that is encrypted or too large; WrongEncodingError
 */
export async function fetchDataset(
  gateway: string,
  cid: string,
  context: CallContext,
): Promise<FetchedDataset> {
  const manifest = parseManifest(await fetchBlob(gateway, cid, context.signal));
  const layout = manifestLayout(manifest);
  const { objectCount, objectSize, name } = manifest;
  if (manifest.encryption !== null)
    throw new BadInputError(`The dataset ${name} is encrypted.`, {
      next: "Read it with the command line and the key of a recipient.",
    });
  if (objectCount * objectSize > mostBytes)
    throw new BadInputError(`The dataset ${name} has more than ${mostBytes} bytes.`, {
      next: "Read it with the command line.",
    });
  const bundles = new Map<number, Uint8Array>();
  const needed = layout.segments * layout.k;
  for (let segment = 0; segment < layout.segments; segment++) {
    const onBundle = () =>
      context.progress({ stage: "loading", done: bundles.size, total: needed, unit: "bundles" });
    await fetchSegment(gateway, manifest, segment, bundles, onBundle, context.signal);
  }
  const decoding = { layout, code: new ErasureCode(layout.k, layout.n), cipher: null };
  const shards = ({ firstBundle, range }: SegmentRead) =>
    Array.from({ length: layout.n }, (_, shard) =>
      bundles.get(firstBundle + shard)?.subarray(range.start, range.end),
    );
  const lists = Array.from({ length: layout.segments }, (_, segment) =>
    decodeHashList(decoding, segment, shards(planHashRead(layout, segment))),
  );
  const hashes = new ObjectHashes(layout, hexToBytes(manifest.objectRoot as Hex), lists);
  const objects = new Uint8Array(objectCount * objectSize);
  for (let first = 0; first < objectCount; first += decodedAtOnce) {
    let at = first;
    for (const read of planRead(layout, first, Math.min(objectCount, first + decodedAtOnce)))
      for (const object of decodeObjects(decoding, read, shards(read), hashes))
        objects.set(object, at++ * objectSize);
    context.progress({ stage: "checking", done: at, total: objectCount, unit: "objects" });
    await breathe(context.signal);
  }
  return { manifest, objects };
}

/** The files of a folder that is stored as a dataset, by their names. @throws BadInputError when it is no folder */
export function filesOf({ manifest, objects }: FetchedDataset): ReadonlyMap<string, Uint8Array> {
  const { format, name } = manifest;
  if (format.kind !== "packed" || format.content !== "files")
    throw new BadInputError(`The dataset ${name} is no folder of files.`);
  const { offset, length } = format.index;
  const entries = parseIndex(format, objects.subarray(offset, offset + length));
  return new Map(entries.map((entry) => [entry.name, objects.subarray(entry.start, entry.end)]));
}

/** Any k bundles of a segment; one that cannot be had, or is wrong, is replaced by the next. */
async function fetchSegment(
  gateway: string,
  { k, n, bundles: named, name }: Manifest,
  segment: number,
  bundles: Map<number, Uint8Array>,
  onBundle: () => void,
  signal: AbortSignal,
): Promise<void> {
  const waiting = Array.from({ length: n }, (_, shard) => segment * n + shard);
  let found = 0;
  let failure: unknown;
  const fetchNext = async (): Promise<void> => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      try {
        bundles.set(index, await fetchBlob(gateway, named[index]!.cid, signal));
        found++;
        onBundle();
        return;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
  };
  await Promise.all(Array.from({ length: k }, fetchNext));
  if (found === k) return;
  const reason = failure instanceof Error ? ` ${failure.message}` : "";
  throw new FetchError(
    `Of segment ${segment} of the dataset ${name}, ${found} of ${k} bundles could be had.${reason}`,
    { next: "Try again later, or through another gateway.", cause: failure },
  );
}

/** A blob by its CID, whoever gives it. @throws FetchError */
async function fetchBlob(gateway: string, cid: string, signal: AbortSignal): Promise<Uint8Array> {
  const url = `${gateway.replace(/\/$/, "")}/ipfs/${cid}`;
  const next = "Try again later, or through another gateway.";
  let bytes: Uint8Array;
  try {
    const response = await fetch(url, { signal, referrerPolicy: "no-referrer", credentials: "omit" });
    if (!response.ok) throw new Error(`it answers with status ${response.status}`);
    bytes = await bodyOf(response, maxBlobBytes);
  } catch (cause) {
    signal.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FetchError(`${cid} could not be had from the gateway: ${reason}.`, { next, cause });
  }
  if (blobCid(bytes).toString() !== cid)
    throw new FetchError(`The gateway gave other bytes than those of ${cid}.`, { next });
  return bytes;
}
