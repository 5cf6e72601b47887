import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { withBitswap } from "@helia/bitswap";
import type { HeliaWithLibp2p } from "@helia/libp2p";
import { multiaddr } from "@multiformats/multiaddr";
import { FsBlockstore } from "blockstore-fs";
import { NextToLast } from "blockstore-fs/sharding";
import { createHeliaLight } from "helia";
import type { CID } from "multiformats/cid";
import { identity } from "multiformats/hashes/identity";
import { createHost, type Host } from "../transport/host.ts";
import { syncFolder, writeAtomically } from "./atomic-file.ts";
import {
  type BlobSource,
  type BlobStore,
  type CallOptions,
  collect,
  type GetOptions,
  gatherBlob,
  type PutOptions,
  type PutResult,
} from "./backend.ts";
import { bitswapMessageBytes } from "./bitswap-cost.ts";
import { bitswapStreams, bitswapWants, bitswapWantsKept, guardBitswap } from "./bitswap-guard.ts";
import { assertBlobCid, type BlobLayout, maxBlobBytes, parseBlobCid, parseRoot } from "./blob-cid.ts";
import { BlobNotFoundError, NotABlobCidError } from "./errors.ts";
import { FolderOwners, type StoreOwners } from "./owners.ts";
import { readBlocks } from "./verified-read.ts";

export type HeliaParameters = {
  directory: string;
  /** A running libp2p node to share with other protocols; the caller stops it. Without one the store starts its own. */
  host?: Host;
  /** Multiaddrs for a node of its own. */
  listen?: string[];
  /** How long to look for a block that is not held here, in milliseconds. */
  fetchTimeout?: number;
};

/** Where a block's file lies. */
const places = new NextToLast();

/**
 * Blobs are named by their SHA-256 alone. With the other hash that helia brings a block's name is the block itself, and bitswap
 * makes text of the name of each block that a peer sends, 25 ms for 1 MiB.
 */
const noIdentity: typeof identity = {
  ...identity,
  digest() {
    throw new NotABlobCidError("the block itself");
  },
};

/** Blocks in flight to the disk while a blob is written. */
const writesAtOnce = 8;

/**
 * Blobs as IPFS blocks in an embedded helia node, served to any IPFS peer by bitswap, and fetched by bitswap when this
 * node does not hold them. `blocks/` is a blockstore-fs; `roots/<CID>` records that a blob is complete, and holds its
 * root block, so that what the blobs share is known without walking them.
 */
