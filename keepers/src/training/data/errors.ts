import { AssayError, type AssayErrorOptions, BadInputError, exitCode } from "../../core/errors.ts";

/** A dataset that cannot be trained on: empty, ragged, truncated, with labels outside the classes. */
export class DatasetError extends BadInputError {
  override readonly name: string = "DatasetError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, { next: "Correct the data and start again.", ...options });
  }
}

/** A file of the dataset cannot be read. */
export class DatasetUnreadableError extends AssayError {
  override readonly name: string = "DatasetUnreadableError";

  constructor(path: string, cause: unknown) {
    super(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      exitCode: exitCode.unavailable,
      cause,
      next: "Check the path and its permissions.",
    });
  }
}
