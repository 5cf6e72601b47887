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

/** A job whose pay is being dealt out: there is no more to earn in it, and its provider may have another one later. */
export class RoundOverError extends AssayError {
  override readonly name: string = "RoundOverError";

  constructor(provider: string) {
    super(`no work for ${provider}: its round of pay is over`, {
      kept: "The last countersigned total; it is claimed from the root that was posted.",
      next: "Wait for its next job.",
      exitCode: exitCode.refused,
    });
  }
}

/** A provider that owes this worker as much as it is ready to lose: it computes more once it is paid. */
export class EnoughUnpaidError extends AssayError {
  override readonly name: string = "EnoughUnpaidError";

  constructor(provider: string, atRisk: bigint, bound: bigint) {
    super(
      `no more chunks for ${provider} before it pays: ${atRisk} base units are at risk, ${bound} may be`,
      {
        kept: "The last countersigned total; it is claimed as soon as a root is posted.",
        next: "Wait for the job to end, or raise --most-unpaid for a provider that you trust.",
        exitCode: exitCode.refused,
      },
    );
  }
}
