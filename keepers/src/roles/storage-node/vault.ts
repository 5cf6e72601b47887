import { mkdir, opendir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { CID } from "multiformats/cid";
import { bytesToHex, type Hex } from "viem";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { encodeManifest, type Manifest, manifestLayout } from "../../core/dataset/manifest.ts";
import { cellBytes } from "../../core/dataset/shape.ts";
import { BadInputError } from "../../core/errors.ts";
import { BundleCommitment } from "../../core/merkle/bundle-commitment.ts";
import { type BlobStore, collect } from "../../storage/backends/backend.ts";
import { BlobNotFoundError, WrongBytesError } from "../../storage/backends/errors.ts";
import type { Sender, Shelf, ShelvedBundle } from "./shelf.ts";

export type VaultParts = {
  shelf: Shelf;
  store: BlobStore;
  /** Folder for the bundles' leaf hashes, one file per bundle. */
  treeFolder: string;
  /** Recomputes both trees of a bundle from its bytes. */
  commit: (bytes: Uint8Array) => Promise<BundleCommitment>;
};

/** The bytes do not have the roots, or not the CID, that the dataset's manifest states. */
export class WrongRootsError extends BadInputError {
  override readonly name: string = "WrongRootsError";
}

/** Names of the files of bundles' trees. */
const treeName = /^(0x[0-9a-f]{64})-(\d{1,10})\.tree$/;
/** Trees that stay in memory, 2.2 MB each at most. */
const openTrees = 12;

/** Keeps bundles: checked before they are kept, readable by range, with their possession trees beside them. */
export class Vault {
  readonly #parts: VaultParts;
  /** Storing and dropping take turns: equal bundles share a blob, which must not go while another one is recorded. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #open = new LRUCache<Hex, BundleCommitment>({ max: openTrees });

  private constructor(parts: VaultParts) {
    this.#parts = parts;
  }

  static async open(parts: VaultParts): Promise<Vault> {
    await mkdir(parts.treeFolder, { recursive: true, mode: 0o700 });
    const vault = new Vault(parts);
    await vault.#sweep();
    return vault;
  }

  /** Removes what a killed process has left: bytes that it was storing or deleting, and trees of no bundle. */
  async #sweep(): Promise<void> {
    const { shelf, treeFolder } = this.#parts;
    // Nobody waits for a store that does not answer now: what is left is looked at again at the next start.
    for (const cid of shelf.moving()) this.#inTurn(() => this.#settle(cid)).catch(() => undefined);
    // One name after the other: there may be more of them than are worth holding in memory.
    for await (const { name } of await opendir(treeFolder)) {
      const [, datasetId, bundleIndex] = treeName.exec(name) ?? [];
      const isKnown = datasetId !== undefined && shelf.has(datasetId as Hex, Number(bundleIndex));
      if (!isKnown) await rm(join(treeFolder, name), { recursive: true, force: true });
    }
  }

  /** Deletes bytes that are no bundle's. Equal bundles have one blob: it goes with the last of them. */
  async #settle(cid: string): Promise<void> {
    const { shelf, store } = this.#parts;
    if (!shelf.hasBytes(cid)) await store.delete(CID.parse(cid));
    shelf.moved(cid);
  }

  /**
   * Recomputes both roots, compares them with the manifest, and stores bundle and tree. A crash at any point leaves
   * either a recorded bundle with all its parts, or nothing that is recorded.
   * @param from who has sent it; left out where this node restored it
   * @throws WrongRootsError, StorageFullError
   */
  async admit(
    datasetId: Hex,
    manifest: Manifest,
    bundleIndex: number,
    bytes: Uint8Array,
    from: Sender = { sender: "", isStranger: false },
  ): Promise<ShelvedBundle> {
    const { shelf, store, commit } = this.#parts;
    const known = shelf.get(datasetId, bundleIndex);
    if (known !== undefined) return known;
    const expected = manifest.bundles[bundleIndex];
    const layout = manifestLayout(manifest);
    if (expected === undefined) throw new BadInputError(`the dataset has no bundle ${bundleIndex}`);
    const { bundleBytes, cells } = segmentLayout(layout, bundlePlace(layout, bundleIndex).segment);
    if (bytes.length !== bundleBytes) {
      throw new WrongRootsError(`bundle ${bundleIndex} has ${bundleBytes} bytes, not ${bytes.length}`);
    }
    const commitment = await commit(bytes);
    for (const kind of ["poseidonRoot", "transportRoot"] as const) {
      const found = bytesToHex(commitment[kind]);
      if (found === expected[kind]) continue;
      throw new WrongRootsError(`bundle ${bundleIndex}: its ${kind} is ${found}, not ${expected[kind]}`, {
        next: "Send the bytes that the manifest names.",
      });
    }
    return this.#inTurn(async () => {
      // Another sender's may have come first, and a receipt for it been signed: that must not be forgotten.
      const first = shelf.get(datasetId, bundleIndex);
      if (first !== undefined) return first;
      const cid = CID.parse(expected.cid);
      // The store may have them for somebody else, who is not asked when this bundle goes.
      const wasThere =
        shelf.wereThere(expected.cid) ?? (!shelf.isMoving(expected.cid) && (await store.has(cid)));
      if (!wasThere) shelf.move(expected.cid);
      try {
        await store.put(bytes, { expected: cid });
      } catch (error) {
        // Nothing was stored: what has this CID is another's, and a manifest may name any.
        shelf.moved(expected.cid);
        if (!(error instanceof WrongBytesError)) throw error;
        throw new WrongRootsError(`bundle ${bundleIndex}: its CID is not ${expected.cid}`, { cause: error });
      }
      const id = { datasetId, bundleIndex };
      await this.#writeTree(id, commitment.toBytes());
      // A manifest that nothing had come of yet may have been forgotten meanwhile.
      if (shelf.manifestCid(datasetId) === undefined) shelf.addManifest(datasetId, encodeManifest(manifest));
      const [poseidonRoot, transportRoot] = [expected.poseidonRoot as Hex, expected.transportRoot as Hex];
      const facts = { ...id, cid: expected.cid, length: bytes.length, cells, poseidonRoot, transportRoot };
      const bundle = shelf.add(facts, { ...from, wasThere });
      shelf.moved(expected.cid);
      // Whoever has sent it asks for cells of it next.
      this.#open.set(bundle.bundleId, commitment);
      return bundle;
    });
  }

  /** Bytes `offset` to `offset + length` of a bundle, verified against its CID. */
  read(bundle: ShelvedBundle, offset: number, length: number): AsyncIterable<Uint8Array> {
    return this.#parts.store.get(CID.parse(bundle.cid), { offset, length });
  }

  /** All bytes of a bundle. */
  async bytes(bundle: ShelvedBundle): Promise<Uint8Array> {
    return collect(this.read(bundle, 0, bundle.length));
  }

  /** Cells of a bundle, 496 bytes each, the last one padded with zeros. */
  async cells(bundle: ShelvedBundle, indices: readonly number[]): Promise<Uint8Array[]> {
    const cells: Uint8Array[] = [];
    for (const index of indices) {
      const offset = index * cellBytes;
      if (index < 0 || index >= bundle.cells) throw new BadInputError(`the bundle has no cell ${index}`);
      const cell = new Uint8Array(cellBytes);
      cell.set(await collect(this.read(bundle, offset, Math.min(cellBytes, bundle.length - offset))));
      cells.push(cell);
    }
    return cells;
  }

  /** Whether both trees of a bundle are in memory. */
  isOpen({ bundleId }: ShelvedBundle): boolean {
    return this.#open.has(bundleId);
  }

  /** Both trees of a bundle; made again from the bytes when their file is gone or damaged. */
  async commitment(bundle: ShelvedBundle): Promise<BundleCommitment> {
    const commitment = this.#open.get(bundle.bundleId) ?? (await this.#readTrees(bundle));
    this.#open.set(bundle.bundleId, commitment);
    return commitment;
  }

  async #readTrees(bundle: ShelvedBundle): Promise<BundleCommitment> {
    try {
      const kept = BundleCommitment.fromBytes(await readFile(this.#treePath(bundle)));
      if (bytesToHex(kept.poseidonRoot) === bundle.poseidonRoot) return kept;
    } catch (error) {
      const gone = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!gone && !(error instanceof BadInputError)) throw error;
    }
    const made = await this.#parts.commit(await this.bytes(bundle));
    await this.#writeTree(bundle, made.toBytes());
    return made;
  }

  /** Whether all bytes of a bundle can be read, and are the right ones. */
  async isWhole(bundle: ShelvedBundle): Promise<boolean> {
    try {
      await this.bytes(bundle);
      return true;
    } catch (error) {
      if (error instanceof BlobNotFoundError || error instanceof WrongBytesError) return false;
      throw error;
    }
  }

  /**
   * Forgets a bundle and frees its space, unless its bytes were in the store before it came.
   *
   * @param mayGo asked at the last moment, when nothing is waited for any more: what was found out before may not hold now
   * @returns whether it was forgotten
   */
  drop(bundle: ShelvedBundle, mayGo: () => boolean = () => true): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!mayGo()) return false;
      const { shelf } = this.#parts;
      const isOwn = shelf.wereThere(bundle.cid) !== true;
      if (isOwn) shelf.move(bundle.cid);
      shelf.remove(bundle.bundleId);
      this.#open.delete(bundle.bundleId);
      await rm(this.#treePath(bundle), { force: true });
      if (isOwn) await this.#settle(bundle.cid);
      return true;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #treePath({ datasetId, bundleIndex }: Pick<ShelvedBundle, "datasetId" | "bundleIndex">): string {
    return join(this.#parts.treeFolder, `${datasetId}-${bundleIndex}.tree`);
  }

  async #writeTree(
    bundle: Pick<ShelvedBundle, "datasetId" | "bundleIndex">,
    bytes: Uint8Array,
  ): Promise<void> {
    const path = this.#treePath(bundle);
    // Not synced: one that is lost or damaged is made again from the bundle.
    await writeFile(`${path}.part`, bytes, { mode: 0o600 });
    await rename(`${path}.part`, path);
  }
}
