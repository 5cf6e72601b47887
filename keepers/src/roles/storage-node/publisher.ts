import { type Address, bytesToHex, type Hex, zeroAddress } from "viem";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { isSurely } from "./agreement.ts";
import { inBatches } from "./batches.ts";
import { chainTime, type DutyContext, logRefusal, submitCall, tryCall } from "./context.ts";
import type { Ledger, LedgerRetrieval } from "./ledger.ts";
import type { Shelf } from "./shelf.ts";
import type { Vault } from "./vault.ts";

/** A cell with its path to the bundle's anchored root. */
export type ShownCell = { readonly cell: Uint8Array; readonly proof: readonly Uint8Array[] };

export type PublisherParts = DutyContext & {
  /** What this operator is asked for, in the order in which it is published. */
  readonly asked: () => readonly LedgerRetrieval[];
  /** The cell; undefined when the bundle is not here. */
  readonly read: (retrieval: LedgerRetrieval) => Promise<ShownCell | undefined>;
};

/** What a storage node is asked for as a holder, and its own copy of it. */
export function heldCells(
  operator: Address,
  ledger: Pick<Ledger, "openRetrievals">,
  shelf: Pick<Shelf, "byId">,
  vault: Pick<Vault, "cells" | "commitment">,
): Pick<PublisherParts, "asked" | "read"> {
  return {
    asked: () => inOrder(ledger.openRetrievals(operator)),
    async read({ bundleId, cellIndex }) {
      const bundle = shelf.byId(bundleId);
      if (bundle === undefined) return undefined;
      const [cell] = await vault.cells(bundle, [cellIndex]);
      const { transport } = await vault.commitment(bundle);
      return { cell: cell!, proof: transport.proof(cellIndex) };
    },
  };
}

const keyOf = ({ challengeId }: LedgerRetrieval) => `publish:${challengeId}`;

/**
 * Publishes the cells that retrieval challenges ask this operator for, and fetches the bonds that pay for it. Anybody can ask for
 * any number of cells: none waits for the confirmation of another.
 */
export class Publisher {
  readonly #parts: PublisherParts;
  /** Bundles that are not here, and of which that was said. */
  readonly #missing = new Set<Hex>();

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Answers what can be answered; gives the number of cells that were published. One that fails leaves the others be. */
  async tick(signal: AbortSignal): Promise<number> {
    const published = await inBatches(this.#parts.asked(), signal, {
      begin: (retrieval) => this.#attempt(retrieval, signal, () => this.#send(retrieval)),
      end: (retrieval) => this.#attempt(retrieval, signal, () => this.#confirm(retrieval)),
    });
    const last = published.at(-1);
    if (last !== undefined && !signal.aborted) await this.#collect(last.challengeId);
    return published.length;
  }

  /** Whether it was done: what fails is logged. */
  async #attempt(
    { challengeId, bundleId }: LedgerRetrieval,
    signal: AbortSignal,
    work: () => Promise<boolean>,
  ): Promise<boolean> {
    const { log } = this.#parts;
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) return false;
      const reason = (error as Error).message;
      if (error instanceof TransactionFailedError) logRefusal(this.#parts, error, { challengeId, bundleId });
      else log.error({ challengeId, bundleId, reason }, "a cell was not published");
      return false;
    }
  }

  /** Sends what publishes a cell, without waiting for it. */
  async #send(retrieval: LedgerRetrieval): Promise<boolean> {
    const { read, log } = this.#parts;
    const { challengeId, bundleId } = retrieval;
    const isOver = await isSurely(this.#parts, "whether a cell is asked for", async (chain) => {
      const open = await chain.contracts.RetrievalChallenges.read.challengeOf([challengeId]);
      if (open.challenger === zeroAddress) return true;
      // Until somebody has called the timeout nothing is too late.
      return open.graceEnds !== 0n && (await chainTime(chain.client)) > open.graceEnds;
    });
    if (isOver) return false;
    const shown = await read(retrieval);
    if (shown === undefined) {
      if (!this.#missing.has(bundleId))
        log.error({ challengeId, bundleId }, "a cell is asked for of a bundle that is not here");
      this.#missing.add(bundleId);
      return false;
    }
    this.#missing.delete(bundleId);
    const proof = shown.proof.map((sibling) => bytesToHex(sibling));
    const args = [challengeId, bytesToHex(shown.cell), proof] as const;
    await submitCall(this.#parts, keyOf(retrieval), "RetrievalChallenges", "publish", args);
    return true;
  }

  async #confirm(retrieval: LedgerRetrieval): Promise<boolean> {
    const { queue, log } = this.#parts;
    await queue.wait(keyOf(retrieval));
    const { challengeId, bundleId, cellIndex } = retrieval;
    log.info({ challengeId, bundleId, cellIndex }, "published a cell that a challenge asked for");
    return true;
  }

  /** The bonds of answered challenges pay for their gas. */
  async #collect(challengeId: bigint): Promise<void> {
    const { contracts, operator } = this.#parts;
    if ((await contracts.RetrievalChallenges.read.creditOf([operator])) === 0n) return;
    await tryCall(this.#parts, `retrieval-credit:${challengeId}`, "RetrievalChallenges", "withdraw", [
      operator,
    ]);
  }
}

/**
 * One of each bundle first, then the others, soonest deadline first: a bundle that is asked for once is not lost behind
 * thousands of cells of another.
 * @param retrievals soonest deadline first
 */
export function inOrder(retrievals: readonly LedgerRetrieval[]): LedgerRetrieval[] {
  const seen = new Set<Hex>();
  const [firsts, others]: [LedgerRetrieval[], LedgerRetrieval[]] = [[], []];
  for (const retrieval of retrievals) {
    (seen.has(retrieval.bundleId) ? others : firsts).push(retrieval);
    seen.add(retrieval.bundleId);
  }
  return [...firsts, ...others];
}
