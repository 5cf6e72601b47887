import { encodeAbiParameters, type Hex, keccak256 } from "viem";
import {
  auditPoint,
  type ChallengeParameters,
  coverIndices,
  registrationPoint,
} from "../../../keepers/src/core/audit/challenge.ts";
import { r } from "../../contracts/zk/trapdoor.ts";
import type { Party } from "../cast.ts";
import { cellsWord, packed, proofOf } from "../deployment.ts";
import type { Scene } from "../scene.ts";
import { someHash } from "../world.ts";
import { evaluation } from "./node.ts";

/** A bundle of a cover, with what its holder says of its size. */
export type Covered = { readonly bundleId: Hex; readonly root: bigint; readonly cells: number };

type Cover = {
  readonly coverId: Hex;
  readonly root: bigint;
  readonly by: Party;
  readonly bundles: readonly Covered[];
};

/** An index in a cover is bundle · 16384 + cell. */
const cellsPerBundle = 16_384;
const challenges = 16;
const drawTypes = [
  { type: "bytes32" },
  { type: "bytes32" },
  { type: "address" },
  { type: "uint256" },
] as const;

/** What would be asked of a cover if each of its bundles counted as much as any other, whatever its size. */
export function dilutedIndices(
  { seed, duty, operator }: ChallengeParameters,
  cells: readonly number[],
): number[] {
  const draw = (j: number) =>
    BigInt(keccak256(encodeAbiParameters(drawTypes, [seed, duty, operator, BigInt(j)])));
  return Array.from({ length: challenges }, (_, j) => {
    const from = Math.floor((j * cells.length) / challenges);
    const to = Math.max(from + 1, Math.floor(((j + 1) * cells.length) / challenges));
    const bundle = from + Number(draw(j) % BigInt(to - from));
    return bundle * cellsPerBundle + Number(draw(j + challenges) % BigInt(cells[bundle]!));
  });
}

/** Covers that a coalition has made, and answers for from the cells that it has. */
export class Covers {
  readonly #scene: Scene;
  readonly #made: Cover[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async register(by: Party, bundles: readonly Covered[]): Promise<boolean> {
    const roots = bundles.map(({ root }) => root);
    const root = BigInt(someHash(`cover of ${roots.join(" ")}`)) % r;
    const rho = registrationPoint(root, roots);
    const value = roots.reduceRight((sum, each) => (sum * rho + each) % r, 0n);
    const proof = proofOf("registration", [root, value, rho]);
    const before = this.#scene.events.length;
    const args = [bundles.map(({ bundleId }) => bundleId), root, proof] as const;
    if (!(await this.#scene.send(by, "BundleRegistry", "registerCover", args))) return false;
    const event = this.#scene.events.slice(before).find(({ eventName }) => eventName === "CoverRegistered")!;
    const { coverId } = event.args as { coverId: Hex };
    this.#made.push({ coverId, root, by, bundles });
    return true;
  }

  /** Answers wherever every cell that is asked for is there, by whichever rule the contract may ask. */
  async answer(): Promise<boolean> {
    let isDone = false;
    for (const cover of this.#made) {
      for (const { epoch, seed } of this.#scene.open) {
        const challenge = { seed, duty: cover.coverId, operator: this.#scene.world.address(cover.by) };
        const cells = cover.bundles.map((each) => each.cells);
        const byCells = coverIndices(challenge, cells);
        isDone = (await this.#answer(cover, epoch, seed, byCells)) || isDone;
        if (cells.length === 1) continue;
        isDone = (await this.#answer(cover, epoch, seed, dilutedIndices(challenge, cells))) || isDone;
      }
    }
    return isDone;
  }

  async #answer(
    { coverId, root, by, bundles }: Cover,
    epoch: number,
    seed: Hex,
    indices: readonly number[],
  ): Promise<boolean> {
    const { world, truth } = this.#scene;
    const { chainId, addresses } = world.deployment;
    const operator = world.address(by);
    const isThere = indices.every((index) => {
      const bundle = bundles[Math.floor(index / cellsPerBundle)]!;
      return index % cellsPerBundle < truth.cellsOf(operator, bundle.root);
    });
    if (!isThere) return false;
    const duty = { seed, duty: coverId, root, operator, epoch: BigInt(epoch) };
    const rho = auditPoint({ ...duty, chainId: BigInt(chainId), auditContract: addresses.StorageAudit! });
    const asked = packed.cover(indices);
    const proof = proofOf("covering", [evaluation, root, ...asked, rho]);
    const cells = cellsWord(bundles.map((each) => each.cells));
    const key = `cover ${coverId} ${epoch} ${asked.join(" ")}`;
    const args = [coverId, epoch, evaluation, cells, proof] as const;
    return await this.#scene.try(key, by, "StorageAudit", "answerCover", args);
  }
}
