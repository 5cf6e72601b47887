import type { BundleEntry } from "../../../keepers/src/core/dataset/build.ts";
import { AssayError } from "../../../keepers/src/core/errors.ts";

/** Datasets that are kept, finished or not: the oldest makes room for a new one. */
const mostShelves = 4;
const folderName = "assay-datasets";

const aboutFile = "about";
/** What an upload remembers, named by its dataset's id. */
const uploadEnding = ".upload";
/** Whether those who hold a dataset on chain have given cells of every bundle back, named by its id. */
const readBackEnding = ".read-back";
/** Milliseconds that the receipts of an upload are good for, at most: a day. */
const receiptsLast = 86_400_000;
/** Milliseconds that a call waits for another one that is giving a shelf up. */
const handOver = 3_000;
const entryEnding = ".entry";
/** What stands in the note of a dataset that was read back. */
const given = "given";

/** A shelf as it is listed. */
export type Shelved = {
  readonly name: string;
  /** What the visitor chose: a folder's name, or a file's. */
  readonly title: string;
  /** Bundles that are finished. */
  readonly bundles: number;
  /** When it was last written to, in milliseconds since 1970. */
  readonly written: number;
  /**
   * Why it should be kept: storage nodes have signed for bundles of it lately; or they hold them, and have not given them
   * back.
   */
  readonly need: "signed" | "unread" | undefined;
};

/** Two tabs that write to one shelf would each believe in what the other overwrites. */
export class ShelfInUseError extends AssayError {
  override readonly name: string = "ShelfInUseError";

  constructor() {
    super("This dataset is being encoded or sent in another tab.", {
      next: "Go on there, or close that tab.",
    });
  }
}

/** Does something with a shelf while nothing else does; what has just been cancelled is waited for. @throws ShelfInUseError */
export async function withShelf<T>(name: string, work: () => Promise<T>): Promise<T> {
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(new ShelfInUseError()), handOver);
  return await navigator.locks.request(`assay-${name}`, { signal: waiting.signal }, () => {
    clearTimeout(timer);
    return work();
  });
}

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

  /** Opens a shelf, an old one or a new one, and writes on it what it is for. @throws ShelfError */
  static async open(name: string, title?: string): Promise<Shelf> {
    try {
      const all = await shelvesFolder();
      await makeRoom(all, name);
      const shelf = new Shelf(name, await all.getDirectoryHandle(name, { create: true }));
      if (title !== undefined) await shelf.#write(aboutFile, title);
      return shelf;
    } catch (cause) {
      throw shelfError(cause);
    }
  }

  /** Opens a shelf that was filled before. @throws ShelfError when it is not there any more */
  static async find(name: string): Promise<Shelf> {
    try {
      return new Shelf(name, await (await shelvesFolder()).getDirectoryHandle(name));
    } catch (cause) {
      throw new ShelfError("The bundles of this dataset are not kept in this browser any more.", {
        kept: "What storage nodes have taken, and what is on chain, stays there.",
        next: "Choose the same files again, and encode them.",
        cause,
      });
    }
  }

  /** All shelves, those written to last first; none where the browser keeps no files for pages. */
  static async list(): Promise<Shelved[]> {
    try {
      return await listShelves(await shelvesFolder());
    } catch {
      return [];
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

  /** What an upload of a dataset has written down; undefined when there is nothing. */
  async uploadNote(datasetId: string): Promise<string | undefined> {
    return await this.#read(`${datasetId}${uploadEnding}`).then(
      (file) => file.text(),
      () => undefined,
    );
  }

  /** @throws ShelfError when there is no room */
  async writeUploadNote(datasetId: string, text: string): Promise<void> {
    try {
      await this.#write(`${datasetId}${uploadEnding}`, text);
    } catch (cause) {
      throw shelfError(cause);
    }
  }

  /**
   * Ids of the datasets of which bundles of this shelf were sent, the last one first: words in a manifest make another dataset
   * of the same bundles.
   */
  async uploads(): Promise<string[]> {
    const found: { id: string; written: number }[] = [];
    for await (const name of this.#folder.keys()) {
      if (!name.endsWith(uploadEnding)) continue;
      const { lastModified: written } = await this.#read(name);
      found.push({ id: name.slice(0, -uploadEnding.length), written });
    }
    return found.sort((a, b) => b.written - a.written).map(({ id }) => id);
  }

  /** Writes down whether whoever holds a dataset has given cells of every bundle back. @throws ShelfError when there is no room */
  async noteReadBack(datasetId: string, isGiven: boolean): Promise<void> {
    try {
      await this.#write(`${datasetId}${readBackEnding}`, isGiven ? given : "not yet");
    } catch (cause) {
      throw shelfError(cause);
    }
  }

  /** @throws ShelfInUseError */
  static async remove(name: string): Promise<void> {
    await withShelf(name, async () => (await shelvesFolder()).removeEntry(name, { recursive: true }));
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

async function listShelves(all: FileSystemDirectoryHandle): Promise<Shelved[]> {
  const shelves: Shelved[] = [];
  for await (const [name, handle] of all.entries()) {
    if (handle.kind !== "directory") continue;
    let bundles = 0;
    let written = 0;
    let title = name;
    /** When uploads were last written to, by the ids of their datasets; and of which datasets it is known who has the bytes. */
    const uploads = new Map<string, number>();
    const readBack = new Map<string, boolean>();
    for await (const [fileName, entry] of (handle as FileSystemDirectoryHandle).entries()) {
      if (entry.kind !== "file") continue;
      const file = await (entry as FileSystemFileHandle).getFile();
      written = Math.max(written, file.lastModified);
      // One that was begun and not closed is there, and empty.
      if (fileName.endsWith(entryEnding) && file.size > 0) bundles++;
      if (fileName.endsWith(uploadEnding))
        uploads.set(fileName.slice(0, -uploadEnding.length), file.lastModified);
      if (fileName.endsWith(readBackEnding))
        readBack.set(fileName.slice(0, -readBackEnding.length), (await file.text()) === given);
      if (fileName === aboutFile && file.size > 0) title = await file.text();
    }
    shelves.push({ name, title, bundles, written, need: needOf(uploads, readBack) });
  }
  return shelves.sort((a, b) => b.written - a.written);
}

function needOf(
  uploads: ReadonlyMap<string, number>,
  readBack: ReadonlyMap<string, boolean>,
): Shelved["need"] {
  if ([...readBack.values()].includes(false)) return "unread";
  const isSigned = [...uploads].some(([id, at]) => !readBack.has(id) && at > Date.now() - receiptsLast);
  return isSigned ? "signed" : undefined;
}

/**
 * Removes the shelves that were written to longest ago, but for `kept`, those that another tab is at work on, those with
 * receipts that may have been paid for, and those of which nobody else has been seen to have the bytes.
 */
async function makeRoom(all: FileSystemDirectoryHandle, kept: string): Promise<void> {
  const others = (await listShelves(all)).filter(({ name }) => name !== kept);
  for (const { name, need } of others.slice(mostShelves - 1)) {
    if (need !== undefined) continue;
    await Shelf.remove(name).catch((error: unknown) => {
      if (!(error instanceof ShelfInUseError)) throw error;
    });
  }
}

function bundleFile(bundleIndex: number): string {
  return `${String(bundleIndex).padStart(5, "0")}.bundle`;
}

function entryFile(bundleIndex: number): string {
  return `${String(bundleIndex).padStart(5, "0")}${entryEnding}`;
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
