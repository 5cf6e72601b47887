import { AssayError, exitCode } from "../../core/errors.ts";

/** The chain has dropped more blocks than the follower remembers. */
export class ReorgTooDeepError extends AssayError {
  override readonly name: string = "ReorgTooDeepError";

  constructor(name: string, number: bigint, depth: number) {
    super(
      `the chain no longer has block ${number} that ${name} had followed, nor any of the ${depth} blocks before it`,
      {
        kept: "the local state was left as it was before the reorganisation",
        next: "check that the RPC endpoints serve the right chain; if they do, restore a backup from before this block (`assay keeper restore`)",
        exitCode: exitCode.unavailable,
      },
    );
  }
}

/** A handler failed: a fault of this program, not of the chain. Nothing of the step was kept. */
export class HandlerError extends AssayError {
  override readonly name: string = "HandlerError";

  constructor(name: string, cause: unknown) {
    super(`${name} could not take an event over: ${cause instanceof Error ? cause.message : String(cause)}`, {
      kept: "the local state is as it was before the event",
      next: "report this with the log",
      exitCode: exitCode.internal,
      cause,
    });
  }
}
