import type { FunctionBuilder, ModuleBuilder } from "../wasm/assembler.ts";
import { i8x16, i32, i32x4, i64, i64x2, type Local, type V128, v128 } from "../wasm/instructions.ts";
import type { Arithmetic, ArithmeticFunctions } from "./arithmetic.ts";
import { fieldOrder } from "./field.ts";
import {
  balancedDigits,
  centred,
  emitLoad,
  emitStore,
  inverseModuloPowerOfTwo,
  type LimbShape,
  orderLimbs,
  writeWords,
} from "./limbs.ts";

// Two field elements at once, in 32-bit integer multiplications of plain WebAssembly SIMD: for engines and machines
// without fused multiply-adds. An element is nine signed limbs of 29 bits; columns of products are carried only
// every seven terms and reduced once per sum.
//
// Bounds. Limbs and coefficients are at most 2^28 in size (doubled limbs 2^29), so seven terms of at most nine
// products stay below 2^62, which is what is added to keep shifts unsigned; one term and the reduction's 9·2^58 stay
// below 2^62 too. With R = 2^261 > 160 p, a reduction leaves −0.2 p … 1.2 p even for 33 terms.

const limbs = 9;
const limbBits = 29;
const columns = 2 * limbs;
const termsPerCarry = 7;
const positive = 1n << 62n;
const mask = (1n << BigInt(limbBits)) - 1n;
const halfUnit = 1n << BigInt(limbBits - 1);
const spill = positive >> BigInt(limbBits);

const maskAt = 0;
const halfUnitAt = 16;
const positiveAt = 32;
const spillAt = 48;
const inverseAt = 64;
const productStartAt = 80;
const orderAt = productStartAt + 8 * columns;
const scratchAt = orderAt + 16 * limbs;

const elementBytes = 8 * limbs;

/** What columns start from, so that the shifts of the reduction and of the last carries are unsigned. */
function startColumns(constant: bigint): bigint[] {
  const start = new Array<bigint>(columns).fill(0n);
  for (let column = 0; column < columns - 1; column++) {
    start[column] = start[column]! + positive;
    start[column + 1] = start[column + 1]! - spill;
  }
  balancedDigits(constant, limbBits, limbs).forEach((digit, j) => {
    start[limbs + j] = start[limbs + j]! + digit + (j < limbs - 1 ? halfUnit : 0n);
  });
  return start;
}

const constant = (address: number): V128 => v128.load(i32.const(address));

/** Brings the lower halves of two 64-bit lanes together in the lower lane. */
const narrow = (wide: V128): V128 =>
  i8x16.shuffle(wide, v128.zero, [0, 1, 2, 3, 8, 9, 10, 11, ...new Array(8).fill(16)]);

type Sums = readonly Local<"v128">[];

function addProduct(f: FunctionBuilder, sum: Local<"v128">, a: V128, b: V128): void {
  f.set(sum, i64x2.add(sum.value, i64x2.extmulLowI32x4S(a, b)));
}

function carry(f: FunctionBuilder, sums: Sums, column: number): void {
  const next = sums[column + 1]!;
  f.set(next, i64x2.add(next.value, i64x2.shrU(sums[column]!.value, i32.const(limbBits))));
}

function loadStart(f: FunctionBuilder, sums: Sums, base: (offset: number) => V128): void {
  sums.forEach((sum, column) => {
    f.set(sum, base(8 * column));
  });
}

/** Montgomery reduction of columns that hold `startColumns`; leaves nine narrow limbs in `result`. */
function emitReduction(f: FunctionBuilder, sums: Sums, factor: Local<"v128">, result: Sums): void {
  for (let step = 0; step < limbs; step++) {
    f.set(factor, narrow(v128.and(i32x4.mul(sums[step]!.value, constant(inverseAt)), constant(maskAt))));
    for (let j = 0; j < limbs; j++) addProduct(f, sums[step + j]!, factor.value, constant(orderAt + 16 * j));
    carry(f, sums, step);
  }
  for (let j = 0; j < limbs - 1; j++) {
    const low = v128.and(sums[limbs + j]!.value, constant(maskAt));
    f.set(result[j]!, narrow(i64x2.sub(low, constant(halfUnitAt))));
    carry(f, sums, limbs + j);
  }
  f.set(result[limbs - 1]!, narrow(sums[columns - 1]!.value));
}

function loadElement(f: FunctionBuilder, element: Sums, address: Local<"i32">): void {
  element.forEach((limb, j) => {
    f.set(limb, v128.load64Splat(address.value, 8 * j));
  });
}

function storeElement(f: FunctionBuilder, address: Local<"i32">, element: Sums): void {
  element.forEach((limb, j) => {
    f.emit(v128.store64Low(address.value, limb.value, 8 * j));
  });
}

