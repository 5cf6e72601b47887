import { bytesToHex } from "viem";
import { chainTime, type DutyContext, tryCall } from "./context.ts";
import type { Ledger, LedgerRetrieval } from "./ledger.ts";
import type { Shelf } from "./shelf.ts";
import type { Vault } from "./vault.ts";

export type PublisherParts = DutyContext & {
  readonly ledger: Pick<Ledger, "openRetrievals">;
  readonly shelf: Pick<Shelf, "byId">;
  readonly vault: Pick<Vault, "cells" | "commitment">;
};

/** Publishes the cells that retrieval challenges ask this operator for, and fetches the bonds that pay for it. */
export class Publisher {
  readonly #parts: PublisherParts;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Answers what can be answered; gives the number of cells that were published. One that fails leaves the others be. */
  async tick(signal: AbortSignal): Promise<number> {
    const { ledger, operator, log } = this.#parts;
    let published = 0;
    for (const retrieval of ledger.openRetrievals(operator)) {
      if (signal.aborted) return published;
      try {
        if (await this.#publish(retrieval)) published++;
      } catch (error) {
        if (signal.aborted) return published;
        const { challengeId, bundleId } = retrieval;
        log.error({ challengeId, bundleId, reason: (error as Error).message }, "a cell was not published");
      }
    }
    return published;
  }

  async #publish({ challengeId, bundleId, cellIndex }: LedgerRetrieval): Promise<boolean> {
    const { contracts, client, shelf, vault, log } = this.#parts;
    const open = await contracts.RetrievalChallenges.read.challengeOf([challengeId]);
    if (!(await contracts.RetrievalChallenges.read.isOpen([challengeId]))) return false;
    // Between the deadline and a called timeout nothing can be published, but the timeout may still come.
    const until = open.deadline > open.graceEnds ? open.deadline : open.graceEnds;
    if ((await chainTime(client)) > until) return false;
    const bundle = shelf.byId(bundleId);
    if (bundle === undefined) {
      log.error({ challengeId, bundleId }, "a cell is asked for of a bundle that is not here");
      return false;
    }
    const [cell] = await vault.cells(bundle, [cellIndex]);
    const { transport } = await vault.commitment(bundle);
    const proof = transport.proof(cellIndex).map((sibling) => bytesToHex(sibling));
    const args = [challengeId, bytesToHex(cell!), proof] as const;
    if (!(await tryCall(this.#parts, `publish:${challengeId}`, "RetrievalChallenges", "publish", args))) {
      return false;
    }
    log.info({ challengeId, bundleId, cellIndex }, "published a cell that a challenge asked for");
    await this.#collect(challengeId);
    return true;
  }

  /** The bond of an answered challenge pays for its gas. */
  async #collect(challengeId: bigint): Promise<void> {
    const { contracts, operator } = this.#parts;
    if ((await contracts.RetrievalChallenges.read.creditOf([operator])) === 0n) return;
    await tryCall(this.#parts, `retrieval-credit:${challengeId}`, "RetrievalChallenges", "withdraw", [
      operator,
    ]);
  }
}
