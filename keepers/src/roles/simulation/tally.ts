import { concatHex, type Hex, keccak256 } from "viem";
import type { Outcome } from "./simulate.ts";
import { type Family, familyNames } from "./strategy.ts";

/** What strategies of one family came to. */
export type FamilyTally = {
  readonly family: Family;
  readonly strategies: number;
  /** Jobs that failed, their provider slashed; and jobs that were paid. */
  readonly failed: number;
  readonly finalised: number;
  /** Moves of disputes, and gas of all transactions. */
  readonly moves: number;
  readonly gas: number;
  /** Wei that the honest gained together. */
  readonly coins: bigint;
  readonly failures: number;
};

/** Adds outcomes up by family; the transcript is the hash over all of theirs. */
export function tally(outcomes: readonly Outcome[]): FamilyTally[] & { transcript: Hex } {
  const families = familyNames.flatMap((family): FamilyTally[] => {
    const own = outcomes.filter(({ strategy }) => strategy.family === family);
    if (own.length === 0) return [];
    const sum = (of: (outcome: Outcome) => number) => own.reduce((total, outcome) => total + of(outcome), 0);
    return [
      {
        family,
        strategies: own.length,
        failed: sum(({ status }) => (status === "Failed" ? 1 : 0)),
        finalised: sum(({ status }) => (status === "Finalised" ? 1 : 0)),
        moves: sum(({ moves }) => moves),
        gas: sum(({ gas }) => gas),
        coins: own.flatMap(({ balances }) => balances).reduce((total, { coins }) => total + coins, 0n),
        failures: sum(({ faults }) => (faults.length > 0 ? 1 : 0)),
      },
    ];
  });
  const transcript = keccak256(concatHex(outcomes.map((outcome) => outcome.transcript)));
  return Object.assign(families, { transcript });
}