function emitDot(module: ModuleBuilder): FunctionBuilder {
  const f = module.function(["i32", "i32", "i32", "i32", "i32"]);
  const result = f.parameter("i32", 0);
  const coefficient = f.parameter("i32", 1);
  const operand = f.parameter("i32", 2);
  const left = f.parameter("i32", 3);
  const start = f.parameter("i32", 4);
  const room = f.local("i32");
  const factor = f.local("v128");
  const sums = f.locals("v128", columns);
  const a = f.locals("v128", limbs);
  loadStart(f, sums, () => v128.zero);
  f.set(room, i32.const(termsPerCarry));
  const carryAll = (): void => {
    for (let column = 0; column < columns - 1; column++) {
      const [sum, next] = [sums[column]!, sums[column + 1]!];
      f.set(sum, i64x2.add(sum.value, constant(positiveAt)));
      carry(f, sums, column);
      f.set(next, i64x2.sub(next.value, constant(spillAt)));
      f.set(sum, v128.and(sum.value, constant(maskAt)));
    }
  };
  f.loop((again) => {
    loadElement(f, a, operand);
    for (let i = 0; i < limbs; i++) {
      f.set(factor, v128.load32Splat(coefficient.value, 4 * i));
      for (let j = 0; j < limbs; j++) addProduct(f, sums[i + j]!, a[j]!.value, factor.value);
    }
    f.set(room, i32.sub(room.value, i32.const(1)));
    f.block((enough) => {
      f.branchIf(enough, room.value);
      carryAll();
      f.set(room, i32.const(termsPerCarry));
    });
    f.set(coefficient, i32.add(coefficient.value, i32.const(4 * limbs)));
    f.set(operand, i32.add(operand.value, i32.const(elementBytes)));
    f.set(left, i32.sub(left.value, i32.const(1)));
    f.branchIf(again, left.value);
  });
  carryAll();
  sums.forEach((sum, column) => {
    f.set(sum, i64x2.add(sum.value, v128.load64Splat(start.value, 8 * column)));
  });
  emitReduction(f, sums, factor, a);
  storeElement(f, result, a);
  return f;
}

function emitFifthPower(module: ModuleBuilder): FunctionBuilder {
  const f = module.function(["i32", "i32"]);
  const operand = f.parameter("i32", 1);
  const factor = f.local("v128");
  const sums = f.locals("v128", columns);
  const x = f.locals("v128", limbs);
  const other = f.locals("v128", limbs);
  const start = (offset: number): V128 => v128.load64Splat(i32.const(productStartAt), offset);
  loadElement(f, x, operand);
  for (let squaring = 0; squaring < 2; squaring++) {
    x.forEach((limb, j) => {
      f.set(other[j]!, i32x4.add(limb.value, limb.value));
    });
    loadStart(f, sums, start);
    for (let i = 0; i < limbs; i++) {
      for (let j = i; j < limbs; j++)
        addProduct(f, sums[i + j]!, x[i]!.value, (i === j ? x : other)[j]!.value);
    }
    emitReduction(f, sums, factor, x);
  }
  loadElement(f, other, operand);
  loadStart(f, sums, start);
  for (let i = 0; i < limbs; i++) {
    for (let j = 0; j < limbs; j++) addProduct(f, sums[i + j]!, x[i]!.value, other[j]!.value);
  }
  emitReduction(f, sums, factor, x);
  storeElement(f, f.parameter("i32", 0), x);
  return f;
}

function emitCopy(module: ModuleBuilder): FunctionBuilder {
  const f = module.function(["i32", "i32"]);
  for (let j = 0; j < limbs; j++) {
    const word = i64.load(f.parameter("i32", 1).value, 8 * j);
    f.emit(i64.store(f.parameter("i32", 0).value, word, 8 * j));
  }
  return f;
}

const limbShape: LimbShape = {
  count: limbs,
  bits: limbBits,
  scratch: scratchAt,
  writeLimb: (f, element, lane, limb, digit) => {
    f.emit(i64.store32(i32.add(element, i32.mul(lane, i32.const(4))), digit, 8 * limb));
  },
  readLimb: (element, lane, limb) => i64.load32S(element, 8 * limb + 4 * lane),
};

/** Runs wherever WebAssembly has SIMD. */
export const integerArithmetic: Arithmetic = {
  lanes: 2,
  elementBytes,
  coefficientBytes: 4 * limbs,
  startBytes: 8 * columns,
  constantBytes: 8 * limbs,
  productShift: limbBits * limbs,
  sumShift: limbBits * limbs,
  constantsBytes: scratchAt + 16,
  encodeConstants(memory) {
    const inverse = BigInt.asUintN(limbBits, -inverseModuloPowerOfTwo(fieldOrder, limbBits));
    [mask, halfUnit, positive, spill, inverse].forEach((value, i) => {
      writeWords(memory, 16 * i, [value, value]);
    });
    writeWords(memory, productStartAt, startColumns(0n));
    orderLimbs(limbBits, limbs).forEach((limb, j) => {
      writeWords(memory, orderAt + 16 * j, [limb | (limb << 32n)]);
    });
  },
  encodeCoefficient(memory, at, value) {
    balancedDigits(centred(value), limbBits, limbs).forEach((digit, j) => {
      memory.setInt32(at + 4 * j, Number(digit), true);
    });
  },
  encodeStart(memory, at, value) {
    writeWords(memory, at, startColumns(centred(value)));
  },
  encodeConstant(memory, at, value) {
    writeWords(memory, at, balancedDigits(centred(value), limbBits, limbs));
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
