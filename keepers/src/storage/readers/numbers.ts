import type { Dtype } from "../../core/dataset/format.ts";
import { fits } from "../../core/dataset/records.ts";

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?$/;
const integer = /^[+-]?\d+$/;
/** Longer than the longest decimal that is a 64-bit float to its last digit. */
const maxCellLength = 1100;
const integerTypes = ["u8", "i8", "i16", "i32"] as const;

/** The number that a cell holds; null when it holds none, or one that a 64-bit float cannot hold. */
export function parseNumber(text: string): number | null {
  if (text.length > maxCellLength || !decimal.test(text)) return null;
  const value = Number(text);
  if (!Number.isFinite(value)) return null;
  return integer.test(text) && !Number.isSafeInteger(value) ? null : value;
}

/** Finds the smallest number type that gives every value back as the same number. */
export class TypeFinder {
  readonly #possible = new Set<Dtype>([...integerTypes, "f32"]);

  add(value: number): void {
    for (const dtype of this.#possible) {
      const held = dtype === "f32" ? Number(shortestFloat32(value)) === value : fits(dtype, value);
      if (!held) this.#possible.delete(dtype);
    }
  }

  /** The type found: an integer type when one holds all values, else f32 when none changes, else f64. */
  dtype(): Dtype {
    return [...integerTypes, "f32" as const].find((dtype) => this.#possible.has(dtype)) ?? "f64";
  }
}

/** The text of a value: the shortest decimal that gives the same value of its type. */
export function numberText(dtype: Dtype, value: number): string {
  return dtype === "f32" ? shortestFloat32(value) : String(value);
}

/** The shortest decimal that rounds to the value's 32-bit float; nine digits always do (IEEE 754, 5.12.2). */
function shortestFloat32(value: number): string {
  const rounded = Math.fround(value);
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(rounded.toPrecision(digits)));
    if (Math.fround(Number(text)) === rounded) return text;
  }
  return String(Number(rounded.toPrecision(9)));
}
