import type { Hex } from "viem";
import { auditPoint, bundleIndices } from "../../../keepers/src/core/audit/challenge.ts";
import type { Party } from "../cast.ts";
import type { NodeConduct } from "../conduct.ts";
import { openCell, takeBundle } from "../datasets.ts";
import { packed, proofOf } from "../deployment.ts";
import type { Scene } from "../scene.ts";
import type { Agent } from "./agent.ts";

/** What a proof says of the challenged cells: any value, since these cells stand for whatever was stored. */
export const evaluation = 7n;

/** Takes a bundle over that is free and whose bytes a node has, proven under the last seed that is new. */
export async function takeOver(
  scene: Scene,
  name: Party,
  { bundleId, datasetId, bundleIndex }: ReturnType<Scene["bundles"]["vacancies"]>[number],
): Promise<boolean> {
  const { world, truth, datasets, open } = scene;
  const { chainId, addresses } = world.deployment;
  const operator = world.address(name);
  const dataset = datasets.get(datasetId)!;
  const root = BigInt(dataset.poseidonRoots[bundleIndex]!);
  if (!truth.has(operator, root)) return false;
  const from = await world.contracts.BundleRegistry.read.provableFrom([datasetId, bundleIndex, operator]);
  const fresh = open.findLast(({ epoch }) => epoch >= from);
  if (fresh === undefined) return false;
  const { epoch, seed } = fresh;
  const indices = bundleIndices({ seed, duty: bundleId, operator }, dataset.cells);
  const duty = { seed, duty: bundleId, root, operator, epoch: BigInt(epoch) };
  const auditContract = addresses.BundleRegistry!;
  const rho = auditPoint({ ...duty, chainId: BigInt(chainId), auditContract });
  const proof = proofOf("possession", [evaluation, root, ...packed.bundle(indices), rho]);
  const receipt = await takeBundle(scene, dataset, bundleIndex, name);
  const args = [receipt, epoch, evaluation, proof] as const;
  return await scene.try(`take up ${bundleId} ${epoch}`, name, "BundleRegistry", "placeProven", args);
}

/** Holds bundles: answers audits from the cells that it has, and publishes those that it is asked for. */
export class StorageNode implements Agent {
  readonly #scene: Scene;
  readonly #name: Party;
  readonly #conduct: NodeConduct;

  constructor(scene: Scene, name: Party, conduct: NodeConduct = {}) {
    this.#scene = scene;
    this.#name = name;
    this.#conduct = conduct;
  }

  async act(): Promise<boolean> {
    const { bundles, world } = this.#scene;
    const held = bundles.holdingsOf(world.address(this.#name));
    let isDone = false;
    for (const { bundleId, datasetId, bundleIndex, since } of held) {
      const root = this.#scene.datasets.get(datasetId)!.poseidonRoots[bundleIndex]!;
      if (this.#conduct.forgets === true) this.#scene.truth.drop(world.address(this.#name), BigInt(root));
      // Nobody signs for more than an epoch beyond those that are paid for.
      const last = since + this.#scene.datasets.get(datasetId)!.terms.epochs + 1;
      for (const { epoch, seed } of this.#scene.open) {
        if (epoch < since || epoch > last) continue;
        isDone = (await this.#answer(bundleId, datasetId, root, epoch, seed)) || isDone;
      }
    }
    isDone = (await this.#takeUp()) || isDone;
    return (await this.#publish()) || isDone;
  }

  async #answer(bundleId: Hex, datasetId: Hex, root: Hex, epoch: number, seed: Hex): Promise<boolean> {
    const { world, truth, datasets } = this.#scene;
    const { cells } = datasets.get(datasetId)!;
    const operator = world.address(this.#name);
    const indices = bundleIndices({ seed, duty: bundleId, operator }, cells);
    const had = truth.cellsOf(operator, BigInt(root));
    if (indices.some((index) => index >= had)) return false;
    const { chainId, addresses } = world.deployment;
    const rho = auditPoint({
      ...{ seed, duty: bundleId, root: BigInt(root), operator, epoch: BigInt(epoch) },
      ...{ chainId: BigInt(chainId), auditContract: addresses.StorageAudit! },
    });
    const proof = proofOf("possession", [evaluation, BigInt(root), ...packed.bundle(indices), rho]);
    const args = [bundleId, epoch, evaluation, proof] as const;
    return await this.#scene.try(`answer ${bundleId} ${epoch}`, this.#name, "StorageAudit", "answer", args);
  }

  async #takeUp(): Promise<boolean> {
    let isDone = false;
    for (const vacancy of this.#scene.bundles.vacancies())
      isDone = (await takeOver(this.#scene, this.#name, vacancy)) || isDone;
    return isDone;
  }

  async #publish(): Promise<boolean> {
    if (this.#conduct.refusesCells === true) return false;
    const { bundles, world, truth, datasets } = this.#scene;
    const operator = world.address(this.#name);
    let isDone = false;
    for (const { challengeId, bundleId, cellIndex } of bundles.openRetrievals(operator)) {
      const holding = bundles.holdingsOf(operator).find((each) => each.bundleId === bundleId);
      if (holding === undefined) continue;
      const dataset = datasets.get(holding.datasetId)!;
      const root = BigInt(dataset.poseidonRoots[holding.bundleIndex]!);
      if (truth.cellsOf(operator, root) <= cellIndex) continue;
      const { cell, proof } = openCell(dataset, holding.bundleIndex, cellIndex);
      const args = [challengeId, cell, proof] as const;
      const key = `publish ${challengeId}`;
      isDone = (await this.#scene.try(key, this.#name, "RetrievalChallenges", "publish", args)) || isDone;
    }
    return isDone;
  }
}
