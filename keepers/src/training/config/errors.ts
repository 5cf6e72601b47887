import { AssayError, type AssayErrorOptions, exitCode } from "../../core/errors.ts";

/** A training configuration that cannot be used; names the key and the remedy. */
export class TrainingConfigError extends AssayError {
  override readonly name: string = "TrainingConfigError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, {
      exitCode: exitCode.configuration,
      next: "Correct the configuration; `assay train --schema` prints what it may say.",
      ...options,
    });
  }
}
