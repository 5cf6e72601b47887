import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ByteRange } from "../../core/dataset/layout.ts";
import { StagingError } from "./errors.ts";
import { transportRootOf } from "./roots.ts";

/**
 * The manifest, and bundles that were downloaded and checked, a file each, so that a dataset larger than memory can be
 * decoded, an interrupted download goes on, and what is here whole is read again without its holders. Bytes read back are
 * checked again by their hashes.
 */
export class BundleStash {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws StagingError */
  static async open(directory: string): Promise<BundleStash> {
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new StagingError(directory, cause, kept);
    }
    return new BundleStash(directory);
  }

  /** Whether the bundle is here and still has its root. */
  async has(bundleIndex: number, transportRoot: string): Promise<boolean> {
    try {
      return transportRootOf(await readFile(this.#path(bundleIndex))) === transportRoot;
    } catch {
      return false;
    }
  }

  /** @throws StagingError when the disk is full */
  async add(bundleIndex: number, bytes: Uint8Array): Promise<void> {
    await this.#write(this.#path(bundleIndex), bytes);
  }

  /** The manifest that was kept; undefined when there is none. Whoever reads it checks it. */
  async manifest(): Promise<Uint8Array | undefined> {
    return await readFile(this.#manifestPath).catch(() => undefined);
  }

  /** @throws StagingError when the disk is full */
  async keepManifest(bytes: Uint8Array): Promise<void> {
    await this.#write(this.#manifestPath, bytes);
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    try {
      const file = await open(`${path}.part`, "w", 0o600);
      try {
        await file.writeFile(bytes);
      } finally {
        await file.close();
      }
      await rename(`${path}.part`, path);
    } catch (cause) {
      await rm(`${path}.part`, { force: true }).catch(() => undefined);
      throw new StagingError(this.#directory, cause, kept);
    }
  }

  /** A range of a bundle that is here. */
  async read(bundleIndex: number, { start, end }: ByteRange): Promise<Uint8Array> {
    const file = await open(this.#path(bundleIndex), "r");
    try {
      const bytes = new Uint8Array(end - start);
      for (let filled = 0; filled < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0)
          throw new StagingError(this.#directory, new Error("a bundle was cut short"), kept);
        filled += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #manifestPath(): string {
    return join(this.#directory, "manifest.json");
  }

  #path(bundleIndex: number): string {
    return join(this.#directory, `${bundleIndex}.bundle`);
  }
}

const kept = "Nothing was written to the target; bundles that were downloaded completely are kept.";
