import { AssayError, exitCode } from "../core/errors.ts";

/** The user, or whoever supervises the process, ended the command. */
export class Interrupted extends AssayError {
  override readonly name: string = "Interrupted";

  constructor(signal: "SIGINT" | "SIGTERM") {
    super("interrupted", {
      kept: "Finished steps are kept.",
      next: "Run the same command again: it goes on where it stopped.",
      exitCode: signal === "SIGINT" ? exitCode.interrupted : exitCode.terminated,
    });
  }
}
