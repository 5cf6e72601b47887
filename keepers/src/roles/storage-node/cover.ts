import { bytesToHex, type Hex } from "viem";
import { registrationPoint } from "../../core/audit/challenge.ts";
import { registrationInput, rootsPerCover } from "../../core/groth16/inputs.ts";
import { coverTree, toDigest } from "../../core/merkle/quaternary-tree.ts";
import type { Prover } from "../../storage/prover/prover.ts";
import { type DutyContext, sendCall } from "./context.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import { proofTag, toProofWords } from "./proof-words.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";

export type CoverRegistrarParts = DutyContext & {
  ledger: Ledger;
  shelf: Shelf;
  prover: Prover;
  /** Bundles that are worth a cover, 1 to 64: its registration costs a proof and gas, which each audit then saves. */
  minimum: number;
};

/** Covers that one holding can go through in all (contracts/storage/Limits.sol). */
const mostCovers = 32;
/** Status of a dataset that runs, as the registry numbers it. */
const active = 1;

/** Brings bundles that are answered for one by one under covering roots, so that one proof answers for up to 64. */
export class CoverRegistrar {
  readonly #parts: CoverRegistrarParts;
  /** Epoch and bundles of the last look that found nothing to do: until one of them changes, the next finds the same. */
  #settled = "";

  constructor(parts: CoverRegistrarParts) {
    if (!Number.isInteger(parts.minimum) || parts.minimum < 1 || parts.minimum > rootsPerCover) {
      throw new RangeError(`a cover has 1 to ${rootsPerCover} bundles, not ${parts.minimum}`);
    }
    this.#parts = parts;
  }

  /**
   * Registers one cover, when there are enough bundles for it; it serves from the next epoch on. Bundles of a cover that
   * has lost one count as uncovered; those whose repair is not proven yet wait.
   * @returns whether a cover was registered
   */
  async tick(signal: AbortSignal): Promise<boolean> {
    const { contracts, ledger, operator, queue, minimum } = this.#parts;
    const pending = queue.pending().find(({ key }) => key.startsWith("cover:"));
    if (pending !== undefined) {
      await queue.wait(pending.key);
      return true;
    }
    const holdings = ledger.holdingsOf(operator);
    if (holdings.length < minimum) return false;
    const epoch = await contracts.StorageAudit.read.currentEpoch();
    const look = [epoch, ...holdings.map(({ bundleId, since }) => `${bundleId}:${since}`)].join();
    if (look === this.#settled) return false;
    const bundles = (await this.#uncovered(holdings, epoch)).slice(0, rootsPerCover);
    if (bundles.length < minimum) {
      this.#settled = look;
      return false;
    }
    await this.#register(bundles, epoch, signal);
    return true;
  }

  /** Bundles that may and need to join a cover, in the order of their ids. */
  async #uncovered(holdings: readonly LedgerHolding[], epoch: number): Promise<ShelvedBundle[]> {
    const { contracts, shelf, operator } = this.#parts;
    const held = new Set(holdings.map(({ bundleId }) => bundleId));
    const found: ShelvedBundle[] = [];
    for (const { bundleId, datasetId } of holdings) {
      const bundle = shelf.byId(bundleId);
      if (bundle === undefined) continue;
      const holding = await contracts.BundleRegistry.read.holdingOf([bundleId]);
      if (holding.operator.toLowerCase() !== operator.toLowerCase()) continue;
      // A cover of this or a later epoch cannot be left yet.
      if (holding.coverSince > epoch || this.#isWhole(holding.coverId, held)) continue;
      const [status, endEpoch] = await contracts.DatasetRegistry.read.termsOf([datasetId]);
      if (status !== active || epoch + 1 >= endEpoch) continue;
      // A repaired bundle answers for itself first: its bounty is paid for that.
      if ((await contracts.BundleRegistry.read.bountyOf([bundleId])) !== 0n) continue;
      const [covers] = await contracts.BundleRegistry.read.coversOf([bundleId]);
      if (covers.length < mostCovers) found.push(bundle);
    }
    return found.sort((a, b) => (a.bundleId < b.bundleId ? -1 : 1));
  }

  /** Whether a cover can answer for its bundles: all of them are held and here. */
  #isWhole(coverId: Hex, held: ReadonlySet<Hex>): boolean {
    const { ledger, shelf } = this.#parts;
    if (BigInt(coverId) === 0n) return false;
    const bundleIds = ledger.coverBundles(coverId);
    // The follower is behind: the chain knows a cover that the ledger does not.
    if (bundleIds === undefined) return true;
    return bundleIds.every((id) => held.has(id) && shelf.byId(id) !== undefined);
  }

  async #register(bundles: readonly ShelvedBundle[], epoch: number, signal: AbortSignal): Promise<void> {
    const { prover, log } = this.#parts;
    const roots = bundles.map(({ poseidonRoot }) => BigInt(poseidonRoot));
    const coveringRoot = BigInt(bytesToHex(coverTree(roots.map(toDigest)).root));
    const rho = registrationPoint(coveringRoot, roots);
    const { proof } = await prover.prove("registration", registrationInput({ rho, roots }), { signal });
    const bundleIds = bundles.map(({ bundleId }) => bundleId);
    const key = `cover:${epoch}:${proofTag(proof)}`;
    const args = [bundleIds, coveringRoot, toProofWords(proof)] as const;
    await sendCall(this.#parts, key, "BundleRegistry", "registerCover", args);
    log.info({ bundles: bundles.length, from: epoch + 1 }, "cover registered");
  }
}
