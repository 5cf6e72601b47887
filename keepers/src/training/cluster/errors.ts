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
 * A worker was caught, and an earlier call has taken results of it unchecked: everything since must be computed again.
 */
export class TaintedRunError extends AssayError {
  override readonly name: string = "TaintedRunError";
  readonly worker: string;
  /** First step, counted from 0, that may be wrong. */
  readonly step: number;

  constructor(worker: string, step: number) {
    super(
      `a result of the worker ${worker} was wrong; from step ${step} on results of it were taken unchecked`,
      {
        kept: "The checkpoints up to that step.",
        next: "The run goes on from there without that worker.",
        exitCode: exitCode.partial,
      },
    );
    this.worker = worker;
    this.step = step;
  }
}
