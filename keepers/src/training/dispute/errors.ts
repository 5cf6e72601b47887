import { AssayError, type AssayErrorOptions, BadInputError } from "../../core/errors.ts";

/** What the chain is said to show of a dispute cannot have happened: its source lies, or left something out. */
export class DisputeHistoryError extends BadInputError {
  override readonly name: string = "DisputeHistoryError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, { next: "Read the events of the dispute again, from another endpoint.", ...options });
  }
}

/** A run has nothing to answer a dispute with. */
export class RunEvidenceError extends AssayError {
  override readonly name: string = "RunEvidenceError";
}
