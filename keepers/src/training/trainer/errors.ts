import { AssayError, type AssayErrorOptions, BadInputError, exitCode } from "../../core/errors.ts";

/** A checkpoint that is damaged, or of another run. */
export class CheckpointError extends BadInputError {
  override readonly name: string = "CheckpointError";

  constructor(path: string, reason: string, options: AssayErrorOptions = {}) {
    super(`${path} cannot be used: ${reason}.`, {
      kept: "The checkpoint files are left as they are.",
      next: "Go on with --resume: the newest checkpoint that is intact is used.",
      ...options,
    });
  }
}

/** The folder of a run is not as it must be. */
export class RunFolderError extends AssayError {
  override readonly name: string = "RunFolderError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, { exitCode: exitCode.refused, ...options });
  }
}
