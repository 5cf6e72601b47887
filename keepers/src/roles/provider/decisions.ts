import type { Hex } from "viem";
import type { Bid } from "../../core/market/types.ts";
import type { Row, State } from "../../storage/state/state.ts";
import { readArguments, writeArguments } from "../jobs/event-json.ts";

/** What a provider has decided about orders: made once, so that a bid that was sealed can be opened again. */
export const decisionSchema = {
  name: "provider",
  migrations: [
    `CREATE TABLE provider_decisions (
       order_hash TEXT PRIMARY KEY,
       bid TEXT,
       salt TEXT,
       reason TEXT
     ) STRICT;`,
  ],
} as const;

export type Decision =
  | { readonly kind: "bid"; readonly bid: Bid; readonly salt: Hex }
  | { readonly kind: "refused"; readonly reason: string };

export class Decisions {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  find(orderHash: Hex): Decision | undefined {
    const row = this.#state.get("SELECT * FROM provider_decisions WHERE order_hash = ?", orderHash);
    return row === undefined ? undefined : toDecision(row);
  }

  add(orderHash: Hex, decision: Decision): void {
    const [bid, salt, reason] =
      decision.kind === "bid"
        ? [writeArguments(decision.bid), decision.salt, null]
        : [null, null, decision.reason];
    this.#state.run(
      "INSERT INTO provider_decisions (order_hash, bid, salt, reason) VALUES (?, ?, ?, ?)",
      orderHash,
      bid,
      salt,
      reason,
    );
  }
}

function toDecision({ bid, salt, reason }: Row): Decision {
  if (bid === null) return { kind: "refused", reason: reason as string };
  return { kind: "bid", bid: readArguments<Bid>(bid as string), salt: salt as Hex };
}
