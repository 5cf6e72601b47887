import { AssayError, exitCode } from "../../core/errors.ts";

/** A provider whose terms this worker does not take, or that broke them. */
export class UnfairProviderError extends AssayError {
  override readonly name: string = "UnfairProviderError";

  constructor(provider: string, reason: string) {
    super(`no more work for ${provider}: ${reason}`, {
      kept: "The last countersigned total; it can be demanded on chain.",
      next: "Work for another provider, or take lower pay.",
      exitCode: exitCode.refused,
    });
  }
}
