import type { FunctionBuilder, ModuleBuilder } from "../wasm/assembler.ts";

/** Functions an arithmetic adds to a module. Operands are addresses of elements, unless said otherwise. */
export type ArithmeticFunctions = {
  /**
   * (result, coefficients, operands, count, start): Σ coefficients[i] · operands[i] + a constant, with one reduction.
   * `start` is the address of what `encodeStart` wrote.
   */
  readonly dot: FunctionBuilder;
  /** (result, operand): fifth power. */
  readonly fifthPower: FunctionBuilder;
  /** (result, operand) */
  readonly copy: FunctionBuilder;
  /** (result, bytes, lane, constant): a lane from 31 bytes, big-endian, plus a constant of `encodeConstant`. */
  readonly loadCellElement: FunctionBuilder;
  /** (result, bytes, lane, constant): the same from 32 bytes below the field order. */
  readonly loadDigest: FunctionBuilder;
  /** (bytes, element): every lane as 32 bytes, big-endian, canonical, one after another. */
  readonly storeDigests: FunctionBuilder;
};

/**
 * A way to compute in the BN254 scalar field inside WebAssembly; the permutation is written once on top of it.
 *
 * An element in memory stands for one field element per lane. Multiplying two elements divides by 2^productShift and
 * a dot product divides by 2^sumShift (Montgomery); the coefficients make up for both, so elements mean themselves.
 */
export type Arithmetic = {
  readonly lanes: number;
  readonly elementBytes: number;
  readonly coefficientBytes: number;
  readonly startBytes: number;
  readonly constantBytes: number;
  readonly productShift: number;
  readonly sumShift: number;
  /** Bytes of constants at address 0, before anything else; see `encodeConstants`. */
  readonly constantsBytes: number;
  encodeConstants(memory: DataView): void;
  encodeCoefficient(memory: DataView, at: number, value: bigint): void;
  /** Where a dot product of `count` terms starts from: the constant to add, in the form of the accumulators. */
  encodeStart(memory: DataView, at: number, constant: bigint, count: number): void;
  encodeConstant(memory: DataView, at: number, constant: bigint): void;
  emit(module: ModuleBuilder): ArithmeticFunctions;
};
