import { AssayError, type AssayErrorOptions, BadInputError, exitCode } from "../../core/errors.ts";

/** An engine that could not be started, or that failed while it ran. */
export class EngineError extends AssayError {
  override readonly name: string = "EngineError";

  constructor(engine: string, what: string, options: AssayErrorOptions = {}) {
    const reason = options.cause instanceof Error ? `: ${options.cause.message}` : "";
    super(`${engine} engine: ${what}${reason}`, { exitCode: exitCode.internal, ...options });
  }
}

/** A program that needs more memory than it may take; nothing was allocated. */
export class ModelTooLargeError extends BadInputError {
  override readonly name: string = "ModelTooLargeError";
  /** Bytes. */
  readonly needed: number;
  readonly limit: number;

  constructor(needed: number, limit: number) {
    super(`the model needs about ${mebibytes(needed)} MiB of memory; ${mebibytes(limit)} MiB are allowed`, {
      next: "Use a smaller model or micro-batch, or allow more memory.",
    });
    this.needed = needed;
    this.limit = limit;
  }
}

function mebibytes(bytes: number): string {
  return Math.ceil(bytes / 2 ** 20).toLocaleString("en");
}
