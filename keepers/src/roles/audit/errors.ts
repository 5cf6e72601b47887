import { AssayError, exitCode } from "../../core/errors.ts";

/** An index gave no answer that can be used: that is a finding, not the end of an audit. */
export class IndexAnswerError extends AssayError {
  override readonly name: string = "IndexAnswerError";

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { exitCode: exitCode.unavailable, ...options });
  }
}
