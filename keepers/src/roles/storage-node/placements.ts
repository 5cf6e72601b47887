import type { Address } from "viem";
import type { Ledger } from "./ledger.ts";
import type { Shelf } from "./shelf.ts";

/** Milliseconds after which what is held on chain is noted again, whatever has happened. */
const noteEvery = 60_000;

/** Notes which bundles of the shelf this operator holds on chain: by what happened there alone, not by what peers send. */
export class Placements {
  readonly #shelf: Pick<Shelf, "place">;
  readonly #ledger: Pick<Ledger, "holdingsOf" | "version">;
  readonly #operator: Address;
  #noted: { readonly version: bigint; readonly at: number } | undefined;

  constructor(
    shelf: Pick<Shelf, "place">,
    ledger: Pick<Ledger, "holdingsOf" | "version">,
    operator: Address,
  ) {
    this.#shelf = shelf;
    this.#ledger = ledger;
    this.#operator = operator;
  }

  /** Has the shelf know what is held. */
  note(): void {
    const { version } = this.#ledger;
    const now = performance.now();
    const noted = this.#noted;
    if (noted !== undefined && noted.version === version && now < noted.at + noteEvery) return;
    this.#shelf.place(new Set(this.#ledger.holdingsOf(this.#operator).map(({ bundleId }) => bundleId)));
    this.#noted = { version, at: now };
  }
}
