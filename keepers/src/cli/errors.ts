import { AssayError, type AssayErrorOptions, exitCode } from "../core/errors.ts";

/** The command line itself is wrong. */
export class UsageError extends AssayError {
  override readonly name: string = "UsageError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, {
      next: "Run the command with --help to see what it takes.",
      exitCode: exitCode.usage,
      ...options,
    });
  }
}

/** Something the command needs is not set, or set to what cannot be used. */
export class ConfigurationError extends AssayError {
  override readonly name: string = "ConfigurationError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, { exitCode: exitCode.configuration, ...options });
  }
}
