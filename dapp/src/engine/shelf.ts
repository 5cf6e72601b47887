import type { BundleEntry } from "../../../keepers/src/core/dataset/build.ts";
import { AssayError } from "../../../keepers/src/core/errors.ts";

/** Datasets that are kept, finished or not: the oldest makes room for a new one. */
const mostShelves = 4;
const folderName = "assay-datasets";

/** The browser has no room, or keeps no files for pages. */
export class ShelfError extends AssayError {
  override readonly name: string = "ShelfError";
}

/**
 * What encoding a dataset has come to, in the browser's own file system: bundles, and what their commitments are. A file has
 * its whole content or none, so that a page that was closed in between finds every bundle that it had finished.
 */
export class Shelf {
  readonly name: string;
  readonly #folder: FileSystemDirectoryHandle;

  private constructor(name: string, folder: FileSystemDirectoryHandle) {
    this.name = name;
    this.#folder = folder;
  }

  /** Opens a shelf, an old one or a new one. @throws ShelfError */
  static async open(name: string): Promise<Shelf> {
    try {
      const all = await shelvesFolder();
      await makeRoom(all, name);
      return new Shelf(name, await all.getDirectoryHandle(name, { create: true }));
    } catch (cause) {
      throw shelfError(cause);
    }
  }

  /** What is known of a bundle whose bytes are here; undefined when it was not finished. */
  async entry(bundleIndex: number): Promise<BundleEntry | undefined> {
    const text = await this.#read(entryFile(bundleIndex)).then(
      (file) => file.text(),
      () => undefined,
    );
    // One that was begun and not closed is there, and empty.
    return text === undefined || text === "" ? undefined : (JSON.parse(text) as BundleEntry);
  }

  /** Keeps a bundle, its entry last. @throws ShelfError when there is no room */
  async keep(bundleIndex: number, bytes: Uint8Array, entry: BundleEntry): Promise<void> {
    try {
      await this.#write(bundleFile(bundleIndex), bytes as Uint8Array<ArrayBuffer>);
      await this.#write(entryFile(bundleIndex), JSON.stringify(entry));
    } catch (cause) {
      throw shelfError(cause);
    }
  }

  /** The bytes of a bundle that was kept. */
  bundle(bundleIndex: number): Promise<File> {
    return this.#read(bundleFile(bundleIndex));
  }

  /** A text that is kept beside the bundles; undefined when there is none. */
  async note(name: string): Promise<string | undefined> {
    return await this.#read(name).then(
      (file) => file.text(),
      () => undefined,
    );
  }

  /** @throws ShelfError when there is no room */
  async writeNote(name: string, text: string): Promise<void> {
    try {
      await this.#write(name, text);
    } catch (cause) {
      throw shelfError(cause);
    }
  }

  async remove(): Promise<void> {
    await (await shelvesFolder()).removeEntry(this.name, { recursive: true });
  }

  async #read(name: string): Promise<File> {
    return await (await this.#folder.getFileHandle(name)).getFile();
  }

  async #write(name: string, content: Uint8Array<ArrayBuffer> | string): Promise<void> {
    const file = await this.#folder.getFileHandle(name, { create: true });
    const writable = await file.createWritable();
    try {
      await writable.write(content);
    } catch (error) {
      await writable.abort().catch(() => undefined);
      throw error;
    }
    await writable.close();
  }
}

async function shelvesFolder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return await root.getDirectoryHandle(folderName, { create: true });
}

/** Removes the shelves that were written to longest ago, but for `kept`. */
async function makeRoom(all: FileSystemDirectoryHandle, kept: string): Promise<void> {
  const others: { readonly name: string; readonly written: number }[] = [];
  for await (const [name, handle] of all.entries()) {
    if (name === kept || handle.kind !== "directory") continue;
    const first = await (handle as FileSystemDirectoryHandle).getFileHandle(entryFile(0)).then(
      (file) => file.getFile(),
      () => undefined,
    );
    others.push({ name, written: first?.lastModified ?? 0 });
  }
  others.sort((a, b) => b.written - a.written);
  for (const { name } of others.slice(mostShelves - 1)) await all.removeEntry(name, { recursive: true });
}

function bundleFile(bundleIndex: number): string {
  return `${String(bundleIndex).padStart(5, "0")}.bundle`;
}

function entryFile(bundleIndex: number): string {
  return `${String(bundleIndex).padStart(5, "0")}.entry`;
}

function shelfError(cause: unknown): ShelfError {
  if (cause instanceof DOMException && cause.name === "QuotaExceededError") {
    return new ShelfError("The browser has no more room for the bundles of this dataset.", {
      kept: "The bundles that were finished are kept.",
      next: "Free disk space, or encode it with the command line.",
      cause,
    });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ShelfError(`The browser could not keep the bundles: ${reason}.`, {
    next: "Leave private browsing, or allow this page to keep data.",
    cause,
  });
}
