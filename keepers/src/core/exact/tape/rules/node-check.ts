import { elementsOf } from "../../packing.ts";
import { type TapeRule, VoidProgramError } from "../errors.ts";
import type { NodeFacts } from "../facts.ts";
import { type Dtype, flags, type Layout, type Opcode, type Program, type TapeNode } from "../types.ts";

const fit = "compile the model again, or correct the node";

/** One node under examination, with what its rule may ask of it. */
export class NodeCheck<O extends Opcode = Opcode> {
  readonly program: Program;
  readonly tape: number;
  readonly index: number;
  readonly node: TapeNode<O>;
  /** Facts of all earlier nodes of the tape. */
  readonly facts: readonly NodeFacts[];

  constructor(program: Program, tape: number, index: number, facts: readonly NodeFacts[]) {
    this.program = program;
    this.tape = tape;
    this.index = index;
    this.node = program.tapes[tape]![index]! as TapeNode<O>;
    this.facts = facts;
  }

  /** Layouts of the inputs, which must be earlier nodes. */
  get inputs(): readonly Layout[] {
    return this.node.inputs.map((_, i) => this.source(i).output);
  }

  /** The node of input i. */
  source(i: number): TapeNode {
    return this.program.tapes[this.tape]![this.node.inputs[i]!]!;
  }

  /** Dtype of B-bit tensors. */
  get mantissas(): Dtype {
    return this.program.bits === 8 ? "I8" : "I16";
  }

  require(holds: boolean, rule: TapeRule, message: string, remedy = fit): void {
    if (holds) return;
    const { tape, index } = this;
    throw new VoidProgramError({ tape, node: index, opcode: this.node.opcode }, rule, message, remedy);
  }

  /** Exactly so many inputs. */
  count(inputs: number): void {
    const has = this.node.inputs.length;
    this.require(has === inputs, "inputs", `it has ${has} inputs and takes ${inputs}`);
  }

  /** `required` inputs and one for each of `bias` and `gate` that is set; no other flags than `allowed`. */
  flagged(required: number, flagBits: number, allowed: number): { bias: number; gate: number } {
    this.require((flagBits & ~allowed) === 0, "attribute", `its flags are ${flagBits}, of ${allowed}`);
    const bias = flagBits & flags.bias ? 1 : 0;
    const gate = flagBits & flags.gate ? 1 : 0;
    this.count(required + bias + gate);
    return { bias: bias ? required : -1, gate: gate ? required + bias : -1 };
  }

  dtype(i: number, ...allowed: readonly Dtype[]): void {
    const { dtype } = this.inputs[i]!;
    this.require(
      allowed.includes(dtype),
      "dtype",
      `input ${i} is ${dtype}; it takes ${allowed.join(" or ")}`,
    );
  }

  /** Shape of input i, of a rank that must be this. */
  rank(i: number, rank: number): readonly number[] {
    const { shape } = this.inputs[i]!;
    this.require(shape.length === rank, "shape", `input ${i} has rank ${shape.length} and must have ${rank}`);
    return shape;
  }

  shape(i: number, shape: readonly number[]): void {
    const has = this.inputs[i]!.shape;
    this.require(sameShape(has, shape), "shape", `input ${i} is [${has}] and must be [${shape}]`);
  }

  /** Input i has these trailing axes as rows, where its rank leaves a choice. */
  rows(i: number, rowAxes: number): void {
    const has = this.inputs[i]!;
    this.require(
      has.rowAxes === rowAxes,
      "row-axes",
      `rows of input ${i} are ${has.rowAxes} axes and must be ${rowAxes}`,
    );
  }

  output(dtype: Dtype, shape: readonly number[], rowAxes?: number): void {
    const { output } = this.node;
    this.require(output.dtype === dtype, "dtype", `its output is ${output.dtype} and must be ${dtype}`);
    this.require(
      sameShape(output.shape, shape),
      "shape",
      `its output is [${output.shape}] and must be [${shape}]`,
    );
    const expected = rowAxes ?? (shape.length === 4 ? 2 : 1);
    this.require(
      output.rowAxes === expected,
      "row-axes",
      `rows of its output are ${output.rowAxes} axes and must be ${expected}`,
    );
  }

  /** An attribute within [least, most]. */
  within(name: string, least: number, most: number): void {
    const value = (this.node.attributes as Readonly<Record<string, number>>)[name]!;
    this.require(
      value >= least && value <= most,
      "attribute",
      `${name} is ${value}, outside ${least} to ${most}`,
    );
  }

  /** Input i has one exponent, this, whatever the data. */
  exponent(i: number, exponent: number): void {
    const [low, high] = this.facts[this.node.inputs[i]!]!.exponents;
    this.require(
      low === exponent && high === exponent,
      "exponent",
      `input ${i} must have the exponent ${exponent} whatever the data, and has ${low} to ${high}`,
      `put a SHIFT to ${exponent} before it`,
    );
  }

  /** A bias: int32 at the exponent of weights. */
  bias(i: number, outputs: number): void {
    if (i < 0) return;
    this.dtype(i, "I32");
    this.shape(i, [outputs]);
    this.exponent(i, -28);
  }

  /** A gate: a B-bit tensor of the output's shape. */
  gate(i: number): void {
    if (i < 0) return;
    this.dtype(i, this.mantissas);
    this.shape(i, this.node.output.shape);
  }

  /** Dtype that finish F or Q leaves. */
  finished(flagBits: number): Dtype {
    return flagBits & flags.fixed ? "I32" : this.mantissas;
  }
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

export function sameElements(a: readonly number[], b: readonly number[]): boolean {
  return elementsOf(a) === elementsOf(b);
}
