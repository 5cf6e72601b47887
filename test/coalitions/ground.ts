import type { Plan } from "./conduct.ts";
import { apply, type Patch } from "./patched.ts";
import { type WalkOutcome, walk } from "./walk.ts";
import { CoalitionWorld } from "./world.ts";

/** Walks on one chain: it keeps what was taken back in memory. */
const perChain = 250;

/** Where walks are played: on one chain after the other, with all remedies or without one. */
export class Ground {
  #world: CoalitionWorld | undefined;
  #patch: Patch | undefined;
  #walks = 0;

  /** Plays a walk. */
  async walk(plan: Plan, later = 0): Promise<WalkOutcome> {
    if (this.#walks >= perChain) await this.close();
    this.#walks++;
    return await walk(await this.#open(), plan, later);
  }

  /** Takes a remedy out of the contracts, and puts back the one that was taken out before. */
  async change(patch?: Patch): Promise<void> {
    this.#patch = patch;
    await this.#world?.become(async (world) => {
      if (patch !== undefined) await apply(world, patch);
    });
  }

  async close(): Promise<void> {
    await this.#world?.close();
    this.#world = undefined;
    this.#walks = 0;
  }

  async #open(): Promise<CoalitionWorld> {
    if (this.#world === undefined) {
      this.#world = await CoalitionWorld.open();
      if (this.#patch !== undefined) await this.change(this.#patch);
    }
    return this.#world;
  }
}
