import type { Hex } from "viem";
import type { ClaimedRun, LeafClaim } from "./claimed-run.ts";
import { RunEvidenceError } from "./errors.ts";
import { ExecutedRun, type ExecutedRunParameters } from "./own-run.ts";

export type MemberRunParameters = ExecutedRunParameters & {
  /** The leaves of the trace that the member attested to. */
  readonly leaves: readonly LeafClaim[];
};

/** What a member of a committee answers from: its own run, and the leaves of the provider's trace. It knows no salts. */
export class MemberRun extends ExecutedRun implements ClaimedRun {
  readonly #leaves: readonly LeafClaim[];

  constructor(parameters: MemberRunParameters) {
    super(parameters);
    this.#leaves = parameters.leaves;
  }

  leaves(): Promise<readonly LeafClaim[]> {
    return Promise.resolve(this.#leaves);
  }

  salt(interval: number): Hex {
    throw new RunEvidenceError(`A member of a committee does not know the salt of interval ${interval}.`);
  }
}
