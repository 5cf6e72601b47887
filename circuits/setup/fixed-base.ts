export type Group = "G1" | "G2";

/** Bytes of an affine point in a proving key: coordinates little-endian in Montgomery form, infinity all zero. */
export const pointBytes = { G1: 64, G2: 128 } as const;

export const scalarBytes = 32;

/** Multiplies the group's generator by each 32-byte little-endian scalar; returns affine points one after another. */
export type FixedBase = (group: Group, scalars: Uint8Array) => Uint8Array;

/** Bits of one digit. Wider windows need fewer additions, but a table that takes longer to fill. */
const windowBits = 11;
const windows = Math.ceil(254 / windowBits);
const windowSize = 1 << windowBits;

/** Bounds the scratch that the WASM's `batchToAffine` takes from the bump pointer. */
const batch = 1024;

/** What the module asks for before anything is allocated. */
const initialPages = 25;

type PointOperation = (...pointers: number[]) => void;

type GroupKernel = {
  affine: number;
  jacobian: number;
  table: number;
  addMixed: PointOperation;
  zero: PointOperation;
  batchToAffine: PointOperation;
};

/** ffjavascript's curve code and where it keeps the two generators, in Jacobian coordinates with z = 1. */
export type CurveProgram = { code: Uint8Array; generators: Record<Group, number> };

/**
 * Prepares fixed-base multiplication over the curve's WASM. Memory is taken from the module's own bump pointer (the word
 * at address 0) and grown ahead of it: the module allocates scratch there without a check, so a buffer placed elsewhere
 * would be overwritten.
 */
export async function createFixedBase(program: CurveProgram): Promise<FixedBase> {
  const memory = new WebAssembly.Memory({ initial: initialPages });
  const { instance } = await WebAssembly.instantiate(program.code as BufferSource, { env: { memory } });
  const operation = (name: string): PointOperation => instance.exports[name] as PointOperation;
  const allocate = (length: number): number => {
    const heap = new Uint32Array(memory.buffer, 0, 1);
    const start = (heap[0]! + 7) & ~7;
    heap[0] = start + length;
    // Room for the scratch of one batch: an inverse and a prefix product for each point, in the wider field.
    const missing = start + length + batch * 4 * 64 - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    return start;
  };
  const jacobians = allocate(batch * 192);
  const affines = allocate(batch * 128);
  const base = allocate(128);

  const prepare = (group: Group, prefix: string): GroupKernel => {
    const affine = pointBytes[group];
    const kernel: GroupKernel = {
      affine,
      jacobian: (affine * 3) / 2,
      table: allocate(windows * windowSize * affine),
      addMixed: operation(`${prefix}_addMixed`),
      zero: operation(`${prefix}_zero`),
      batchToAffine: operation(`${prefix}_batchToAffine`),
    };
    const generator = program.generators[group];
    new Uint8Array(memory.buffer).copyWithin(base, generator, generator + affine);
    for (let window = 0; window < windows; window++) fillWindow(kernel, window);
    return kernel;
  };

  /** Writes the multiples 0 … 2^windowBits − 1 of `base` and leaves 2^windowBits · base there for the next window. */
  const fillWindow = (kernel: GroupKernel, window: number): void => {
    const rows = kernel.table + window * windowSize * kernel.affine;
    const running = jacobians + (batch - 1) * kernel.jacobian;
    kernel.zero(running);
    const step = batch - 1;
    for (let first = 0; first < windowSize; first += step) {
      const count = Math.min(step, windowSize - first);
      for (let index = 0; index < count; index++) {
        new Uint8Array(memory.buffer).copyWithin(
          jacobians + index * kernel.jacobian,
          running,
          running + kernel.jacobian,
        );
        kernel.addMixed(running, base, running);
      }
      kernel.batchToAffine(jacobians, count, rows + first * kernel.affine);
    }
    kernel.batchToAffine(running, 1, base);
  };

  const kernels = { G1: prepare("G1", "g1m"), G2: prepare("G2", "g2m") };

  return (group, scalars) => {
    const kernel = kernels[group];
    const total = scalars.length / scalarBytes;
    const result = new Uint8Array(total * kernel.affine);
    for (let first = 0; first < total; first += batch) {
      const count = Math.min(batch, total - first);
      for (let index = 0; index < count; index++) {
        const target = jacobians + index * kernel.jacobian;
        kernel.zero(target);
        const at = (first + index) * scalarBytes;
        for (let window = 0; window < windows; window++) {
          const digit = readDigit(scalars, at, window * windowBits);
          if (digit === 0) continue;
          const entry = kernel.table + (window * windowSize + digit) * kernel.affine;
          kernel.addMixed(target, entry, target);
        }
      }
      kernel.batchToAffine(jacobians, count, affines);
      const points = new Uint8Array(memory.buffer, affines, count * kernel.affine);
      result.set(points, first * kernel.affine);
    }
    return result;
  };
}

function readDigit(scalars: Uint8Array, start: number, bit: number): number {
  const at = start + (bit >> 3);
  const end = start + scalarBytes;
  let word = scalars[at]!;
  if (at + 1 < end) word |= scalars[at + 1]! << 8;
  if (at + 2 < end) word |= scalars[at + 2]! << 16;
  return (word >> (bit & 7)) & (windowSize - 1);
}
