import type { FunctionBuilder, ModuleBuilder } from "../wasm/assembler.ts";
import { f64, f64x2, i32, i64x2, type Local, type V128, v128 } from "../wasm/instructions.ts";
import type { Arithmetic, ArithmeticFunctions } from "./arithmetic.ts";
import { fieldOrder } from "./field.ts";
import {
  balancedDigits,
  centred,
  emitLoad,
  emitStore,
  inverseModuloPowerOfTwo,
  type LimbShape,
  writeWords,
} from "./limbs.ts";

// Two field elements at once, in double-precision fused multiply-adds.
//
// An element is five limbs of 51 bits, integers held exactly by doubles. The product of two limbs is split by two
// fused operations: high = fma(a, b, H) with H = 3·2^102 rounds the product to a multiple of 2^51, and
// low = fma(a, b, (H + L) − high) with L = 3·2^51 is exact. Both results lie in one binade, so their bit patterns
// count in units of 2^51 and of 1, and patterns can be added as 64-bit integers, whose wrap-around makes the constant
// parts known beforehand. Dozens of products are summed so before one Montgomery reduction.
// Source of the splitting: Emmart, Zheng, Weems: Faster modular exponentiation using double precision floating point
// arithmetic on the GPU (ARITH 2018); here with rounding to nearest, which asks for signed ("balanced") limbs.
//
// Bounds. Limbs are below 2^50.3 in size and doubled ones below 2^51.3, coefficients below 2^50, so every product is
// below 2^102 and stays in H's binade. A column collects at most 33 terms of five lows (≤ 2^50) and five highs
// (≤ 2^50.3) and stays below 2^59; 2^62 is added to keep shifts unsigned. An S-box input is below 1.5 p (input plus
// constant) or p (sum plus constant) in size. With R = 2^255 > 2.64 p, products come out below p/2 + |a·b|/R:
// squares below 1.36 p, fourth powers below 1.2 p, fifth powers below 1.2 p. A sum is reduced by 2^306, which leaves
// it below p/2 + 2^−40 p, plus a constant of at most p/2.

const limbs = 5;
const limbBits = 51;
const sumSteps = 6;
const columns = limbs + sumSteps;

const bitsOf = (value: number): bigint => new BigInt64Array(new Float64Array([value]).buffer)[0]!;
const highBase = 3 * 2 ** 102;
const lowBase = 3 * 2 ** 51;
const highBits = bitsOf(highBase);
const lowBits = bitsOf(lowBase);
const unit = 1n << BigInt(limbBits);
const positive = 1n << 62n;
const digitBase = 2 ** 52;

/** −p^−1 mod 2^51, the factor that makes a column divisible by 2^51. */
const negatedInverse = BigInt.asIntN(limbBits, -inverseModuloPowerOfTwo(fieldOrder, limbBits));
const orderLimbs = Array.from(
  { length: limbs },
  (_, i) => (fieldOrder >> BigInt(limbBits * i)) & (unit - 1n),
);

/** Two-lane constants at the start of the memory, in the order of the addresses below. */
const patterns: readonly bigint[] = [
  highBits,
  bitsOf(highBase + lowBase),
  lowBits,
  unit - 1n,
  bitsOf(digitBase),
  bitsOf(digitBase + 2 ** (limbBits - 1)),
  bitsOf(Number(negatedInverse)),
  ...orderLimbs.map((limb) => bitsOf(Number(limb))),
];
const [highAt, bothAt, lowAt, maskAt, digitAt, balancedDigitAt, inverseAt, orderAt] = patterns.map(
  (_, i) => 16 * i,
) as [number, number, number, number, number, number, number, number];
const squareStartAt = 16 * patterns.length;
const productStartAt = squareStartAt + 8 * 2 * limbs;
const scratchAt = productStartAt + 8 * 2 * limbs;

/** Which limbs a product multiplies. */
type Pair = readonly [number, number];
const productPairs: readonly Pair[] = Array.from({ length: 2 * limbs - 1 }, (_, c) => c).flatMap((c) =>
  Array.from({ length: limbs }, (_, i): Pair => [i, c - i]).filter(([, j]) => j >= 0 && j < limbs),
);
const squarePairs = productPairs.filter(([i, j]) => i <= j);

