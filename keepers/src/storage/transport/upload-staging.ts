import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { StorageFullError } from "../backends/errors.ts";
import { RefusalError } from "./errors.ts";

export type StagedBundle = { datasetId: `0x${string}`; bundleIndex: number };

const namePattern = /^(0x[0-9a-f]{64})-(\d{1,10})$/;

/**
 * Bundles that are still arriving, a file each, which only grows: an upload that breaks off goes on where it stopped,
 * even after this process was killed. What is here has not been checked against any root.
 */
export class UploadStaging {
  readonly #directory: string;
  readonly #busy = new Set<string>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<UploadStaging> {
    await mkdir(directory, { recursive: true });
    return new UploadStaging(directory);
  }

  /** How many bytes of a bundle are here; 0 when none. */
  async received(bundle: StagedBundle): Promise<number> {
    try {
      return (await stat(this.#path(bundle))).size;
    } catch (error) {
      if (isAbsent(error)) return 0;
      throw error;
    }
  }

  /**
   * Appends to a bundle. When `body` throws, what came before stays.
   * @returns how many bytes are here now
   * @throws RefusalError when `offset` is not where the bundle ends here, more than `total` bytes come, or another
   *   upload of it is under way; StorageFullError
   */
  async append(
    bundle: StagedBundle,
    offset: number,
    total: number,
    body: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const path = this.#path(bundle);
    if (this.#busy.has(path)) throw new RefusalError("busy", "the bundle is being uploaded already");
    this.#busy.add(path);
    try {
      const known = await this.received(bundle);
      if (offset !== known)
        throw new RefusalError("bad-request", `the upload goes on at byte ${known}, not ${offset}`);
      const file = await open(path, "a", 0o600);
      let size = known;
      try {
        for await (const piece of body) {
          if (size + piece.length > total)
            throw new RefusalError("bad-request", "more bytes than the bundle has");
          await file.appendFile(piece);
          size += piece.length;
        }
      } finally {
        await file.sync();
        await file.close();
      }
      return size;
    } catch (error) {
      const full =
        error instanceof Error && "code" in error && /^(ENOSPC|EDQUOT|EFBIG)$/.test(String(error.code));
      throw full ? new StorageFullError(this.#directory, { cause: error }) : error;
    } finally {
      this.#busy.delete(path);
    }
  }

  /** All bytes that are here. */
  async read(bundle: StagedBundle): Promise<Uint8Array> {
    return readFile(this.#path(bundle));
  }

  /** Forgets a bundle: it was stored for good, or its bytes were wrong. */
  async remove(bundle: StagedBundle): Promise<void> {
    await rm(this.#path(bundle), { force: true });
  }

  /** The bundles that are here. */
  async list(): Promise<StagedBundle[]> {
    return (await readdir(this.#directory)).flatMap((name) => {
      const [, datasetId, bundleIndex] = namePattern.exec(name) ?? [];
      return datasetId === undefined
        ? []
        : [{ datasetId: datasetId as `0x${string}`, bundleIndex: Number(bundleIndex) }];
    });
  }

  #path({ datasetId, bundleIndex }: StagedBundle): string {
    const name = `${datasetId}-${bundleIndex}`;
    if (!namePattern.test(name)) throw new RefusalError("bad-request", "not a bundle's name");
    return join(this.#directory, name);
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
