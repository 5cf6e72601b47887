import { BadInputError } from "../../core/errors.ts";

/** A program whose sums could leave float64: no valid program has such a node. */
export class BoundError extends BadInputError {
  override readonly name: string = "BoundError";
  /** Index in tape 0. */
  readonly node: number;

  constructor(node: number, opcode: string) {
    super(`node ${node} (${opcode}) of tape 0: its sums can reach 2^52 and would not be exact`, {
      next: "Validate the program; split the sum.",
    });
    this.node = node;
  }
}