export class HeliaStore implements BlobStore, StoreOwners {
  readonly where: string;
  readonly #owners: FolderOwners;
  readonly kind = "helia";
  readonly host: Host;
  readonly #helia: HeliaWithLibp2p<Host["services"]>;
  readonly #blocks: FsBlockstore;
  readonly #blockFolder: string;
  readonly #roots: string;
  readonly #ownsHost: boolean;
  readonly #fetchTimeout: number;
  readonly #held = new Map<string, BlobLayout>();
  /** How many held blobs contain a block. */
  readonly #uses = new Map<string, number>();
  /** Blocks that are asked for now, and who waits to ask for one. */
  #wants = 0;
  readonly #waiting: (() => void)[] = [];
  /** Changes to what is held happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    parameters: HeliaParameters,
    host: Host,
    helia: HeliaWithLibp2p<Host["services"]>,
    blocks: FsBlockstore,
  ) {
    this.where = parameters.directory;
    this.#owners = new FolderOwners(parameters.directory);
    this.host = host;
    this.#helia = helia;
    this.#blocks = blocks;
    this.#blockFolder = join(parameters.directory, "blocks");
    this.#roots = join(parameters.directory, "roots");
    this.#ownsHost = parameters.host === undefined;
    this.#fetchTimeout = parameters.fetchTimeout ?? 30_000;
  }

  /** Opens a directory, which is made when absent, and drops blocks that belong to no complete blob. */
  static async open(parameters: HeliaParameters): Promise<HeliaStore> {
    const blocks = new FsBlockstore(join(parameters.directory, "blocks"), { shardingStrategy: places });
    await mkdir(join(parameters.directory, "roots"), { recursive: true, mode: 0o700 });
    await blocks.open();
    // A node of its own dials nobody but whom its operator connects it to.
    const host =
      parameters.host ?? (await createHost({ listen: parameters.listen ?? [], localNetwork: true }));
    const light = Object.assign(createHeliaLight({ blockstore: blocks, hashers: [noIdentity] }), {
      libp2p: guardBitswap(host),
    });
    // The library's types write it with a small l, and its code does not.
    const kept: object = { maxWantListSize: bitswapWantsKept };
    const helia = withBitswap<Host["services"]>(light, {
      ...kept,
      // Bundles come in runs of 248 KiB blocks: waiting to gather more wants only adds 20 ms to each.
      sendBlocksDebounce: 0,
      sendWantlistDebounce: 0,
      maxInboundStreams: bitswapStreams,
      maxIncomingMessageSize: bitswapMessageBytes,
    });
    const store = new HeliaStore(parameters, host, helia, blocks);
    await store.#load();
    await store.collectGarbage();
    await helia.start();
    return store;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    const { bytes, layout } = await gatherBlob(source, options);
    return this.#inTurn(async () => {
      try {
        for (let first = 0; first < layout.chunks.length; first += writesAtOnce) {
          options.signal?.throwIfAborted();
          const some = layout.chunks.slice(first, first + writesAtOnce);
          await Promise.all(
            some.map((c) => this.#write(c.cid, bytes.subarray(c.offset, c.offset + c.length))),
          );
        }
        if (layout.root !== undefined) await this.#write(layout.cid, layout.root);
        await this.#sync(layout);
        await this.#record(layout);
      } catch (error) {
        // Nothing unfinished stays, least of all on a full disk.
        for (const block of blocksOf(layout))
          if (!this.#uses.has(hashOf(block))) await this.#blocks.delete(block);
        throw error;
      }
      return { cid: layout.cid, size: layout.size };
    });
  }

