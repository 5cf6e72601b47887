import { type Expression, type I32, requireType, type ValueType, valueTypeByte } from "./expression.ts";
import { Local, type Statement } from "./instructions.ts";
import { unsignedLeb128 } from "./leb128.ts";

// A small WebAssembly encoder. Kernels are emitted at run time, so that no compiler, binary file or native module is
// needed on any platform, and one generator serves several widths and instruction sets.
// Source: WebAssembly core specification, section 5 (binary format).

/** Where a branch may go: the start of a loop or the end of a block. Valid only inside the body it was made for. */
export type Label = { readonly depth: number };

/** Builds one function body, statement by statement. */
export class FunctionBuilder {
  readonly index: number;
  readonly parameters: readonly ValueType[];
  readonly #locals: ValueType[] = [];
  readonly #code: number[] = [];
  readonly #open: Label[] = [];

  constructor(index: number, parameters: readonly ValueType[]) {
    this.index = index;
    this.parameters = parameters;
  }

  /** The parameter at `position`; throws a TypeError when it is not of this type. */
  parameter<T extends ValueType>(type: T, position: number): Local<T> {
    if (this.parameters[position] !== type) throw new TypeError(`parameter ${position} is not ${type}`);
    return new Local(type, position);
  }

  local<T extends ValueType>(type: T): Local<T> {
    this.#locals.push(type);
    return new Local(type, this.parameters.length + this.#locals.length - 1);
  }

  locals<T extends ValueType>(type: T, count: number): Local<T>[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  set<T extends ValueType>(target: Local<T>, value: Expression<T>): void {
    const declared = this.parameters[target.index] ?? this.#locals[target.index - this.parameters.length];
    if (declared !== target.type) throw new TypeError("the local belongs to another function");
    requireType(value, target.type);
    this.#code.push(...value.code, 0x21, ...unsignedLeb128(target.index));
  }

  emit(statement: Statement): void {
    this.#code.push(...statement.code);
  }

  /** Repeats `body` for as long as it branches to the label it is given. */
  loop(body: (again: Label) => void): void {
    this.#structured(0x03, body);
  }

  /** Runs `body` once; branching to its label leaves it. */
  block(body: (end: Label) => void): void {
    this.#structured(0x02, body);
  }

  branchIf(label: Label, condition: I32): void {
    requireType(condition, "i32");
    if (this.#open[label.depth] !== label) throw new RangeError("the label's block is closed");
    this.#code.push(...condition.code, 0x0d, ...unsignedLeb128(this.#open.length - 1 - label.depth));
  }

  call(target: FunctionBuilder, ...operands: Expression<ValueType>[]): void {
    if (operands.length !== target.parameters.length) {
      throw new TypeError(`the callee takes ${target.parameters.length} operands, not ${operands.length}`);
    }
    operands.forEach((operand, position) => {
      requireType(operand, target.parameters[position]!);
    });
    this.#code.push(...operands.flatMap((operand) => operand.code), 0x10, ...unsignedLeb128(target.index));
  }

  encode(): number[] {
    const locals = this.#locals.flatMap((type) => [1, valueTypeByte[type]]);
    const body = [...unsignedLeb128(this.#locals.length), ...locals];
    return unsignedLeb128(body.length + this.#code.length + 1).concat(body, this.#code, 0x0b);
  }

  #structured(opcode: number, body: (label: Label) => void): void {
    const label: Label = { depth: this.#open.length };
    this.#open.push(label);
    this.#code.push(opcode, 0x40);
    body(label);
    this.#code.push(0x0b);
    this.#open.pop();
  }
}

const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsignedLeb128(items.length),
  ...items.flat(),
];

const section = (id: number, content: readonly number[]): number[] =>
  [id].concat(unsignedLeb128(content.length), content as number[]);

const text = (name: string): number[] => {
  const bytes = [...new TextEncoder().encode(name)];
  return [...unsignedLeb128(bytes.length), ...bytes];
};

/** Builds a module with one exported memory and functions without results (they answer through the memory). */
export class ModuleBuilder {
  readonly #pages: number;
  readonly #functions: FunctionBuilder[] = [];
  readonly #exports: number[][] = [];

  /** @param pages size of the memory, exported as `memory`, in pages of 64 KiB. */
  constructor(pages: number) {
    this.#pages = pages;
  }

  /** Declares a function; it is exported when it has a name. Functions may call those declared before them. */
  function(parameters: readonly ValueType[], name?: string): FunctionBuilder {
    const builder = new FunctionBuilder(this.#functions.length, parameters);
    this.#functions.push(builder);
    if (name !== undefined) this.#exports.push([...text(name), 0x00, ...unsignedLeb128(builder.index)]);
    return builder;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const types = this.#functions.map(({ parameters }) => [
      0x60,
      ...vector(parameters.map((type) => [valueTypeByte[type]])),
      0x00,
    ]);
    const bodies = this.#functions.map((builder) => builder.encode());
    return new Uint8Array(
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00].concat(
        section(1, vector(types)),
        section(3, vector(this.#functions.map(({ index }) => unsignedLeb128(index)))),
        section(5, vector([[0x00, ...unsignedLeb128(this.#pages)]])),
        section(7, vector([[...text("memory"), 0x02, 0x00], ...this.#exports])),
        section(10, vector(bodies)),
      ),
    );
  }
}
