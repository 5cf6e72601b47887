import type { FunctionBuilder, ModuleBuilder } from "../wasm/assembler.ts";
import { type I32, type I64, i8x16, i32, i64, i64x2, type Local, v128 } from "../wasm/instructions.ts";
import { fieldOrder, reduce } from "./field.ts";

/** How an arithmetic keeps elements: signed limbs of `bits` bits, and how one limb of one lane is written and read. */
export type LimbShape = {
  readonly count: number;
  readonly bits: number;
  /** Address of 16 bytes to work in. */
  readonly scratch: number;
  readonly writeLimb: (f: FunctionBuilder, element: I32, lane: I32, limb: number, digit: I64) => void;
  readonly readLimb: (element: I32, lane: number, limb: number) => I64;
};

/** The digits of `value` in base 2^bits, each in −2^(bits−1) … 2^(bits−1) − 1 but the last, which takes the rest. */
export function balancedDigits(value: bigint, bits: number, count: number): bigint[] {
  const digits: bigint[] = [];
  let rest = value;
  for (let i = 0; i < count - 1; i++) {
    const digit = BigInt.asIntN(bits, rest);
    digits.push(digit);
    rest = (rest - digit) >> BigInt(bits);
  }
  return [...digits, rest];
}

/** The representative of a field element that is smallest in size. */
export function centred(value: bigint): bigint {
  const reduced = reduce(value);
  return reduced > fieldOrder / 2n ? reduced - fieldOrder : reduced;
}

/** Inverse of an odd number modulo 2^bits, by Newton's iteration. */
export function inverseModuloPowerOfTwo(value: bigint, bits: number): bigint {
  let result = 1n;
  for (let correct = 1; correct < bits; correct *= 2)
    result = BigInt.asUintN(bits, result * (2n - value * result));
  return result;
}

/** The field order in unsigned limbs. */
export function orderLimbs(bits: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => BigInt.asUintN(bits, fieldOrder >> BigInt(bits * i)));
}

export function writeWords(memory: DataView, at: number, words: readonly bigint[]): void {
  words.forEach((word, i) => {
    memory.setBigInt64(at + 8 * i, BigInt.asIntN(64, word), true);
  });
}

const reversed = Array.from({ length: 16 }, (_, i) => 15 - i);

/** Emits (result, bytes, lane, constant): big-endian integers of 31 or 32 bytes, plus a constant in 64-bit limbs. */
export function emitLoad(module: ModuleBuilder, shape: LimbShape, bytes: 31 | 32): FunctionBuilder {
  const { bits, count } = shape;
  const f = module.function(["i32", "i32", "i32", "i32"]);
  const result = f.parameter("i32", 0).value;
  const source = f.parameter("i32", 1).value;
  const lane = f.parameter("i32", 2).value;
  const constants = f.parameter("i32", 3).value;
  const words = f.locals("i64", 4);
  const halves = f.locals("v128", 2);
  const sum = f.local("i64");
  const digit = f.local("i64");
  f.set(halves[0]!, i8x16.shuffle(v128.load(source, bytes - 16), v128.zero, reversed));
  // Of 31 bytes, the first sixteen end with one that belongs to the lower half; a zero takes its place at the top.
  const upper = bytes === 32 ? reversed : [...reversed.slice(1), 16];
  f.set(halves[1]!, i8x16.shuffle(v128.load(source), v128.zero, upper));
  words.forEach((word, i) => {
    f.set(word, i64x2.extractLane(halves[i >> 1]!.value, i % 2));
  });
  for (let limb = 0; limb < count; limb++) {
    const [at, shift] = [Math.floor((bits * limb) / 64), (bits * limb) % 64];
    let value = i64.shrU(words[at]!.value, i64.const(BigInt(shift)));
    if (shift + bits > 64 && at < 3) {
      value = i64.or(value, i64.shl(words[at + 1]!.value, i64.const(BigInt(64 - shift))));
    }
    if (limb < count - 1) value = i64.and(value, i64.const((1n << BigInt(bits)) - 1n));
    value = i64.add(value, i64.load(constants, 8 * limb));
    f.set(sum, limb === 0 ? value : i64.add(value, sum.value));
    if (limb === count - 1) {
      shape.writeLimb(f, result, lane, limb, sum.value);
    } else {
      const unused = i64.const(BigInt(64 - bits));
      f.set(digit, i64.shrS(i64.shl(sum.value, unused), unused));
      shape.writeLimb(f, result, lane, limb, digit.value);
      f.set(sum, i64.shrS(i64.sub(sum.value, digit.value), i64.const(BigInt(bits))));
    }
  }
  return f;
}

/** Emits (bytes, element): every lane, a value between −p and 2p, as 32 canonical big-endian bytes. */
export function emitStore(module: ModuleBuilder, shape: LimbShape, lanes: number): FunctionBuilder {
  const { bits, count, scratch } = shape;
  const f = module.function(["i32", "i32"]);
  const target = f.parameter("i32", 0).value;
  const element = f.parameter("i32", 1).value;
  const limbs = f.locals("i64", count);
  const negative = f.local("i64");
  const pair = f.local("v128");
  const order = orderLimbs(bits, count);
  const top = limbs[count - 1]!;
  const carry = (): void => {
    for (let j = 0; j < count - 1; j++) {
      const [limb, next] = [limbs[j]!, limbs[j + 1]!];
      f.set(next, i64.add(next.value, i64.shrS(limb.value, i64.const(BigInt(bits)))));
      f.set(limb, i64.and(limb.value, i64.const((1n << BigInt(bits)) - 1n)));
    }
  };
  const addOrderIfNegative = (): void => {
    f.set(negative, i64.shrS(top.value, i64.const(63n)));
    limbs.forEach((limb, j) => {
      f.set(limb, i64.add(limb.value, i64.and(negative.value, i64.const(order[j]!))));
    });
    carry();
  };
  for (let lane = 0; lane < lanes; lane++) {
    limbs.forEach((limb, j) => {
      f.set(limb, shape.readLimb(element, lane, j));
    });
    carry();
    addOrderIfNegative();
    limbs.forEach((limb, j) => {
      f.set(limb, i64.sub(limb.value, i64.const(order[j]!)));
    });
    carry();
    addOrderIfNegative();
    for (let half = 0; half < 2; half++) {
      for (let word = 0; word < 2; word++) {
        f.emit(i64.store(i32.const(scratch), joinLimbs(limbs, bits, 2 * half + word), 8 * word));
      }
      f.set(pair, v128.load(i32.const(scratch)));
      const offset = 32 * lane + 16 * (1 - half);
      f.emit(v128.store(target, i8x16.shuffle(pair.value, pair.value, reversed), offset));
    }
  }
  return f;
}

/** Bits 64·word … 64·word + 63 of a number in carried limbs. */
function joinLimbs(limbs: readonly Local<"i64">[], bits: number, word: number): I64 {
  let joined: I64 | undefined;
  limbs.forEach((limb, j) => {
    const shift = bits * j - 64 * word;
    if (shift <= -bits || shift >= 64) return;
    const count = i64.const(BigInt(Math.abs(shift)));
    const part = shift < 0 ? i64.shrU(limb.value, count) : i64.shl(limb.value, count);
    joined = joined === undefined ? part : i64.or(joined, part);
  });
  if (joined === undefined) throw new RangeError(`no limb reaches word ${word}`);
  return joined;
}