  async *get(cid: CID, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    assertBlobCid(cid);
    options.signal?.throwIfAborted();
    const held = this.#held.get(cid.toString());
    if (held !== undefined) {
      yield* readBlocks(cid, options, {
        where: "the block store on disk",
        block: async (block) => (held.root !== undefined && block === cid ? held.root : this.#local(block)),
      });
      return;
    }
    const controller = new AbortController();
    const signals = options.signal === undefined ? [controller.signal] : [controller.signal, options.signal];
    try {
      yield* readBlocks(cid, options, {
        where: "an IPFS peer",
        block: (block) => this.#remote(cid, block, signals, options.signal),
      });
    } finally {
      controller.abort();
    }
  }

  async has(cid: CID): Promise<boolean> {
    assertBlobCid(cid);
    return this.#held.has(cid.toString());
  }

  async delete(cid: CID): Promise<boolean> {
    assertBlobCid(cid);
    return this.#inTurn(async () => {
      const layout = this.#held.get(cid.toString());
      if (layout === undefined) return false;
      await rm(join(this.#roots, cid.toString()), { force: true });
      this.#held.delete(cid.toString());
      for (const block of blocksOf(layout)) {
        if (this.#count(block, -1) === 0) await this.#blocks.delete(block);
      }
      return true;
    });
  }

  async *list({ signal }: CallOptions = {}): AsyncIterable<CID> {
    for (const { cid } of [...this.#held.values()]) {
      signal?.throwIfAborted();
      yield cid;
    }
  }

  /** Connects to an IPFS peer, so that bitswap asks it. */
  async connect(address: string, options: CallOptions = {}): Promise<void> {
    const connection = await this.host.dial(multiaddr(address), options);
    // Bitswap hears of a peer when that has said which protocols it has.
    await this.host.services.identify.identify(connection, options);
  }

  /** Removes blocks of no held blob: the rest of killed uploads, and what was fetched for others. */
  async collectGarbage(): Promise<number> {
    return this.#inTurn(async () => {
      let removed = 0;
      for await (const { cid } of this.#blocks.getAll()) {
        // The store on disk knows a block by its hash alone and returns every CID as raw.
        if (this.#uses.has(hashOf(cid))) continue;
        await this.#blocks.delete(cid);
        removed++;
      }
      return removed;
    });
  }

  owners(): Promise<string[]> {
    return this.#owners.owners();
  }

  addOwner(name: string): Promise<void> {
    return this.#owners.addOwner(name);
  }

  removeOwner(name: string): Promise<void> {
    return this.#owners.removeOwner(name);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#helia.stop();
    if (this.#ownsHost) await this.host.stop();
    // Stopping helia leaves the block store open.
    await this.#blocks.close();
  }

  async #load(): Promise<void> {
    for (const name of await readdir(this.#roots)) {
      if (name.endsWith(".tmp")) {
        await rm(join(this.#roots, name), { force: true });
        continue;
      }
      const cid = parseBlobCid(name);
      const root = await readFile(join(this.#roots, name));
      this.#hold(root.length === 0 ? singleLayout(cid) : parseRoot(cid, root, "the list of held blobs"));
    }
  }

  async #record(layout: BlobLayout): Promise<void> {
    if (this.#held.has(layout.cid.toString())) return;
    await writeAtomically(
      join(this.#roots, layout.cid.toString()),
      layout.root ?? new Uint8Array(0),
      this.#roots,
    );
    await syncFolder(this.#roots);
    this.#hold(layout);
  }

  #hold(layout: BlobLayout): void {
    this.#held.set(layout.cid.toString(), layout);
    for (const block of blocksOf(layout)) this.#count(block, 1);
  }

  #count(block: CID, change: number): number {
    const key = hashOf(block);
    const uses = (this.#uses.get(key) ?? 0) + change;
    if (uses === 0) this.#uses.delete(key);
    else this.#uses.set(key, uses);
    return uses;
  }

  /**
   * Puts a block on disk, so that it is there after a power cut, too: whoever asked for it to be stored signs for it next.
   * @throws StorageFullError
   */
  async #write(cid: CID, block: Uint8Array): Promise<void> {
    const { dir, file } = places.encode(cid);
    await mkdir(join(this.#blockFolder, dir), { recursive: true, mode: 0o700 });
    // Always written, even when there: a damaged copy is healed by storing the blob again.
    await writeAtomically(join(this.#blockFolder, dir, file), block, this.#roots);
  }

  /** The names of a blob's blocks, and of the folders they lie in. */
  async #sync(layout: BlobLayout): Promise<void> {
    const folders = new Set(
      blocksOf(layout).map((block) => join(this.#blockFolder, places.encode(block).dir)),
    );
    await Promise.all([...folders].map(syncFolder));
    await syncFolder(this.#blockFolder);
  }

  async #local(cid: CID): Promise<Uint8Array> {
    try {
      return await collect(this.#blocks.get(cid));
    } catch (error) {
      throw new BlobNotFoundError(cid.toString(), "the block store on disk", { cause: error });
    }
  }

  async #remote(
    blob: CID,
    block: CID,
    signals: AbortSignal[],
    caller: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    while (this.#wants >= bitswapWants) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#wants++;
    const signal = AbortSignal.any([...signals, AbortSignal.timeout(this.#fetchTimeout)]);
    try {
      return await collect(this.#helia.blockstore.get(block, { signal }), maxBlobBytes);
    } catch (error) {
      caller?.throwIfAborted();
      throw new BlobNotFoundError(blob.toString(), "any connected IPFS peer", { cause: error });
    } finally {
      this.#wants--;
      this.#waiting.shift()?.();
    }
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function blocksOf(layout: BlobLayout): CID[] {
  const chunks = layout.chunks.map((chunk) => chunk.cid);
  return layout.root === undefined ? chunks : [...chunks, layout.cid];
}

function singleLayout(cid: CID): BlobLayout {
  return { cid, size: 0, chunks: [{ cid, offset: 0, length: 0 }], root: undefined };
}

function hashOf(cid: CID): string {
  return Buffer.from(cid.multihash.digest).toString("base64");
}
