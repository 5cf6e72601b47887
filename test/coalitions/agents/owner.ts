import { nodes, type Party } from "../cast.ts";
import type { Plan } from "../conduct.ts";
import {
  type Anchored,
  anchor,
  bundleIdOf,
  type Dataset,
  idOf,
  makeDataset,
  n,
  receiptOf,
} from "../datasets.ts";
import { trained } from "../runs.ts";
import type { Scene } from "../scene.ts";
import { someHash, tokens } from "../world.ts";
import type { Agent } from "./agent.ts";

/** What every bundle earns in an epoch. */
const fee = tokens;
const epochs = { trained: 14, archive: 4 };
/** An object that fills two data bundles of nearly as many cells as a bundle may have. */
const archived = { objects: 1, bytes: 16_000_000, objectRoot: someHash("archive") };

/** Has data stored: what is to be trained on, and an archive of large bundles. */
export class Owner implements Agent {
  readonly #scene: Scene;
  readonly #plan: Plan;
  #isDone = false;

  constructor(scene: Scene, plan: Plan) {
    this.#scene = scene;
    this.#plan = plan;
  }

  async act(): Promise<boolean> {
    if (this.#isDone) return false;
    this.#isDone = true;
    const { hasArchive, swapsTerms } = this.#plan;
    const terms = { fee, epochs: epochs.trained };
    await this.#store(makeDataset({ name: "trained", owner: "owner", size: trained, terms }), swapsTerms);
    if (hasArchive) {
      const own = { fee, epochs: epochs.archive };
      await this.#store(makeDataset({ name: "archive", owner: "owner", size: archived, terms: own }), false);
    }
    return true;
  }

  /** Holders sign before the dataset is anchored: what they sign is to bind the terms that they were told. */
  async #store(dataset: Dataset, isSwapped: boolean): Promise<Anchored | undefined> {
    const { truth, world } = this.#scene;
    const holders = this.#holders(dataset.name);
    const id = await idOf(this.#scene, dataset);
    const receipts = [];
    for (const [index, operator] of holders.entries()) {
      const address = world.address(operator);
      truth.give(address, BigInt(dataset.poseidonRoots[index]!));
      truth.agree(address, bundleIdOf(id, index), dataset.terms);
      receipts.push(await receiptOf(this.#scene, { ...dataset, id }, index, operator));
    }
    const told = isSwapped ? { ...dataset, terms: { ...dataset.terms, fee: 0n } } : dataset;
    const anchored = await anchor(this.#scene, told);
    if (anchored !== undefined) await this.#scene.send("owner", "BundleRegistry", "place", [receipts]);
    return anchored;
  }

  /** One operator for each bundle, whoever it may be. */
  #holders(name: string): Party[] {
    const dice = this.#scene.dice.apart(`holders of ${name}`);
    const rest = [...nodes] as Party[];
    return Array.from({ length: n }, () => rest.splice(dice.int(0, rest.length - 1), 1)[0]!);
  }
}
