import { bytesToHex, keccak256, toBytes } from "viem";
import { blobCid } from "../../../keepers/src/core/dataset/blob.ts";
import { type BundleEntry, buildDataset } from "../../../keepers/src/core/dataset/build.ts";
import { canonicalJson, type JsonValue } from "../../../keepers/src/core/dataset/canonical-json.ts";
import { manifestCid, manifestDigest, parseManifest } from "../../../keepers/src/core/dataset/manifest.ts";
import { openCommitThreads } from "./commit-threads.ts";
import type { EncodedDataset, EncodeInput } from "./methods.ts";
import type { CallContext } from "./protocol.ts";
import { breathe } from "./serve.ts";
import { Shelf, withShelf } from "./shelf.ts";
import { openChosen } from "./source.ts";

/** Objects between two reports of progress and two looks for a cancellation. */
const reportEvery = 1024;

/**
 * Encodes what was chosen, as `assay data put` does before it sends anything: the same bundles, commitments and manifest,
 * bit for bit. Bundles that an earlier run of the same files and numbers had finished are not committed to again.
 * @throws BadInputError, UnreadableFileError for what was chosen; ShelfError, ShelfInUseError
 */
export function encodeDataset(input: EncodeInput, context: CallContext): Promise<EncodedDataset> {
  const name = shelfName(input);
  return withShelf(name, () => encodeOnShelf(name, input, context));
}

async function encodeOnShelf(
  shelfNamed: string,
  input: EncodeInput,
  { signal, progress }: CallContext,
): Promise<EncodedDataset> {
  const source = await openChosen(input);
  const shelf = await Shelf.open(shelfNamed, input.folder ?? input.files[0]?.path);
  const { objectCount } = source;
  const sizes: number[] = [];
  let resumed = 0;
  let read = 0;

  async function* objects(): AsyncGenerator<Uint8Array> {
    for await (const object of source.objects()) {
      yield object;
      read++;
      if (read % reportEvery > 0) continue;
      progress({ stage: "reading", done: read, total: objectCount, unit: "objects" });
      await breathe(signal);
    }
  }

  const pool = openCommitThreads();
  const keep = async (bundleIndex: number, bytes: Uint8Array): Promise<BundleEntry> => {
    sizes[bundleIndex] = bytes.length;
    const cid = blobCid(bytes).toString();
    const known = await shelf.entry(bundleIndex);
    if (known?.cid === cid) {
      resumed++;
      return known;
    }
    const { poseidonRoot, transportRoot } = await pool.commit(bytes);
    signal.throwIfAborted();
    const entry = { poseidonRoot: bytesToHex(poseidonRoot), transportRoot: bytesToHex(transportRoot), cid };
    await shelf.keep(bundleIndex, bytes, entry);
    return entry;
  };

  // A thread at work does not see the signal; the pool ends it.
  const stop = () => void pool.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const manifestBytes = await buildDataset({
      source: { ...source, objects },
      name: input.name ?? source.name,
      licence: input.licence ?? source.licence,
      description: input.description ?? source.description,
      k: input.k ?? 8,
      n: input.n ?? 11,
      segmentObjects: input.segmentObjects,
      keep,
      onObjects: (done) => progress({ stage: "encoding", done, total: objectCount, unit: "objects" }),
      signal,
    });
    return {
      shelf: shelf.name,
      manifest: parseManifest(manifestBytes),
      manifestBytes,
      manifestHash: keccak256(manifestBytes),
      manifestCid: manifestCid(manifestDigest(manifestBytes)),
      sizes,
      resumed,
    };
  } finally {
    signal.removeEventListener("abort", stop);
    await pool.close();
  }
}

/** The same for the same files and numbers, so that a run that was interrupted finds what it had done; words that stand in the manifest alone change no bundle. */
function shelfName({ files, licence: _, description: __, ...options }: EncodeInput): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined) as [string, JsonValue][];
  const listed = files.map(({ path, file }) => [path, file.size, file.lastModified]);
  return keccak256(toBytes(canonicalJson({ ...Object.fromEntries(given), files: listed }))).slice(2, 34);
}
