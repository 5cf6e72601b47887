import { access, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import { privateFolder } from "../state/private-folder.ts";
import type { StorageClient } from "./client.ts";
import { readAnchor } from "./dataset.ts";
import { keepManifest } from "./get.ts";
import { BundleStash } from "./stash.ts";

/** Part of a disk that is left free: whoever stores a result chooses how large it is. */
const freeShare = 10;

/**
 * Bundles of results that were fetched and checked, with their manifests, in the form in which `get` goes on with them: who served
 * a result once need not serve it again.
 */
export class KeptResults {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Where a result lies that was kept; undefined when it was not. Its bundles are in a folder with its id in there. */
  async directoryOf(datasetId: Hex): Promise<string | undefined> {
    return await access(join(this.#folder, datasetId)).then(
      () => this.#folder,
      () => undefined,
    );
  }

  /** The bundles of a result that were kept; undefined when none were. */
  async opened(datasetId: Hex): Promise<BundleStash | undefined> {
    const folder = await this.directoryOf(datasetId);
    return folder === undefined ? undefined : await BundleStash.open(join(folder, datasetId));
  }

  /** Where bundles of a result are kept; undefined when there is no room for so many bytes. */
  async stash(datasetId: Hex, bytes: number): Promise<BundleStash | undefined> {
    await privateFolder(this.#folder);
    const { bavail, blocks, bsize } = await statfs(this.#folder);
    const isKnown = (await this.directoryOf(datasetId)) !== undefined;
    if (!isKnown && bytes > (bavail - blocks / freeShare) * bsize) return undefined;
    return await BundleStash.open(join(this.#folder, datasetId));
  }

  /**
   * Keeps the manifest beside the bundles.
   * @throws ManifestUnavailableError, ManifestMismatchError
   */
  async manifest(client: StorageClient, datasetId: Hex, signal?: AbortSignal): Promise<void> {
    const stash = await BundleStash.open(join(this.#folder, datasetId));
    await keepManifest(client, await readAnchor(client, datasetId), stash, signal);
  }

  async remove(datasetId: Hex): Promise<void> {
    await rm(join(this.#folder, datasetId), { recursive: true, force: true });
  }
}
