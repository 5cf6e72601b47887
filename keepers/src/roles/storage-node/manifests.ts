import { LRUCache } from "lru-cache";
import type { Hex } from "viem";
import type { DatasetLayout } from "../../core/dataset/layout.ts";
import {
  type Manifest,
  manifestCid,
  manifestDigest,
  manifestLayout,
  parseManifest,
} from "../../core/dataset/manifest.ts";
import { type ManifestHashes, manifestHashes } from "../../storage/client/terms.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import { Gate } from "../../storage/transport/gate.ts";
import type { Pace } from "../../storage/transport/pace.ts";
import type { Caller } from "../../storage/transport/shard-service.ts";
import type { Shelf } from "./shelf.ts";

/** A manifest that was read, with what follows from its bytes. */
export type ReadManifest = {
  readonly manifest: Manifest;
  readonly layout: DatasetLayout;
  readonly cid: string;
} & ManifestHashes;

/** The longest manifests take 45 ms of the main thread: one is read at a time. */
const gate = { atOnce: 1, waiting: 32, perPeer: 4 };
/** Manifests that stay in memory, 0.5 MB each at most, and layouts, of 200 bytes. */
const kept = { manifests: 48, layouts: 8192 };

/**
 * The manifests of offers and of the shelf. Reading one takes its time, and strangers send them and ask for them: what was
 * read stays in memory, and what was not waits for its turn.
 */
export class Manifests {
  readonly #shelf: Pick<Shelf, "manifest" | "manifestCid">;
  readonly #gate: Gate;
  readonly #read = new LRUCache<string, ReadManifest>({ max: kept.manifests });
  readonly #layouts = new LRUCache<string, DatasetLayout>({ max: kept.layouts });
  readonly #pace: Pace;

  /** @param isRegistered whose manifests are read before those of strangers */
  constructor(
    shelf: Pick<Shelf, "manifest" | "manifestCid">,
    pace: Pace,
    isRegistered?: (peer: string) => boolean,
  ) {
    this.#shelf = shelf;
    this.#gate = new Gate({ ...gate, ...(isRegistered && { isRegistered }) });
    this.#pace = pace;
  }

  /** Manifests that wait to be read. */
  get waiting(): number {
    return this.#gate.waiting;
  }

  /** Manifests that were not read, for too many waited. */
  get refused(): number {
    return this.#gate.refused;
  }

  /**
   * Reads a manifest that a peer sent.
   * @param cid what the peer says is its CID
   * @throws RefusalError "bad-request" when it has another CID or is not valid; "busy"
   */
  async read(bytes: Uint8Array, cid: string, caller: Caller): Promise<ReadManifest> {
    // Hashing takes a fiftieth of the time that reading does.
    if (manifestCid(manifestDigest(bytes)) !== cid) {
      throw new RefusalError("bad-request", "the manifest does not have this CID");
    }
    return await this.#parse(cid, () => bytes, caller);
  }

  /**
   * The manifest of a dataset on the shelf; undefined where there is none.
   * @param caller whoever asks; this node itself, which is not turned away, where nobody does
   * @throws RefusalError "busy"
   */
  async of(datasetId: Hex, caller?: Caller): Promise<ReadManifest | undefined> {
    const cid = this.#shelf.manifestCid(datasetId);
    if (cid === undefined) return undefined;
    return await this.#parse(cid, () => this.#shelf.manifest(datasetId), caller);
  }

  /** The layout of a dataset on the shelf, as {@link of}. */
  async layoutOf(datasetId: Hex, caller?: Caller): Promise<DatasetLayout | undefined> {
    const cid = this.#shelf.manifestCid(datasetId);
    if (cid === undefined) return undefined;
    return this.#layouts.get(cid) ?? (await this.of(datasetId, caller))?.layout;
  }

  async #parse(
    cid: string,
    bytesOf: () => Uint8Array | undefined,
    caller: Caller | undefined,
  ): Promise<ReadManifest> {
    const known = this.#read.get(cid);
    if (known !== undefined) return known;
    const read = (signal?: AbortSignal) => this.#pace.run(signal, () => this.#readOnce(cid, bytesOf));
    if (caller === undefined) return await read();
    return await this.#gate.run(caller.peer, caller.signal, () => read(caller.signal));
  }

  /** Another request may have had it read meanwhile. */
  #readOnce(cid: string, bytesOf: () => Uint8Array | undefined): ReadManifest {
    const read = this.#read.get(cid) ?? readNow(cid, bytesOf());
    this.#read.set(cid, read);
    this.#layouts.set(cid, read.layout);
    return read;
  }
}

function readNow(cid: string, bytes: Uint8Array | undefined): ReadManifest {
  if (bytes === undefined) throw new RefusalError("refused", "this dataset was not offered to this node");
  try {
    const manifest = parseManifest(bytes);
    return { manifest, layout: manifestLayout(manifest), cid, ...manifestHashes(manifest, bytes) };
  } catch (error) {
    throw new RefusalError("bad-request", (error as Error).message, { cause: error });
  }
}
