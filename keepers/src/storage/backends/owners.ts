import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AssayError, exitCode } from "../../core/errors.ts";
import { syncFolder } from "./atomic-file.ts";

/** Where the names of owners are noted, beside the blobs. */
export const ownersFolder = "owners";
/** What a name may consist of: it is a file's, an object's and a folder's. */
const namePattern = /^[a-z0-9-]{1,200}$/;

/** Who keeps blobs in a store. */
export interface StoreOwners {
  /** Where the blobs are, for a message. */
  readonly where: string;
  /** The names that are noted, in no particular order. */
  owners(): Promise<string[]>;
  /** Notes a name; afterwards {@link owners} has it, whoever asks. Noting it again is harmless. */
  addOwner(name: string): Promise<void>;
  removeOwner(name: string): Promise<void>;
}

/** Another keeper has its bundles in a store. */
export class StoreTakenError extends AssayError {
  override readonly name: string = "StoreTakenError";

  constructor(where: string, owner: string) {
    super(`another keeper has its bundles in ${where}: ${owner}`, {
      kept: "Nothing was changed there.",
      next:
        "Give each keeper a folder, bucket or prefix of its own, and copy there what it holds already. " +
        `Where that keeper is gone for good, remove ${ownersFolder}/${owner} there.`,
      exitCode: exitCode.configuration,
    });
  }
}

/**
 * Makes a store one keeper's. Equal bundles have one blob: a keeper that drops a bundle, which any stranger may have brought,
 * deletes the blob of every other one that has its bundles in the same place.
 *
 * @param owner name of the keeper, of lower-case letters, digits and dashes
 * @throws StoreTakenError where another one was first; whatever the store throws
 */
export async function claimStore(store: StoreOwners, owner: string): Promise<void> {
  if (!namePattern.test(owner)) throw new Error(`${owner} is no owner's name`);
  const before = await store.owners();
  if (!before.includes(owner)) {
    // Nothing is noted by whoever comes second: it must not be found there by the first.
    const [other] = before.sort();
    if (other !== undefined) throw new StoreTakenError(store.where, other);
    await store.addOwner(owner);
  }
  // Of several that begin at the same moment one stays, the same for all of them.
  const [first] = (await store.owners()).sort();
  if (first === owner) return;
  await store.removeOwner(owner);
  throw new StoreTakenError(store.where, first ?? "it forgot what was noted");
}

/** Owners as files of a folder of their own. */
export class FolderOwners {
  readonly #folder: string;

  /** @param directory that of the store */
  constructor(directory: string) {
    this.#folder = join(directory, ownersFolder);
  }

  async owners(): Promise<string[]> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return (await readdir(this.#folder)).filter((name) => namePattern.test(name));
  }

  async addOwner(name: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(join(this.#folder, name), "", { mode: 0o600 });
    await syncFolder(this.#folder);
  }

  async removeOwner(name: string): Promise<void> {
    await rm(join(this.#folder, name), { force: true });
  }
}