/** What columns start from, so that after `terms` times these pairs and `steps` of reduction they hold plain values. */
function startColumns(pairs: readonly Pair[], terms: number, steps: number, constant: bigint): bigint[] {
  const start = new Array<bigint>(limbs + steps).fill(0n);
  const add = (column: number, value: bigint): void => {
    start[column] = start[column]! + value;
  };
  const undo = (column: number, count: bigint): void => {
    add(column, -count * lowBits);
    add(column + 1, -count * highBits);
  };
  for (const [i, j] of pairs) undo(i + j, BigInt(terms));
  for (let step = 0; step < steps; step++) for (let j = 0; j < limbs; j++) undo(step + j, 1n);
  for (let column = 0; column < steps + limbs - 1; column++) {
    add(column, positive);
    add(column + 1, -(positive >> BigInt(limbBits)));
  }
  balancedDigits(constant, limbBits, limbs).forEach((digit, j) => {
    add(steps + j, digit);
    add(steps + j, j < limbs - 1 ? 1n << BigInt(limbBits - 1) : lowBits);
  });
  return start.map((value) => BigInt.asUintN(64, value));
}

const constant = (address: number): V128 => v128.load(i32.const(address));

/** Emits code into one function, with the temporaries it needs. */
class Emitter {
  readonly f: FunctionBuilder;
  readonly #high: Local<"v128">;
  readonly #low: Local<"v128">;
  readonly #digit: Local<"v128">;

  constructor(f: FunctionBuilder) {
    this.f = f;
    this.#high = f.local("v128");
    this.#low = f.local("v128");
    this.#digit = f.local("v128");
  }

