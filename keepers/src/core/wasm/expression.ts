/** The value types the kernels use (WebAssembly core specification, section 5.3). */
export type ValueType = "i32" | "i64" | "f64" | "v128";

export const valueTypeByte: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b };

/** Code that leaves exactly one value of type `T` on the stack. */
export class Expression<T extends ValueType> {
  readonly type: T;
  readonly code: readonly number[];

  constructor(type: T, code: readonly number[]) {
    this.type = type;
    this.code = code;
  }
}

export type I32 = Expression<"i32">;
export type I64 = Expression<"i64">;
export type F64 = Expression<"f64">;
export type V128 = Expression<"v128">;

/** Throws a TypeError unless `expression` has the wanted type; the compiler sees most mistakes, casts hide some. */
export function requireType(expression: Expression<ValueType>, wanted: ValueType): void {
  if (expression.type !== wanted) throw new TypeError(`expected ${wanted}, got ${expression.type}`);
}
