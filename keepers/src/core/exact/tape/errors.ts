import { AssayError, exitCode } from "../../errors.ts";

/** The rules of `docs/exact-ops.md`, section 4, that a tape can break. */
export type TapeRule =
  | "program"
  | "opcode"
  | "inputs"
  | "attribute"
  | "dtype"
  | "shape"
  | "row-axes"
  | "limit"
  | "range"
  | "label"
  | "slot"
  | "exponent"
  | "bound"
  | "probability-bits"
  | "opening";

/** Where a program breaks a rule; `node` is absent when a whole tape or program does. */
export type VoidPlace = { readonly tape?: number; readonly node?: number; readonly opcode?: string };

/** A program that must not be run: it breaks a rule that makes it checkable. */
export class VoidProgramError extends AssayError {
  override readonly name = "VoidProgramError";
  readonly rule: TapeRule;
  readonly place: VoidPlace;

  constructor(place: VoidPlace, rule: TapeRule, message: string, remedy: string) {
    const { tape, node, opcode } = place;
    const words = [
      ...(tape === undefined ? [] : [`tape ${tape}`]),
      ...(node === undefined ? [] : [`node ${node}`]),
    ].join(", ");
    const where = opcode === undefined ? words : `${words} (${opcode})`;
    super(`${where === "" ? "program" : where}: ${message} [${rule}]`, {
      next: remedy,
      exitCode: exitCode.badInput,
    });
    this.rule = rule;
    this.place = place;
  }
}
