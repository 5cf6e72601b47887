import type { Address } from "viem";
import type { Ledger } from "./ledger.ts";
import type { Shelf } from "./shelf.ts";

/** Milliseconds after which what is held on chain is counted again, whatever has happened. */
const countEvery = 60_000;

/** Bytes of bundles here that this operator does not hold on chain: nobody pays for them. */
export class UnplacedBytes {
  readonly #shelf: Pick<Shelf, "bytes" | "lengths">;
  readonly #ledger: Pick<Ledger, "holdingsOf" | "version">;
  readonly #operator: Address;
  #counted: { readonly version: bigint; readonly at: number; readonly held: number } | undefined;

  constructor(
    shelf: Pick<Shelf, "bytes" | "lengths">,
    ledger: Pick<Ledger, "holdingsOf" | "version">,
    operator: Address,
  ) {
    this.#shelf = shelf;
    this.#ledger = ledger;
    this.#operator = operator;
  }

  get value(): number {
    return Math.max(0, this.#shelf.bytes - this.#held());
  }

  /** What peers send changes nothing of it, so that they do not make it be counted again. */
  #held(): number {
    const { version } = this.#ledger;
    const now = performance.now();
    const known = this.#counted;
    if (known?.version === version && now < known.at + countEvery) return known.held;
    const lengths = this.#shelf.lengths();
    const holdings = this.#ledger.holdingsOf(this.#operator);
    const held = holdings.reduce((sum, { bundleId }) => sum + (lengths.get(bundleId) ?? 0), 0);
    this.#counted = { version, at: now, held };
    return held;
  }
}
