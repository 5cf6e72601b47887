import { BadInputError } from "../errors.ts";
import { ModuleBuilder } from "../wasm/assembler.ts";
import { engineFeatures } from "../wasm/features.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { fieldOrder } from "./field.ts";
import { fusedArithmetic } from "./fused-arithmetic.ts";
import { integerArithmetic } from "./integer-arithmetic.ts";
import { poseidonParameters } from "./parameters.ts";
import { emitHash } from "./permutation.ts";
import { Layout, Placement } from "./placement.ts";
import { makeSchedule, type Schedule } from "./schedule.ts";

/** Bytes of one cell: sixteen elements of 31 bytes. */
export const cellBytes = 496;
/** Bytes of a digest: one field element, big-endian. */
export const digestBytes = 32;
/** Children of an inner node of the possession tree. */
export const arity = 4;

const pageBytes = 65536;
/** Messages per call into the module; small enough that buffers stay in a second-level cache. */
const batch = 128;

type HashMany = (bytes: number, digests: number, count: number) => void;

const schedules = new Map<number, Schedule>();

function scheduleOf(t: number): Schedule {
  let schedule = schedules.get(t);
  if (schedule === undefined) {
    schedule = makeSchedule(poseidonParameters(t));
    schedules.set(t, schedule);
  }
  return schedule;
}

/** The fastest arithmetic this engine can run. */
export function bestArithmetic(): Arithmetic {
  return engineFeatures().fusedMultiplyAdd ? fusedArithmetic : integerArithmetic;
}

/**
 * circomlib's Poseidon over many cells (16 inputs of 31 bytes) or tree nodes (4 inputs of 32 bytes) at once.
 *
 * Making one takes a tenth of a second; `poseidonKernel()` shares one per thread. Calls are synchronous and not
 * re-entrant.
 */
export class PoseidonKernel {
  readonly #memory: Uint8Array;
  readonly #lanes: number;
  readonly #input: number;
  readonly #output: number;
  readonly #cells: HashMany;
  readonly #nodes: HashMany;

  constructor(arithmetic: Arithmetic = bestArithmetic()) {
    const layout = new Layout(arithmetic.constantsBytes);
    const zeros = layout.take(digestBytes);
    const cell = new Placement(scheduleOf(17), arithmetic, layout);
    const node = new Placement(scheduleOf(arity + 1), arithmetic, layout);
    this.#input = layout.take(batch * cellBytes);
    this.#output = layout.take(batch * digestBytes);
    const module = new ModuleBuilder(Math.ceil(layout.end / pageBytes));
    const use = arithmetic.emit(module);
    emitHash(module, use, { arithmetic, placement: cell, inputBytes: 31, zeros, name: "cells" });
    emitHash(module, use, { arithmetic, placement: node, inputBytes: 32, zeros, name: "nodes" });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()));
    const { buffer } = exports.memory as WebAssembly.Memory;
    const view = new DataView(buffer);
    arithmetic.encodeConstants(view);
    cell.write(view);
    node.write(view);
    this.#memory = new Uint8Array(buffer);
    this.#lanes = arithmetic.lanes;
    this.#cells = exports.cells as HashMany;
    this.#nodes = exports.nodes as HashMany;
  }

  /** Digests of whole cells, 496 bytes each, as 32 big-endian bytes each. */
  hashCells(cells: Uint8Array): Uint8Array {
    return this.#hash(this.#cells, cells, cellBytes);
  }

  /**
   * Digests of nodes, each the four 32-byte digests of its children.
   * Throws BadInputError when a child is not below the field order.
   */
  hashNodes(children: Uint8Array): Uint8Array {
    for (let at = 0; at < children.length; at += digestBytes) {
      if (children[at]! >= 0x30 && !isDigest(children.subarray(at, at + digestBytes))) {
        throw new BadInputError(`child ${at / digestBytes} is not a field element`);
      }
    }
    return this.#hash(this.#nodes, children, arity * digestBytes);
  }

  #hash(run: HashMany, bytes: Uint8Array, messageBytes: number): Uint8Array {
    if (bytes.length % messageBytes !== 0) {
      throw new BadInputError(
        `${bytes.length} bytes are not a whole number of ${messageBytes}-byte messages`,
      );
    }
    const count = bytes.length / messageBytes;
    const digests = new Uint8Array(count * digestBytes);
    for (let first = 0; first < count; first += batch) {
      const part = Math.min(batch, count - first);
      this.#memory.set(bytes.subarray(first * messageBytes, (first + part) * messageBytes), this.#input);
      // Lanes without a message hash what an earlier call left; nobody looks at the result.
      run(this.#input, this.#output, Math.ceil(part / this.#lanes) * this.#lanes);
      const output = this.#memory.subarray(this.#output, this.#output + part * digestBytes);
      digests.set(output, first * digestBytes);
    }
    return digests;
  }
}

const orderBytes = Uint8Array.from({ length: digestBytes }, (_, i) =>
  Number((fieldOrder >> BigInt(248 - 8 * i)) & 255n),
);

/** Whether 32 big-endian bytes are below the field order. */
function isDigest(bytes: Uint8Array): boolean {
  const different = bytes.findIndex((byte, i) => byte !== orderBytes[i]);
  return different >= 0 && bytes[different]! < orderBytes[different]!;
}

let shared: PoseidonKernel | undefined;

/** The kernel of this thread. */
export function poseidonKernel(): PoseidonKernel {
  shared ??= new PoseidonKernel();
  return shared;
}
