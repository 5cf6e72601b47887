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
/**
 * Epochs to go below which bundles count as ending together, and none can go through all its covers before it ends. Those that
 * have more share a cover with what has half of that at least: so each cover but the last few outlives half of what is to go.
 */
const shortly = 16;
/** Status of a dataset that runs, as the registry numbers it. */
const active = 1;

/** A bundle that needs a cover, and the first epoch that nobody pays for. */
type Uncovered = { readonly bundle: ShelvedBundle; readonly endEpoch: number };

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
   * has lost most, or the bytes of one, count as uncovered; those whose repair is not proven yet wait.
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
    const bundles = endingTogether(await this.#uncovered(holdings, epoch), epoch, minimum);
    if (bundles === undefined) {
      this.#settled = look;
      return false;
    }
    await this.#register(bundles, epoch, signal);
    return true;
  }

  /** Bundles that may and need to join a cover, those that end last first, and else in the order of their ids. */
  async #uncovered(holdings: readonly LedgerHolding[], epoch: number): Promise<Uncovered[]> {
    const { contracts, shelf, operator } = this.#parts;
    const held = new Set(holdings.map(({ bundleId }) => bundleId));
    const found: Uncovered[] = [];
    for (const { bundleId, datasetId } of holdings) {
      const bundle = shelf.byId(bundleId);
      if (bundle === undefined) continue;
      const holding = await contracts.BundleRegistry.read.holdingOf([bundleId]);
      if (holding.operator.toLowerCase() !== operator.toLowerCase()) continue;
      // A cover of this or a later epoch cannot be left yet.
      if (holding.coverSince > epoch || this.#isServing(holding.coverId, held)) continue;
      const [status, endEpoch] = await contracts.DatasetRegistry.read.termsOf([datasetId]);
      if (status !== active || epoch + 1 >= endEpoch) continue;
      // A repaired bundle answers for itself first: its bounty is paid for that.
      if ((await contracts.BundleRegistry.read.bountyOf([bundleId])) !== 0n) continue;
      const [covers] = await contracts.BundleRegistry.read.coversOf([bundleId]);
      if (covers.length < mostCovers) found.push({ bundle, endEpoch });
    }
    return found.sort((a, b) => b.endEpoch - a.endEpoch || byId(a.bundle, b.bundle));
  }

  /**
   * Whether a cover can answer for its bundles, and is worth it: the bytes of all of them are here, and half of them are held. One
   * that is held no longer must not cost the others one of the covers that they can go through.
   */
  #isServing(coverId: Hex, held: ReadonlySet<Hex>): boolean {
    const { ledger, shelf } = this.#parts;
    if (BigInt(coverId) === 0n) return false;
    const bundleIds = ledger.coverBundles(coverId);
    // The follower is behind: the chain knows a cover that the ledger does not.
    if (bundleIds === undefined) return true;
    const isHalf = 2 * bundleIds.filter((id) => held.has(id)).length >= bundleIds.length;
    return isHalf && bundleIds.every((id) => shelf.byId(id) !== undefined);
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

/**
 * Bundles for one cover, in the order of their ids: those that end last, of which there are enough that end together. A cover ends
 * with its bundles, and strangers can have datasets end each day.
 * @param found those that end last first
 */
function endingTogether(
  found: readonly Uncovered[],
  epoch: number,
  minimum: number,
): ShelvedBundle[] | undefined {
  const left = found.map(({ endEpoch }) => endEpoch - epoch);
  for (let first = 0; first + minimum <= found.length; first++) {
    const least = left[first]! < shortly ? 0 : left[first]! / 2;
    if (left[first + minimum - 1]! < least) continue;
    const alike = found.slice(first, first + rootsPerCover).filter((_, i) => left[first + i]! >= least);
    return alike.map(({ bundle }) => bundle).sort(byId);
  }
  return undefined;
}

function byId(a: ShelvedBundle, b: ShelvedBundle): number {
  return a.bundleId < b.bundleId ? -1 : 1;
}
