import type { CID } from "multiformats/cid";
import type { BlobStore, CallOptions, GetOptions } from "../../storage/backends/backend.ts";
import type { GatewayStore } from "../../storage/gateway.ts";
import type { Shelf } from "./shelf.ts";

/** What a node shows to anybody by its CID: bundles, which lie in its store, and manifests, which lie on its shelf. */
export class PublicBlobs implements GatewayStore {
  readonly #shelf: Shelf;
  readonly #store: BlobStore;

  constructor(shelf: Shelf, store: BlobStore) {
    this.#shelf = shelf;
    this.#store = store;
  }

  async has(cid: CID, options?: CallOptions): Promise<boolean> {
    return this.#manifest(cid) !== undefined || (await this.#store.has(cid, options));
  }

  async *get(cid: CID, options?: GetOptions): AsyncIterable<Uint8Array> {
    const manifest = this.#manifest(cid);
    if (manifest === undefined) {
      yield* this.#store.get(cid, options);
      return;
    }
    const { offset = 0, length = manifest.length - offset } = options ?? {};
    yield manifest.subarray(offset, offset + length);
  }

  #manifest(cid: CID): Uint8Array | undefined {
    return this.#shelf.manifestBy(cid.toString());
  }
}
