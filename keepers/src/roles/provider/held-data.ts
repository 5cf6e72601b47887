import { access, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";

export type HeldDataParts = {
  /** Folder of everything that belongs to jobs. */
  readonly folder: string;
  /** Orders whose data is kept without a bid for them, at most: anybody may post orders. */
  readonly most: number;
};

/**
 * What was fetched, whole and checked, of the orders that were found good. A provider bids only for what lies here: nothing that
 * a holder does afterwards keeps it from locking the job, and nothing would excuse it.
 */
export class HeldData {
  readonly #folder: string;
  readonly #most: number;

  constructor({ folder, most }: HeldDataParts) {
    this.#folder = join(folder, "orders");
    this.#most = most;
  }

  /** Folder in which an order's data is fetched. What is there from an earlier try is gone on with. */
  async begin(orderHash: Hex): Promise<string> {
    const path = join(this.#folder, `${orderHash}.part`);
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Keeps what was fetched into `begin`'s folder: from now on it is held. */
  async keep(orderHash: Hex): Promise<void> {
    await rename(join(this.#folder, `${orderHash}.part`), this.#pathOf(orderHash));
  }

  /** Drops what was fetched into `begin`'s folder. */
  async drop(orderHash: Hex): Promise<void> {
    await rm(join(this.#folder, `${orderHash}.part`), { recursive: true, force: true });
  }

  /** Whether all that an order needs is here. */
  has(orderHash: Hex): Promise<boolean> {
    return isThere(this.#pathOf(orderHash));
  }

  /** Hands the data over to the run of the job that was won: it becomes the folder `own`, unless that is there already. */
  async handOver(orderHash: Hex, own: string): Promise<void> {
    if (!(await isThere(own)) && (await this.has(orderHash))) await rename(this.#pathOf(orderHash), own);
  }

  /**
   * Gives back the room of what is not needed any more.
   *
   * @param needOf "bound" for an order that was bid for, "open" for one that may still be, "none" for any other
   */
  async sweep(needOf: (orderHash: Hex) => "bound" | "open" | "none"): Promise<void> {
    const open: { readonly path: string; readonly since: number }[] = [];
    for (const name of await readdir(this.#folder).catch(() => [])) {
      if (name.endsWith(".part")) continue;
      const path = join(this.#folder, name);
      const need = needOf(name as Hex);
      if (need === "none") await rm(path, { recursive: true, force: true });
      else if (need === "open") open.push({ path, since: (await stat(path)).mtimeMs });
    }
    open.sort((a, b) => b.since - a.since);
    for (const { path } of open.slice(this.#most)) await rm(path, { recursive: true, force: true });
  }

  #pathOf(orderHash: Hex): string {
    return join(this.#folder, orderHash);
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
