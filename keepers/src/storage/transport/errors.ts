import { AssayError, type AssayErrorOptions, exitCode } from "../../core/errors.ts";

/** The connection or the stream broke, or the peer was silent for too long. Asking again may help. */
export class TransportError extends AssayError {
  override readonly name: string = "TransportError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, {
      next: "Check the connection and that the keeper runs, then try again; what was received before is kept.",
      exitCode: exitCode.unavailable,
      ...options,
    });
  }
}

/** A message that breaks the protocol: too long, cut off, not of the agreed form. */
export class MalformedMessageError extends AssayError {
  override readonly name: string = "MalformedMessageError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(`malformed message: ${message}`, {
      next: "The peer runs other software, or means harm; use another keeper.",
      exitCode: exitCode.badInput,
      ...options,
    });
  }
}

/** Another peer answers at the address than the one that was meant. */
export class WrongPeerError extends AssayError {
  override readonly name: string = "WrongPeerError";

  constructor(expected: string, address: string, options: AssayErrorOptions = {}) {
    super(`the keeper at ${address} is not ${expected}`, {
      kept: "Nothing was sent to it.",
      next: "Look up the operator's current peer id and address on chain.",
      exitCode: exitCode.refused,
      ...options,
    });
  }
}

/** Why a keeper did not do what it was asked. */
export const refusalCodes = [
  "bad-request",
  "not-found",
  "refused",
  "busy",
  "rate-limited",
  "full",
  "internal",
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

/** A keeper's well-formed no. Thrown by services to send one, and by clients that receive one. */
export class RefusalError extends AssayError {
  override readonly name: string = "RefusalError";
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string, options: AssayErrorOptions = {}) {
    super(message, { next: nextSteps[code], exitCode: exitCode.refused, ...options });
    this.code = code;
  }
}

const nextSteps: Record<RefusalCode, string> = {
  "bad-request": "Correct the request; the same one will be refused again.",
  "not-found": "Ask another keeper that holds the bundle.",
  refused: "Ask another keeper.",
  busy: "Try again later, or ask another keeper.",
  "rate-limited": "Try again more slowly.",
  full: "Ask another keeper.",
  internal: "Try again; if it persists, tell the keeper's operator to look at the log.",
};
