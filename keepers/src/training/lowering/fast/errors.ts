import { AssayError, BadInputError } from "../../../core/errors.ts";

/** A program whose sums cannot be proved to fit the type that would carry them. */
export class CarrierBoundError extends BadInputError {
  override readonly name: string = "CarrierBoundError";

  constructor(what: string, magnitude: number, limit: number) {
    super(
      `${what}: sums can reach 2^${Math.log2(magnitude).toFixed(2)}, exact only below 2^${Math.log2(limit)}`,
      { next: "Use a smaller layer or a smaller micro-batch." },
    );
  }
}

/** A tape whose shape none of the fast rules matches; such a program is lowered node by node instead. */
export class NoFastRule extends AssayError {
  override readonly name: string = "NoFastRule";
}
