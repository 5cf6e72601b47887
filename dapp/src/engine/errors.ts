import { AssayError } from "../../../keepers/src/core/errors.ts";
import type { Failure } from "./protocol.ts";

/** What a method of the worker failed with, in the page: message, what was kept, and what to do next are its own. */
export class EngineFailure extends AssayError {
  override readonly name: string;
  /** The node of a model that stands in the way, and its operator. */
  readonly node: string | undefined;
  readonly operator: string | undefined;

  constructor({ name, message, kept, next, node, operator }: Failure) {
    super(message, { kept, next });
    this.name = name;
    this.node = node;
    this.operator = operator;
  }
}

/** The worker itself ended. */
export class EngineStoppedError extends AssayError {
  override readonly name: string = "EngineStoppedError";

  constructor(reason: string) {
    super(`The computation stopped: ${reason}.`, {
      next: "Try again; if it stops again, close other tabs, for memory may be short.",
    });
  }
}

/** An error as it goes to the page. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  const { kept, next, node, operator } = error as Error & Partial<Failure>;
  return { name, message, kept, next, node, operator };
}
