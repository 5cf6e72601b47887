/** Exit codes of the `assay` command, after the BSD `sysexits.h` convention where one fits. */
export const exitCode = {
  ok: 0,
  failure: 1,
  usage: 64,
  badInput: 65,
  unavailable: 69,
  internal: 70,
  cannotWrite: 73,
  partial: 75,
  refused: 77,
  configuration: 78,
  /** Ended by Ctrl-C and by SIGTERM: 128 + the signal's number. */
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

export type AssayErrorOptions = {
  /** What was kept in spite of the failure, in the user's words; left out when nothing was at stake. */
  kept?: string;
  /** What the user can do next. */
  next?: string;
  exitCode?: ExitCode;
  cause?: unknown;
};

/** Base of every failure a user can meet: what happened (message), what was kept, what to do next. */
export class AssayError extends Error {
  override readonly name: string = "AssayError";
  readonly kept: string | undefined;
  readonly next: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kept = options.kept;
    this.next = options.next;
    this.exitCode = options.exitCode ?? exitCode.failure;
  }
}

/** Bytes or values from outside that do not have the form they must have. */
export class BadInputError extends AssayError {
  override readonly name: string = "BadInputError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, { exitCode: exitCode.badInput, ...options });
  }
}
