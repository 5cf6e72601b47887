import { AssayError, type AssayErrorOptions, exitCode } from "../../core/errors.ts";

/** An order that no provider should take: what it says does not hold together. */
export class OrderRefusedError extends AssayError {
  override readonly name: string = "OrderRefusedError";
  /** The part of the order that is wrong. */
  readonly field: string;

  constructor(field: string, reason: string, options: AssayErrorOptions = {}) {
    super(`the order's ${field} is refused: ${reason}`, { exitCode: exitCode.refused, ...options });
    this.field = field;
  }
}

/** Too few bundles of a stored result have holders to read it. */
export class ResultNotPlacedError extends AssayError {
  override readonly name: string = "ResultNotPlacedError";

  constructor(datasetId: string, missing: number) {
    super(`${missing} bundles of the result ${datasetId} have no holder yet`, {
      kept: "What was stored is kept; the same call goes on.",
      next: "Wait for more storage nodes; it is tried again.",
      exitCode: exitCode.partial,
    });
  }
}

/** A stored result is not what was committed to. */
export class WrongResultError extends AssayError {
  override readonly name: string = "WrongResultError";

  constructor(resultId: string, reason: string, options: AssayErrorOptions = {}) {
    super(`the result ${resultId} is not the one that was committed to: ${reason}`, {
      exitCode: exitCode.badInput,
      next: "Do not use it; a challenger or the committee can dispute the job.",
      ...options,
    });
  }
}
