import {
  Expression,
  type F64,
  type I32,
  type I64,
  requireType,
  type V128,
  type ValueType,
} from "./expression.ts";
import { signedLeb128, unsignedLeb128 } from "./leb128.ts";

// One entry per instruction in use, under its WebAssembly name. Opcodes: core specification, section 5.4, with the
// SIMD and relaxed SIMD instructions behind the prefix 0xFD.

const simd = (opcode: number): number[] => [0xfd, ...unsignedLeb128(opcode)];

function apply<T extends ValueType>(
  type: T,
  opcode: readonly number[],
  operands: readonly Expression<ValueType>[],
  types: readonly ValueType[],
): Expression<T> {
  operands.forEach((operand, position) => {
    requireType(operand, types[position]!);
  });
  return new Expression(type, [...operands.flatMap((operand) => operand.code), ...opcode]);
}

const unary =
  <A extends ValueType, T extends ValueType>(type: T, opcode: readonly number[], operand: A) =>
  (a: Expression<A>): Expression<T> =>
    apply(type, opcode, [a], [operand]);

const binary =
  <A extends ValueType, B extends ValueType, T extends ValueType>(
    type: T,
    opcode: readonly number[],
    left: A,
    right: B,
  ) =>
  (a: Expression<A>, b: Expression<B>): Expression<T> =>
    apply(type, opcode, [a, b], [left, right]);

const same = <T extends ValueType>(type: T, opcode: readonly number[]) => binary(type, opcode, type, type);

/** `align` is the exponent of the natural alignment; it is a hint, unaligned addresses are allowed. */
const memoryArgument = (align: number, offset: number): number[] => [align, ...unsignedLeb128(offset)];

const load =
  <T extends ValueType>(type: T, opcode: readonly number[], align: number) =>
  (address: I32, offset = 0): Expression<T> =>
    apply(type, [...opcode, ...memoryArgument(align, offset)], [address], ["i32"]);

/** Code of a store, for `FunctionBuilder.emit`: it leaves nothing on the stack. */
export type Statement = { readonly code: readonly number[] };

const store =
  <T extends ValueType>(type: T, opcode: readonly number[], align: number) =>
  (address: I32, value: Expression<T>, offset = 0): Statement => {
    requireType(address, "i32");
    requireType(value, type);
    return { code: [...address.code, ...value.code, ...opcode, ...memoryArgument(align, offset)] };
  };

const lane = (index: number, lanes: number): number => {
  if (!Number.isInteger(index) || index < 0 || index >= lanes)
    throw new RangeError(`no lane ${index} of ${lanes}`);
  return index;
};

export const i32 = {
  const: (value: number): I32 =>
    new Expression("i32", [0x41, ...signedLeb128(BigInt.asIntN(32, BigInt(value)))]),
  add: same("i32", [0x6a]),
  sub: same("i32", [0x6b]),
  mul: same("i32", [0x6c]),
  ltU: same("i32", [0x49]),
};

export const i64 = {
  const: (value: bigint): I64 => new Expression("i64", [0x42, ...signedLeb128(BigInt.asIntN(64, value))]),
  load: load("i64", [0x29], 3),
  load32S: load("i64", [0x34], 2),
  store: store("i64", [0x37], 3),
  store32: store("i64", [0x3e], 2),
  add: same("i64", [0x7c]),
  sub: same("i64", [0x7d]),
  mul: same("i64", [0x7e]),
  and: same("i64", [0x83]),
  or: same("i64", [0x84]),
  xor: same("i64", [0x85]),
  shl: same("i64", [0x86]),
  shrS: same("i64", [0x87]),
  shrU: same("i64", [0x88]),
  rotl: same("i64", [0x89]),
};

export const f64 = {
  store: store("f64", [0x39], 3),
  convertI64S: unary("f64", [0xb9], "i64"),
};

export const v128 = {
  load: load("v128", simd(0), 4),
  load64Splat: load("v128", simd(10), 3),
  store: store("v128", simd(11), 4),
  load32Splat: load("v128", simd(9), 2),
  /** Stores the lower of two 64-bit lanes. */
  store64Low: (address: I32, value: V128, offset = 0): Statement => {
    const plain = store("v128", simd(91), 3)(address, value, offset);
    return { code: [...plain.code, 0] };
  },
  zero: new Expression("v128", [...simd(12), ...new Array<number>(16).fill(0)]),
  and: same("v128", simd(78)),
  or: same("v128", simd(80)),
  xor: same("v128", simd(81)),
};

export const i8x16 = {
  splat: unary("v128", simd(15), "i32"),
  swizzle: same("v128", simd(14)),
  /** Like `swizzle` for indices below 16; above, the result depends on the machine. */
  relaxedSwizzle: same("v128", simd(0x100)),
  shuffle: (a: V128, b: V128, lanes: readonly number[]): V128 => {
    if (lanes.length !== 16) throw new RangeError(`a shuffle names 16 lanes, not ${lanes.length}`);
    const operand = lanes.map((index) => lane(index, 32));
    return apply("v128", [...simd(13), ...operand], [a, b], ["v128", "v128"]);
  },
};

export const i32x4 = {
  add: same("v128", simd(174)),
  mul: same("v128", simd(181)),
};

export const i64x2 = {
  /** Products of the two lower signed 32-bit lanes. */
  extmulLowI32x4S: same("v128", simd(220)),
  splat: unary("v128", simd(18), "i64"),
  extractLane: (a: V128, index: number): I64 => apply("i64", [...simd(29), lane(index, 2)], [a], ["v128"]),
  add: same("v128", simd(206)),
  sub: same("v128", simd(209)),
  shrU: binary("v128", simd(205), "v128", "i32"),
};

export const f64x2 = {
  add: same("v128", simd(240)),
  sub: same("v128", simd(241)),
  /** a·b + c, rounded once where the engine fuses it and twice where it does not: check before relying on it. */
  relaxedMadd: (a: V128, b: V128, c: V128): V128 =>
    apply("v128", simd(0x107), [a, b, c], ["v128", "v128", "v128"]),
};

/** A local variable or parameter; `index` counts parameters first. */
export class Local<T extends ValueType> {
  readonly type: T;
  readonly index: number;

  constructor(type: T, index: number) {
    this.type = type;
    this.index = index;
  }

  get value(): Expression<T> {
    return new Expression(this.type, [0x20, ...unsignedLeb128(this.index)]);
  }
}

export type { F64, I32, I64, V128 };
