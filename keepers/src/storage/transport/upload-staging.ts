import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { StorageFullError } from "../backends/errors.ts";
import { RefusalError } from "./errors.ts";

/**
 * A peer as staged and shelved bundles name it: 32 hexadecimal digits, whatever characters its id has.
 * @param peer its id
 */
export function senderOf(peer: string): string {
  return createHash("sha256").update(peer).digest("hex").slice(0, 32);
}

/** A bundle that arrives. */
export type StagedBundle = {
  datasetId: `0x${string}`;
  bundleIndex: number;
  /** Who sends it, as {@link senderOf} has it: what several send of one bundle lies apart. */
  sender?: string;
};

const namePattern = /^(0x[0-9a-f]{64})-(\d{1,10})(?:-([0-9a-f]{32}))?$/;
/** Bytes that are written together: a write for each piece would take the more time the shorter they are. */
const writtenAtOnce = 64 * 1024;
/** Of a bundle that somebody sends from its first byte while part of it is here. */
const afresh = ".afresh";

/**
 * Bundles that are still arriving, a file for each and its sender, which only grows: an upload that breaks off goes on where it
 * stopped, even after this process was killed. What is here has not been checked against any root.
 */
export class UploadStaging {
  readonly #directory: string;
  readonly #turns = new Map<string, Promise<void>>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<UploadStaging> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // Of a process that was killed.
    for (const name of await readdir(directory)) {
      if (name.endsWith(afresh)) await rm(join(directory, name), { force: true });
    }
    return new UploadStaging(directory);
  }

  /** How many bytes of a bundle are here; 0 when none. */
  async received(bundle: StagedBundle): Promise<number> {
    return sizeOf(this.#path(bundle));
  }

  /**
   * Runs an action on what one sender sends of a bundle after all earlier ones on it have ended. An upload that goes on after a
   * broken connection must wait here for the remains of the broken one, and a finished bundle must be stored and removed in the
   * same turn. Nobody waits for another sender.
   */
  async exclusive<T>(bundle: StagedBundle, action: () => Promise<T>): Promise<T> {
    const path = this.#path(bundle);
    const turn = (this.#turns.get(path) ?? Promise.resolve()).then(action);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(path, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(path) === settled) this.#turns.delete(path);
    }
  }

  /** Whether something is done with a bundle now. */
  isBusy(bundle: StagedBundle): boolean {
    return this.#turns.has(this.#path(bundle));
  }

  /**
   * Appends to a bundle, inside {@link exclusive}; bytes that are here already are skipped. When `body` throws, what
   * came before stays.
   * @returns how many bytes are here now
   * @throws RefusalError when `offset` leaves a gap or more than `total` bytes come; StorageFullError
   */
  async append(
    bundle: StagedBundle,
    offset: number,
    total: number,
    body: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    return await this.#write(this.#path(bundle), offset, total, body);
  }

  /**
   * Takes a whole bundle from its first byte, inside {@link exclusive}, beside what is here of it: the longer of the two stays. So a
   * beginning that somebody else has sent spoils nothing, and a new beginning that breaks off loses nothing.
   * @returns how many bytes are here now
   * @throws as {@link append}
   */
  async replace(bundle: StagedBundle, total: number, body: AsyncIterable<Uint8Array>): Promise<number> {
    const path = this.#path(bundle);
    try {
      await this.#write(path + afresh, 0, total, body);
    } finally {
      const [before, now] = [await sizeOf(path), await sizeOf(path + afresh)];
      if (now > 0 && now >= before) await rename(path + afresh, path);
      else await rm(path + afresh, { force: true });
    }
    return await sizeOf(path);
  }

  async #write(
    path: string,
    offset: number,
    total: number,
    body: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    let size = await sizeOf(path);
    if (offset > size)
      throw new RefusalError("bad-request", `the upload goes on at byte ${size}, not ${offset}`);
    try {
      const file = await open(path, "a", 0o600);
      const unwritten: Uint8Array[] = [];
      let waiting = 0;
      const write = async () => {
        if (waiting === 0) return;
        const bytes = Buffer.concat(unwritten.splice(0));
        waiting = 0;
        await file.appendFile(bytes);
        size += bytes.length;
      };
      try {
        let position = offset;
        for await (const piece of body) {
          const fresh = piece.subarray(Math.min(piece.length, Math.max(0, size + waiting - position)));
          position += piece.length;
          if (position > total) throw new RefusalError("bad-request", "more bytes than the bundle has");
          unwritten.push(fresh);
          waiting += fresh.length;
          if (waiting >= writtenAtOnce) await write();
        }
      } finally {
        try {
          await write();
          await file.sync();
        } finally {
          await file.close();
        }
      }
      return size;
    } catch (error) {
      const full =
        error instanceof Error && "code" in error && /^(ENOSPC|EDQUOT|EFBIG)$/.test(String(error.code));
      throw full ? new StorageFullError(this.#directory, { cause: error }) : error;
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
      const [, datasetId, bundleIndex, sender] = namePattern.exec(name) ?? [];
      if (datasetId === undefined) return [];
      const bundle = { datasetId: datasetId as `0x${string}`, bundleIndex: Number(bundleIndex) };
      return [sender === undefined ? bundle : { ...bundle, sender }];
    });
  }

  #path({ datasetId, bundleIndex, sender }: StagedBundle): string {
    const name = [datasetId, bundleIndex, ...(sender === undefined ? [] : [sender])].join("-");
    if (!namePattern.test(name)) throw new RefusalError("bad-request", "not a bundle's name");
    return join(this.#directory, name);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return 0;
    throw error;
  }
}
