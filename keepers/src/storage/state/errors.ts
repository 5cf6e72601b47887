import { AssayError, type AssayErrorOptions, exitCode } from "../../core/errors.ts";

/** The keeper's local state cannot be opened or used. */
export class StateError extends AssayError {
  override readonly name: string = "StateError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, { exitCode: exitCode.cannotWrite, ...options });
  }
}
