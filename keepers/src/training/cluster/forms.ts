import { createHash } from "node:crypto";
import { allocateMantissas, elementsOf } from "../../core/exact/packing.ts";
import { dtypeRange } from "../../core/exact/tape/ranges.ts";
import { type Program, spaces } from "../../core/exact/tape/types.ts";
import type { PartialSums } from "../executors/parts.ts";
import { BadPartError } from "./errors.ts";
import { leastWidth, mostWidth, packIntegers, unpackIntegers } from "./integers.ts";

/** Greatest magnitude of one micro-batch's gradient. */
const gradientLimit = 2 ** 31 - 1;
/** More than any exponent of a tape's tensor. */
const exponentLimit = 2 ** 20;
const exponentBytes = 4;

/**
 * Arrays in one piece of bytes: a byte with the width of each, then their integers, each array at the least width that
 * holds it.
 */
function encodeArrays(arrays: readonly ArrayLike<number>[]): Uint8Array {
  const widths = arrays.map(leastWidth);
  const length = arrays.reduce((sum, { length: count }, i) => sum + count * widths[i]!, arrays.length);
  const bytes = new Uint8Array(length);
  bytes.set(widths);
  let at = arrays.length;
  for (const [i, values] of arrays.entries()) at = packIntegers(values, widths[i]!, bytes, at);
  return bytes;
}

function isWithin(values: Float64Array, min: number, max: number): boolean {
  for (let i = 0; i < values.length; i++) if (values[i]! < min || values[i]! > max) return false;
  return true;
}

/** @throws BadPartError when the bytes are not exactly these arrays, each at its least width */
function decodeArrays(bytes: Uint8Array, into: readonly (Float64Array | Int32Array)[], most: number): void {
  const widths = bytes.subarray(0, into.length);
  const length = into.reduce((sum, { length: count }, i) => sum + count * (widths[i] ?? 0), into.length);
  if (widths.length !== into.length || widths.some((width) => width < 1 || width > most)) {
    throw new BadPartError("arrays of a width that there is not");
  }
  if (bytes.length !== length) {
    throw new BadPartError(`${bytes.length} bytes hold no arrays of ${length} bytes`);
  }
  let at = into.length;
  for (const [i, values] of into.entries()) {
    at = unpackIntegers(bytes, at, widths[i]!, values);
    if (leastWidth(values) !== widths[i]) throw new BadPartError("an array wider than it has to be");
  }
}

/**
 * What tape 0 reads of a state, as it travels: the whole of it, or what changed since another one. Content-addressed:
 * whoever receives it holds it against its digest.
 */
export class StateForm {
  readonly #program: Program;
  /** Slots that tape 0 loads. */
  readonly #slots: readonly number[];
  /** Longest encoding, in bytes. */
  readonly mostBytes: number;

  constructor(program: Program) {
    this.#program = program;
    const slots = program.tapes[0].flatMap(({ opcode, attributes }) =>
      opcode === "LOAD" && (attributes as { space: number }).space === spaces.state
        ? [(attributes as { slot: number }).slot]
        : [],
    );
    this.#slots = [...new Set(slots)].sort((a, b) => a - b);
    const elements = this.#slots.reduce((sum, slot) => sum + this.#elements(slot), 0);
    this.mostBytes = this.#slots.length + 4 * elements;
  }

  /** SHA-256 over the slots, as big as they are, in 64 hexadecimal digits. */
  digest(state: readonly Int32Array[]): string {
    const hash = createHash("sha256");
    for (const slot of this.#slots) {
      const { buffer, byteOffset, byteLength } = state[slot]!;
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
    }
    return hash.digest("hex");
  }

  encode(state: readonly Int32Array[], since?: readonly Int32Array[]): Uint8Array {
    return encodeArrays(
      this.#slots.map((slot) => {
        const values = state[slot]!;
        const before = since?.[slot];
        return before === undefined ? values : values.map((value, i) => value - before[i]!);
      }),
    );
  }

  /**
   * A state in which the slots that tape 0 does not read are zero.
   * @throws BadPartError when the bytes are not those of the state with this digest
   */
  decode(bytes: Uint8Array, digest: string, since?: readonly Int32Array[]): Int32Array[] {
    const arrays = this.#slots.map((slot) => new Int32Array(this.#elements(slot)));
    decodeArrays(bytes, arrays, 4);
    const state = this.#program.state.map((_, slot) => {
      const at = this.#slots.indexOf(slot);
      if (at < 0) return new Int32Array(this.#elements(slot));
      const before = since?.[slot];
      // Wraps as the difference did.
      return before === undefined ? arrays[at]! : arrays[at]!.map((change, i) => before[i]! + change);
    });
    if (this.digest(state) !== digest) throw new BadPartError("a state that does not hash to its digest");
    return state;
  }

  #elements(slot: number): number {
    return elementsOf(this.#program.state[slot]!.layout.shape);
  }
}

/** What a chunk gives, as it travels: exponent of the witness (int32, little-endian), then sums and witness. */
export class SumsForm {
  readonly #program: Program;
  readonly #limit: number;
  /** Longest encoding, in bytes. */
  readonly mostBytes: number;

  /** @param microBatches of one chunk */
  constructor(program: Program, microBatches: number) {
    this.#program = program;
    this.#limit = microBatches * gradientLimit;
    const elements = this.#arrays().reduce((sum, { length }) => sum + length, 0);
    this.mostBytes = exponentBytes + this.#arrays().length + mostWidth * elements;
  }

  encode({ sums, witness }: PartialSums): Uint8Array {
    const arrays = encodeArrays([...sums, witness.mantissas]);
    const bytes = new Uint8Array(exponentBytes + arrays.length);
    new DataView(bytes.buffer).setInt32(0, witness.exponent, true);
    bytes.set(arrays, exponentBytes);
    return bytes;
  }

  /** SHA-256 of an encoding, in 64 hexadecimal digits. Sums have one encoding: digests are equal when sums are. */
  digest(encoding: Uint8Array): string {
    return createHash("sha256").update(encoding).digest("hex");
  }

  /** Sums of nothing, by gradient slot. */
  zero(): Float64Array[] {
    return this.#arrays().slice(0, -1);
  }

  /** @throws BadPartError when the bytes are not what a chunk of this program can give */
  decode(bytes: Uint8Array): PartialSums {
    if (bytes.length < exponentBytes) throw new BadPartError("a result that was cut off");
    const arrays = this.#arrays();
    decodeArrays(bytes.subarray(exponentBytes), arrays, mostWidth);
    const exponent = new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
    const values = arrays.pop()!;
    const { output: layout } = this.#program.tapes[0][this.#program.witness]!;
    const { min, max } = dtypeRange(layout.dtype);
    if (Math.abs(exponent) > exponentLimit || !isWithin(values, min, max)) {
      throw new BadPartError("a witness outside the range of its type");
    }
    if (!arrays.every((sum) => isWithin(sum, -this.#limit, this.#limit))) {
      throw new BadPartError("sums above those of so many micro-batches");
    }
    const mantissas = allocateMantissas(layout.dtype, values.length);
    mantissas.set(values);
    return { sums: arrays, witness: { layout, exponent, mantissas } };
  }

  #arrays(): Float64Array[] {
    const { gradients, tapes, witness } = this.#program;
    const layouts = [...gradients, tapes[0][witness]!.output];
    return layouts.map(({ shape }) => new Float64Array(elementsOf(shape)));
  }
}
