import type { Address, Hex } from "viem";
import type { Ledger } from "./ledger.ts";
import type { Shelf } from "./shelf.ts";

/** Milliseconds after which what is held on chain is counted again, whatever has happened. */
const countEvery = 60_000;

/** Bytes of bundles here that this operator does not hold on chain: nobody pays for them. */
export class UnplacedBytes {
  readonly #shelf: Pick<Shelf, "bytes" | "bytesOfStrangers" | "lengths" | "ofStrangers">;
  readonly #ledger: Pick<Ledger, "holdingsOf" | "version">;
  readonly #operator: Address;
  #counted:
    | { readonly version: bigint; readonly at: number; readonly held: number; readonly ofStrangers: number }
    | undefined;

  constructor(
    shelf: Pick<Shelf, "bytes" | "bytesOfStrangers" | "lengths" | "ofStrangers">,
    ledger: Pick<Ledger, "holdingsOf" | "version">,
    operator: Address,
  ) {
    this.#shelf = shelf;
    this.#ledger = ledger;
    this.#operator = operator;
  }

  get value(): number {
    return Math.max(0, this.#shelf.bytes - this.#held().held);
  }

  /** Those of them that peers of no operator with stake have sent. */
  get ofStrangers(): number {
    return Math.max(0, this.#shelf.bytesOfStrangers - this.#held().ofStrangers);
  }

  /** What peers send changes nothing of it, so that they do not make it be counted again. */
  #held(): { readonly held: number; readonly ofStrangers: number } {
    const { version } = this.#ledger;
    const now = performance.now();
    const known = this.#counted;
    if (known?.version === version && now < known.at + countEvery) return known;
    const lengths = this.#shelf.lengths();
    const sent = this.#shelf.ofStrangers();
    const holdings = this.#ledger.holdingsOf(this.#operator).map(({ bundleId }) => bundleId);
    const bytesOf = (some: readonly Hex[]) => some.reduce((sum, id) => sum + (lengths.get(id) ?? 0), 0);
    const ofStrangers = bytesOf(holdings.filter((id) => sent.has(id)));
    this.#counted = { version, at: now, held: bytesOf(holdings), ofStrangers };
    return this.#counted;
  }
}