  /** Adds a·b to the columns that start at `low`. */
  addProduct(a: V128, b: V128, low: Local<"v128">, high: Local<"v128">): void {
    const { f } = this;
    f.set(this.#high, f64x2.relaxedMadd(a, b, constant(highAt)));
    f.set(this.#low, f64x2.relaxedMadd(a, b, f64x2.sub(constant(bothAt), this.#high.value)));
    f.set(high, i64x2.add(high.value, this.#high.value));
    f.set(low, i64x2.add(low.value, this.#low.value));
  }

  addProducts(
    pairs: readonly Pair[],
    a: readonly V128[],
    b: readonly V128[],
    sums: readonly Local<"v128">[],
  ): void {
    for (const [i, j] of pairs) this.addProduct(a[i]!, b[j]!, sums[i + j]!, sums[i + j + 1]!);
  }

  startFrom(sums: readonly Local<"v128">[], address: Local<"i32"> | number): void {
    const base = typeof address === "number" ? i32.const(address) : address.value;
    sums.forEach((sum, column) => {
      this.f.set(sum, v128.load64Splat(base, 8 * column));
    });
  }

  /** Montgomery reduction by 2^(51·steps); leaves the limbs in `result`. */
  reduce(sums: readonly Local<"v128">[], steps: number, result: readonly Local<"v128">[]): void {
    const { f } = this;
    const digit = this.#digit;
    const carry = (column: number): void => {
      const next = sums[column + 1]!;
      f.set(next, i64x2.add(next.value, i64x2.shrU(sums[column]!.value, i32.const(limbBits))));
    };
    const lowDigit = (column: number, base: number): V128 =>
      f64x2.sub(v128.or(v128.and(sums[column]!.value, constant(maskAt)), constant(digitAt)), constant(base));
    for (let step = 0; step < steps; step++) {
      f.set(digit, lowDigit(step, digitAt));
      f.set(this.#high, f64x2.relaxedMadd(digit.value, constant(inverseAt), constant(highAt)));
      const low = f64x2.sub(constant(bothAt), this.#high.value);
      f.set(this.#low, f64x2.relaxedMadd(digit.value, constant(inverseAt), low));
      f.set(digit, f64x2.sub(this.#low.value, constant(lowAt)));
      for (let j = 0; j < limbs; j++) {
        this.addProduct(digit.value, constant(orderAt + 16 * j), sums[step + j]!, sums[step + j + 1]!);
      }
      carry(step);
    }
    for (let j = 0; j < limbs - 1; j++) {
      f.set(result[j]!, lowDigit(steps + j, balancedDigitAt));
      carry(steps + j);
    }
    f.set(result[limbs - 1]!, f64x2.sub(sums[steps + limbs - 1]!.value, constant(lowAt)));
  }

  load(element: readonly Local<"v128">[], address: Local<"i32">): void {
    element.forEach((limb, j) => {
      this.f.set(limb, v128.load(address.value, 16 * j));
    });
  }

  store(address: Local<"i32">, element: readonly Local<"v128">[]): void {
    element.forEach((limb, j) => {
      this.f.emit(v128.store(address.value, limb.value, 16 * j));
    });
  }
}

const values = (element: readonly Local<"v128">[]): V128[] => element.map((limb) => limb.value);

function emitDot(module: ModuleBuilder): FunctionBuilder {
  const f = module.function(["i32", "i32", "i32", "i32", "i32"]);
  const [result, coefficient, operand, left, start] = f.parameters.map((_, i) =>
    f.parameter("i32", i),
  ) as Parameter5;
  const sums = f.locals("v128", columns);
  const a = f.locals("v128", limbs);
  const b = f.locals("v128", limbs);
  const emitter = new Emitter(f);
  emitter.startFrom(sums, start);
  f.loop((again) => {
    b.forEach((limb, j) => {
      f.set(limb, v128.load64Splat(coefficient.value, 8 * j));
    });
    emitter.load(a, operand);
    emitter.addProducts(productPairs, values(a), values(b), sums);
    f.set(coefficient, i32.add(coefficient.value, i32.const(8 * limbs)));
    f.set(operand, i32.add(operand.value, i32.const(16 * limbs)));
    f.set(left, i32.sub(left.value, i32.const(1)));
    f.branchIf(again, left.value);
  });
  emitter.reduce(sums, sumSteps, a);
  emitter.store(result, a);
  return f;
}

type Parameter5 = [Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">];

function emitFifthPower(module: ModuleBuilder): FunctionBuilder {
  const f = module.function(["i32", "i32"]);
  const sums = f.locals("v128", 2 * limbs);
  const x = f.locals("v128", limbs);
  const twice = f.locals("v128", limbs);
  const emitter = new Emitter(f);
  emitter.load(x, f.parameter("i32", 1));
  for (let squaring = 0; squaring < 2; squaring++) {
    x.forEach((limb, j) => {
      f.set(twice[j]!, f64x2.add(limb.value, limb.value));
    });
    emitter.startFrom(sums, squareStartAt);
    for (const [i, j] of squarePairs) {
      emitter.addProduct(x[i]!.value, (i === j ? x : twice)[j]!.value, sums[i + j]!, sums[i + j + 1]!);
    }
    emitter.reduce(sums, limbs, x);
  }
  emitter.load(twice, f.parameter("i32", 1));
  emitter.startFrom(sums, productStartAt);
  emitter.addProducts(productPairs, values(x), values(twice), sums);
  emitter.reduce(sums, limbs, x);
  emitter.store(f.parameter("i32", 0), x);
  return f;
}

function emitCopy(module: ModuleBuilder): FunctionBuilder {
  const f = module.function(["i32", "i32"]);
  for (let j = 0; j < limbs; j++) {
    f.emit(v128.store(f.parameter("i32", 0).value, v128.load(f.parameter("i32", 1).value, 16 * j), 16 * j));
  }
  return f;
}

const limbShape: LimbShape = {
  count: limbs,
  bits: limbBits,
  scratch: scratchAt,
  writeLimb: (f, element, lane, limb, digit) => {
    const target = i32.add(element, i32.mul(lane, i32.const(8)));
    f.emit(f64.store(target, f64.convertI64S(digit), 16 * limb));
  },
  readLimb: (element, lane, limb) => {
    const shifted = f64x2.add(v128.load(element, 16 * limb), constant(lowAt));
    return i64x2.extractLane(i64x2.sub(shifted, constant(lowAt)), lane);
  },
};

/** Needs `engineFeatures().fusedMultiplyAdd`. */
export const fusedArithmetic: Arithmetic = {
  lanes: 2,
  elementBytes: 16 * limbs,
  coefficientBytes: 8 * limbs,
  startBytes: 8 * columns,
  constantBytes: 8 * limbs,
  productShift: limbBits * limbs,
  sumShift: limbBits * sumSteps,
  constantsBytes: scratchAt + 16,
  encodeConstants(memory) {
    patterns.forEach((bits, i) => {
      writeWords(memory, 16 * i, [bits, bits]);
    });
    writeWords(memory, squareStartAt, startColumns(squarePairs, 1, limbs, 0n));
    writeWords(memory, productStartAt, startColumns(productPairs, 1, limbs, 0n));
  },
  encodeCoefficient(memory, at, value) {
    balancedDigits(centred(value), limbBits, limbs).forEach((digit, j) => {
      memory.setFloat64(at + 8 * j, Number(digit), true);
    });
  },
  encodeStart(memory, at, constant, count) {
    writeWords(memory, at, startColumns(productPairs, count, sumSteps, centred(constant)));
  },
  encodeConstant(memory, at, constant) {
    writeWords(memory, at, balancedDigits(centred(constant), limbBits, limbs));
  },
  emit(module): ArithmeticFunctions {
    return {
      dot: emitDot(module),
      fifthPower: emitFifthPower(module),
      copy: emitCopy(module),
      loadCellElement: emitLoad(module, limbShape, 31),
      loadDigest: emitLoad(module, limbShape, 32),
      storeDigests: emitStore(module, limbShape, 2),
    };
  },
};
