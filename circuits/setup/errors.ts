import { AssayError } from "../../keepers/src/core/errors.ts";

/** A circuit that did not compile, or a key that could not be made. */
export class CircuitSetupError extends AssayError {
  override readonly name: string = "CircuitSetupError";
}
