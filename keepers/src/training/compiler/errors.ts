import { type AssayErrorOptions, BadInputError } from "../../core/errors.ts";
import type { VoidPlace } from "../../core/exact/tape/errors.ts";
import type { Program } from "../../core/exact/tape/types.ts";

/** A model, or a description of data, loss or optimiser, from which no program can be made. */
export class CompileError extends BadInputError {
  override readonly name: string = "CompileError";
}

/** A model that compiles to a program that breaks a rule of the tape. */
export class VoidModelError extends CompileError {
  override readonly name: string = "VoidModelError";
  readonly program: Program;
  readonly place: VoidPlace;

  constructor(message: string, program: Program, place: VoidPlace, options: AssayErrorOptions) {
    super(message, options);
    this.program = program;
    this.place = place;
  }
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
