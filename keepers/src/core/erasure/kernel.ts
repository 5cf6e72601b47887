import { ModuleBuilder } from "../wasm/assembler.ts";
import { engineFeatures } from "../wasm/features.ts";
import { i8x16, i32, i64x2, v128 } from "../wasm/instructions.ts";
import { multiply } from "./field.ts";

/** Most outputs one pass over the inputs computes: more would not fit the sixteen vector registers of x86-64. */
export const outputsPerPass = 4;

/** Bytes one step of the loop handles; buffers in the kernel's memory are multiples of it. */
export const blockBytes = 32;

const pageBytes = 65536;
const swizzleBytes = 32;

/**
 * Emits `combine1` … `combine4`: (tables, input, inputStride, inputs, output, outputStride, length).
 *
 * Multiplication by a constant is two look-ups in 16-entry tables, one per nibble, which is what a byte swizzle does
 * for 16 bytes at once (Plank, Greenan, Miller: Screaming Fast Galois Field Arithmetic Using Intel SIMD
 * Instructions, FAST 2013). The loop over the inputs stays a loop: unrolling it spills registers and halves the speed.
 */
function emitKernel(pages: number, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const swizzle = relaxed ? i8x16.relaxedSwizzle : i8x16.swizzle;
  const module = new ModuleBuilder(pages);
  const lanes = [0, 16];
  for (let outputs = 1; outputs <= outputsPerPass; outputs++) {
    const f = module.function(["i32", "i32", "i32", "i32", "i32", "i32", "i32"], `combine${outputs}`);
    const tables = f.parameter("i32", 0);
    const input = f.parameter("i32", 1);
    const inputStride = f.parameter("i32", 2);
    const inputs = f.parameter("i32", 3);
    const output = f.parameter("i32", 4);
    const outputStride = f.parameter("i32", 5);
    const length = f.parameter("i32", 6);
    const at = f.local("i32");
    const table = f.local("i32");
    const source = f.local("i32");
    const left = f.local("i32");
    const mask = f.local("v128");
    const nibbles = f.local("v128");
    const low = f.locals("v128", 2);
    const high = f.locals("v128", 2);
    const sums = Array.from({ length: outputs }, () => f.locals("v128", 2));
    f.set(mask, i8x16.splat(i32.const(15)));
    f.loop((nextBlock) => {
      for (const sum of sums.flat()) f.set(sum, v128.zero);
      f.set(table, tables.value);
      f.set(source, i32.add(input.value, at.value));
      f.set(left, inputs.value);
      f.loop((nextInput) => {
        lanes.forEach((offset, u) => {
          f.set(low[u]!, v128.load(source.value, offset));
          f.set(high[u]!, v128.and(i64x2.shrU(low[u]!.value, i32.const(4)), mask.value));
          f.set(low[u]!, v128.and(low[u]!.value, mask.value));
        });
        sums.forEach((sum, r) => {
          for (const [half, bytes] of [low, high].entries()) {
            f.set(nibbles, v128.load(table.value, r * swizzleBytes + half * 16));
            sum.forEach((part, u) => {
              f.set(part, v128.xor(part.value, swizzle(nibbles.value, bytes[u]!.value)));
            });
          }
        });
        f.set(source, i32.add(source.value, inputStride.value));
        f.set(table, i32.add(table.value, i32.const(outputs * swizzleBytes)));
        f.set(left, i32.sub(left.value, i32.const(1)));
        f.branchIf(nextInput, left.value);
      });
      f.set(source, i32.add(output.value, at.value));
      for (const sum of sums) {
        sum.forEach((part, u) => {
          f.emit(v128.store(source.value, part.value, lanes[u]!));
        });
        f.set(source, i32.add(source.value, outputStride.value));
      }
      f.set(at, i32.add(at.value, i32.const(blockBytes)));
      f.branchIf(nextBlock, i32.ltU(at.value, length.value));
    });
  }
  return module.encode();
}

type Combine = (
  tables: number,
  input: number,
  inputStride: number,
  inputs: number,
  output: number,
  outputStride: number,
  length: number,
) => void;

/** The swizzle tables of a set of coefficient rows, grouped by pass; made once per loss pattern. */
export type Tables = { readonly inputs: number; readonly outputs: number; readonly bytes: Uint8Array };

/** Tables for `rows` (one row of coefficients per output, all of the same length). */
export function makeTables(rows: readonly Uint8Array[]): Tables {
  const inputs = rows[0]?.length ?? 0;
  const bytes = new Uint8Array(rows.length * inputs * swizzleBytes);
  let at = 0;
  for (let first = 0; first < rows.length; first += outputsPerPass) {
    const pass = rows.slice(first, first + outputsPerPass);
    for (let j = 0; j < inputs; j++) {
      for (const row of pass) {
        for (let nibble = 0; nibble < 16; nibble++) {
          bytes[at + nibble] = multiply(row[j]!, nibble);
          bytes[at + 16 + nibble] = multiply(row[j]!, nibble << 4);
        }
        at += swizzleBytes;
      }
    }
  }
  return { inputs, outputs: rows.length, bytes };
}

/** Where a kernel's buffers lie in its memory, in bytes. */
export type KernelLayout = { tables: number; input: number; output: number; tile: number };

/**
 * One instance of the WASM-SIMD kernel with memory for `inputs` input and `outputs` output tiles.
 *
 * Not re-entrant: each call overwrites the tiles. Padding to `blockBytes` exists only here.
 */
export class CombineKernel {
  readonly memory: Uint8Array;
  readonly layout: KernelLayout;
  /** Whether this instance uses `relaxed_swizzle`. */
  readonly relaxed: boolean;
  readonly #combine: Combine[];
  #loaded: Tables | undefined;

  /**
   * @param tile bytes per tile, a multiple of `blockBytes`
   * @param relaxed use `relaxed_swizzle`; by default where the engine has it
   */
  constructor(inputs: number, outputs: number, tile: number, relaxed = engineFeatures().relaxedSwizzle) {
    const input = inputs * outputs * swizzleBytes;
    const output = input + inputs * tile;
    this.relaxed = relaxed;
    this.layout = { tables: 0, input, output, tile };
    const pages = Math.ceil((output + outputs * tile) / pageBytes);
    const { exports } = new WebAssembly.Instance(compileKernel(pages, relaxed));
    this.memory = new Uint8Array((exports.memory as WebAssembly.Memory).buffer);
    this.#combine = Array.from({ length: outputsPerPass }, (_, at) => exports[`combine${at + 1}`] as Combine);
  }

  /** Computes `length` bytes of every output tile from the input tiles. */
  run(tables: Tables, length: number): void {
    if (this.#loaded !== tables) {
      this.memory.set(tables.bytes, this.layout.tables);
      this.#loaded = tables;
    }
    const { input, output, tile } = this.layout;
    for (let first = 0; first < tables.outputs; first += outputsPerPass) {
      const pass = Math.min(outputsPerPass, tables.outputs - first);
      const table = this.layout.tables + first * tables.inputs * swizzleBytes;
      this.#combine[pass - 1]!(table, input, tile, tables.inputs, output + first * tile, tile, length);
    }
  }
}

const compiled = new Map<string, WebAssembly.Module>();

function compileKernel(pages: number, relaxed: boolean): WebAssembly.Module {
  const key = `${pages}${relaxed}`;
  let module = compiled.get(key);
  if (module === undefined) {
    module = new WebAssembly.Module(emitKernel(pages, relaxed));
    compiled.set(key, module);
  }
  return module;
}
