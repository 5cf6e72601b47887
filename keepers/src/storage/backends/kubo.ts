import { create, type KuboRPCClient } from "kubo-rpc-client";
import type { CID } from "multiformats/cid";
import {
  type BlobSource,
  type BlobStore,
  type CallOptions,
  type GetOptions,
  gatherBlob,
  type PutOptions,
  type PutResult,
} from "./backend.ts";
import { assertBlobCid, chunkBytes, parseBlobCid, sameCid } from "./blob-cid.ts";
import {
  AccessDeniedError,
  BackendUnavailableError,
  BlobNotFoundError,
  StorageFullError,
  WrongBytesError,
} from "./errors.ts";
import { ownersFolder, type StoreOwners } from "./owners.ts";
import { readBlocks } from "./verified-read.ts";

export type KuboParameters = {
  /** The node's RPC address, `http://127.0.0.1:5001/api/v0`. */
  url: string;
  /** Folder of the node's files (MFS) in which blobs are kept. */
  folder?: string;
  /** How long the node may look for a block it does not hold, in milliseconds. */
  fetchTimeout?: number;
  /** Value of the Authorization header, when the node asks for one. */
  authorization?: string;
};

/**
 * Blobs in a running Kubo node. Each is a file in a folder of the node's own file system (MFS), which keeps it from
 * garbage collection, shows it in the node's web page, and leaves the node's pins alone. Deleting removes it from the
 * folder; the bytes go when the node next collects garbage.
 */
export class KuboStore implements BlobStore, StoreOwners {
  readonly kind = "kubo";
  readonly #client: KuboRPCClient;
  readonly #folder: string;
  readonly #where: string;
  readonly #fetchTimeout: number;

  constructor({ url, folder = "/assay", fetchTimeout = 30_000, authorization }: KuboParameters) {
    this.#client = create({ url, ...(authorization === undefined ? {} : { headers: { authorization } }) });
    this.#folder = folder;
    this.#where = `the Kubo node at ${new URL(url).host}`;
    this.#fetchTimeout = fetchTimeout;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    const { bytes, layout } = await gatherBlob(source, options);
    const signal = options.signal;
    await this.#call(signal, async () => {
      const added = await this.#client.add(bytes, {
        cidVersion: 1,
        rawLeaves: true,
        chunker: `size-${chunkBytes}`,
        pin: false,
        ...(signal === undefined ? {} : { signal }),
      });
      if (added.cid.toString() !== layout.cid.toString())
        throw new WrongBytesError(layout.cid.toString(), this.#where);
      await this.#link(layout.cid, signal);
    });
    return { cid: layout.cid, size: layout.size };
  }

  async *get(cid: CID, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    assertBlobCid(cid);
    options.signal?.throwIfAborted();
    const controller = new AbortController();
    const signals = options.signal === undefined ? [controller.signal] : [controller.signal, options.signal];
    try {
      yield* readBlocks(cid, options, {
        where: this.#where,
        block: (block) => this.#block(cid, block, signals, options.signal),
      });
    } finally {
      controller.abort();
    }
  }

  async has(cid: CID, { signal }: CallOptions = {}): Promise<boolean> {
    assertBlobCid(cid);
    return this.#call(signal, async () => {
      try {
        const { cid: found } = await this.#client.files.stat(
          this.#path(cid),
          signal === undefined ? {} : { signal },
        );
        return sameCid(cid, parseBlobCid(found.toString()));
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
    });
  }

  async delete(cid: CID, options: CallOptions = {}): Promise<boolean> {
    assertBlobCid(cid);
    return this.#call(options.signal, async () => {
      try {
        await this.#client.files.rm(this.#path(cid), { ...options });
        return true;
      } catch (error) {
        if (isAbsent(error)) return false;
        throw error;
      }
    });
  }

  async *list({ signal }: CallOptions = {}): AsyncIterable<CID> {
    for (const name of await this.#names(this.#folder, signal)) {
      const cid = blobCidOrNothing(name);
      if (cid !== undefined) yield cid;
    }
  }

  async close(): Promise<void> {}

  get where(): string {
    return `${this.#where}, folder ${this.#folder}`;
  }

  owners(): Promise<string[]> {
    return this.#names(`${this.#folder}/${ownersFolder}`, undefined);
  }

  async addOwner(name: string): Promise<void> {
    const path = `${this.#folder}/${ownersFolder}/${name}`;
    await this.#call(undefined, () => this.#client.files.mkdir(path, { parents: true }));
  }

  async removeOwner(name: string): Promise<void> {
    const path = `${this.#folder}/${ownersFolder}/${name}`;
    await this.#call(undefined, async () => {
      try {
        await this.#client.files.rm(path, { recursive: true });
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    });
  }

  /** What lies in a folder of the node's files; nothing where there is none. */
  async #names(folder: string, signal: AbortSignal | undefined): Promise<string[]> {
    return await this.#call(signal, async () => {
      const names: string[] = [];
      try {
        const options = signal === undefined ? {} : { signal };
        for await (const { name } of this.#client.files.ls(folder, options)) names.push(name);
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
      return names;
    });
  }

  #path(cid: CID): string {
    return `${this.#folder}/${cid.toString()}`;
  }

  async #link(cid: CID, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#client.files.cp(`/ipfs/${cid.toString()}`, this.#path(cid), {
        parents: true,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      // Its name is its content: what is there is the same blob.
      if (!/already has entry|already exists/.test(String(error))) throw error;
    }
  }

  async #block(
    blob: CID,
    block: CID,
    signals: AbortSignal[],
    caller: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const signal = AbortSignal.any([...signals, AbortSignal.timeout(this.#fetchTimeout)]);
    try {
      return await this.#client.block.get(block, { signal });
    } catch (error) {
      caller?.throwIfAborted();
      if (signal.aborted || /not found|could not find|block was not found/.test(String(error))) {
        throw new BlobNotFoundError(blob.toString(), this.#where, { cause: error });
      }
      throw this.#translated(error);
    }
  }

  async #call<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof WrongBytesError ? error : this.#translated(error);
    }
  }

  #translated(cause: unknown): Error {
    const words = String(cause);
    if (/no space left|maximum storage limit/i.test(words))
      return new StorageFullError(this.#where, { cause });
    if (/401|403|Unauthorized|Forbidden/.test(words))
      return new AccessDeniedError(this.#where, "authorization", { cause });
    return new BackendUnavailableError(`${this.#where} failed or cannot be reached`, { cause });
  }
}

function isAbsent(error: unknown): boolean {
  return /file does not exist/.test(String(error));
}

function blobCidOrNothing(name: string): CID | undefined {
  try {
    return parseBlobCid(name);
  } catch {
    return undefined;
  }
}
