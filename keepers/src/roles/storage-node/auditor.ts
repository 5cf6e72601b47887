import type { Hex } from "viem";
import { proofWords } from "../../core/groth16/encode.ts";
import { chainTime, type DutyContext, sendCall } from "./context.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import type { AuditProof, Possession } from "./possession.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";

export type AuditorParts = DutyContext & { ledger: Ledger; shelf: Shelf; possession: Possession };

/** Epochs whose window can still be open while the current one runs. */
const epochsBack = 2;

type ProofWords = readonly [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];

/** Answers the audits of the bundles that this operator holds, the most urgent epoch first. */
export class Auditor {
  readonly #parts: AuditorParts;

  constructor(parts: AuditorParts) {
    this.#parts = parts;
  }

  /** Answers what is due now; gives the number of answers that were mined. */
  async tick(signal: AbortSignal): Promise<number> {
    const { contracts, ledger, operator } = this.#parts;
    const current = await contracts.StorageAudit.read.currentEpoch();
    const mine = ledger.holdingsOf(operator);
    if (mine.length === 0) return 0;
    let answered = 0;
    for (let epoch = Math.max(0, current - epochsBack); epoch <= current; epoch++) {
      const [seed, opensAt] = await contracts.StorageAudit.read.windowOf([epoch]);
      if (opensAt === 0n) continue;
      const done = new Set<Hex>();
      for (const holding of mine) {
        if (signal.aborted) return answered;
        if (holding.since > epoch) continue;
        const duty = await contracts.BundleRegistry.read.dutyOf([holding.bundleId, epoch]);
        if (done.has(duty)) continue;
        done.add(duty);
        if (await this.#answer(holding, duty, epoch, seed, signal)) answered++;
      }
    }
    return answered;
  }

  async #answer(
    holding: LedgerHolding,
    duty: Hex,
    epoch: number,
    seed: Hex,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { contracts, client, queue, log } = this.#parts;
    const key = `answer:${epoch}:${duty}`;
    if (queue.pending().some((intent) => intent.key === key)) {
      await queue.wait(key);
      return true;
    }
    if (await contracts.StorageAudit.read.isAnswered([duty, epoch])) return false;
    const [, , closesAt] = await contracts.StorageAudit.read.windowOf([epoch]);
    const graceEnds = await contracts.StorageAudit.read.graceEndsAt([duty, epoch]);
    const now = await chainTime(client);
    // Between the window's end and a called timeout there is nothing to be sent, but the timeout may still come.
    if (now >= closesAt && now >= graceEnds) return false;

    const started = performance.now();
    if (duty === holding.bundleId) {
      const bundle = this.#shelved(holding.bundleId);
      if (bundle === undefined) {
        log.error({ bundleId: holding.bundleId, epoch }, "a bundle that this operator holds is not here");
        return false;
      }
      const answer = await this.#parts.possession.proveBundle(bundle, seed, BigInt(epoch), signal);
      await sendCall(this.#parts, key, "StorageAudit", "answer", [
        holding.bundleId,
        epoch,
        answer.evaluation,
        words(answer),
      ]);
    } else {
      const bundles = await this.#covered(duty);
      if (bundles === undefined) return false;
      const answer = await this.#parts.possession.proveCover(duty, bundles, seed, BigInt(epoch), signal);
      const cells =
        `0x${bundles.map((bundle) => bundle.cells.toString(16).padStart(4, "0")).join("")}` as Hex;
      await sendCall(this.#parts, key, "StorageAudit", "answerCover", [
        duty,
        epoch,
        answer.evaluation,
        cells,
        words(answer),
      ]);
    }
    const seconds = (performance.now() - started) / 1000;
    log.info({ duty, epoch, seconds: Number(seconds.toFixed(2)) }, "audit answered");
    return true;
  }

  /** The bundles of a cover in the order of its registration, or undefined when one is not here. */
  async #covered(coverId: Hex): Promise<ShelvedBundle[] | undefined> {
    const { contracts, log, ledger } = this.#parts;
    const bundleIds = ledger.coverBundles(coverId);
    if (bundleIds === undefined) {
      const cover = await contracts.BundleRegistry.read.coverOf([coverId]);
      log.error({ coverId, count: cover.count }, "the ledger does not know this cover yet");
      return undefined;
    }
    const bundles: ShelvedBundle[] = [];
    for (const id of bundleIds) {
      const bundle = this.#shelved(id);
      if (bundle === undefined) {
        log.error({ coverId, bundleId: id }, "a covered bundle is not here");
        return undefined;
      }
      bundles.push(bundle);
    }
    return bundles;
  }

  #shelved(id: Hex): ShelvedBundle | undefined {
    return this.#parts.shelf.byId(id);
  }
}

function words({ proof }: AuditProof): ProofWords {
  return proofWords(proof) as unknown as ProofWords;
}
