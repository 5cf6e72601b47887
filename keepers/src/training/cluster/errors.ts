import { AssayError, exitCode } from "../../core/errors.ts";

/** Bytes of a worker or a provider that are not what the step they belong to can have. */
export class BadPartError extends AssayError {
  override readonly name: string = "BadPartError";

  constructor(message: string) {
    super(message, { exitCode: exitCode.badInput });
  }
}

/** A worker that was caught in a lie, or that never was in the cluster, asked for work. */
export class BarredWorkerError extends AssayError {
  override readonly name: string = "BarredWorkerError";

  constructor(worker: string) {
    super(`the worker ${worker} gets no more work: a result of it was wrong`, { exitCode: exitCode.refused });
  }
}

/**
 * Workers were caught, and an earlier call has taken results on their word alone: everything since must be computed again.
 */
export class TaintedRunError extends AssayError {
  override readonly name: string = "TaintedRunError";
  /** First step, counted from 0, that may be wrong. */
  readonly step: number;

  constructor(step: number) {
    super(`workers lied; from step ${step} on results were taken on their word alone`, {
      kept: "The checkpoints up to that step.",
      next: "The run goes on from there without those workers.",
      exitCode: exitCode.partial,
    });
    this.step = step;
  }
}
