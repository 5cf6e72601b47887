import { type AssayErrorOptions, BadInputError } from "../../core/errors.ts";

/** A model, or a description of data, loss or optimiser, from which no program can be made. */
export class CompileError extends BadInputError {
  override readonly name: string = "CompileError";
}

/** An operator, or a use of one, that has no exact realisation. */
export class UnsupportedOperatorError extends CompileError {
  override readonly name: string = "UnsupportedOperatorError";
  /** Where it stands in the model, and which operator it is. */
  readonly node: string;
  readonly operator: string;

  constructor(node: string, operator: string, problem: string, options: AssayErrorOptions) {
    super(`${node}: ${problem}`, options);
    this.node = node;
    this.operator = operator;
  }
}
