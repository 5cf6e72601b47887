import { BadInputError } from "../../core/errors.ts";
import { log2Exact } from "../../core/exact/format.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { elementCount } from "../onnx/types.ts";
import { checkMemory } from "./memory.ts";
import type { ExecutorOptions, StepInput } from "./types.ts";

/** Checks of what engines are given, alike for all of them. */

const encodingBytes = [1, 1, 2, 4] as const;
const leastInt32 = -(2 ** 31);
const mostMicroBatches = 2 ** 20;

/** @throws BadInputError for options that no engine takes, ModelTooLargeError for a program above the memory limit. */
export function checkOptions(program: Program, options: ExecutorOptions): void {
  const { objectBytes, microBatches, threads = 1 } = options;
  if (!Number.isInteger(objectBytes) || objectBytes < 1) {
    throw new BadInputError(`objects of ${objectBytes} bytes do not exist`);
  }
  if (log2Exact(microBatches) === undefined || microBatches < 1 || microBatches > mostMicroBatches) {
    throw new BadInputError(`${microBatches} micro-batches: their number must be a power of two up to 2^20`);
  }
  if (!Number.isInteger(threads) || threads < 1) {
    throw new BadInputError(`an engine cannot run on ${threads} threads`);
  }
  checkMemory(program, options);
}

/** @throws BadInputError unless the arrays fit the program's slots and every value lies within ±(2^31 − 1). */
export function checkState(program: Program, state: readonly Int32Array[]): void {
  if (state.length !== program.state.length) {
    throw new BadInputError(`a state of ${program.state.length} slots was given ${state.length} arrays`);
  }
  for (const [index, { name, layout }] of program.state.entries()) {
    const values = state[index]!;
    const count = elementCount(layout.shape);
    if (values.length !== count) {
      throw new BadInputError(`state slot ${name} has ${count} elements, not ${values.length}`);
    }
    if (values.includes(leastInt32)) {
      throw new BadInputError(`state slot ${name} holds ${leastInt32}, outside ±(2^31 − 1)`);
    }
  }
}

/** @throws BadInputError unless there are `microBatches` whole micro-batches of objects, labels within their classes. */
export function checkObjects(
  program: Program,
  objects: Uint8Array,
  objectBytes: number,
  microBatches: number,
): void {
  const count = program.microBatch * microBatches;
  if (objects.length !== count * objectBytes) {
    throw new BadInputError(
      `${count} objects of ${objectBytes} bytes are needed; ${objects.length} bytes were given`,
    );
  }
  const view = new DataView(objects.buffer, objects.byteOffset, objects.byteLength);
  for (const node of program.tapes[0]) {
    if (node.opcode !== "INPUT") continue;
    const { offset, encoding, classes } = node.attributes;
    const width = encodingBytes[encoding]!;
    const labels = elementCount(node.output.shape) / program.microBatch;
    if (offset + labels * width > objectBytes) {
      throw new BadInputError(
        `an input reads ${labels * width} bytes at ${offset} of objects of ${objectBytes} bytes`,
      );
    }
    if (classes === 0) continue;
    for (let object = 0; object < count; object++) {
      for (let i = 0; i < labels; i++) {
        const label = unsigned(view, object * objectBytes + offset + i * width, width);
        if (label >= classes) {
          throw new BadInputError(`object ${object} of the batch has label ${label}, of ${classes} classes`);
        }
      }
    }
  }
}

function unsigned(view: DataView, offset: number, width: 1 | 2 | 4): number {
  if (width === 1) return view.getUint8(offset);
  return width === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
}

/** @throws BadInputError for a step that does not have the form it must have. */
export function checkStep(program: Program, options: ExecutorOptions, step: StepInput): void {
  const { learningRate } = step;
  if (!Number.isInteger(learningRate) || learningRate < 0 || learningRate > 0xffff) {
    throw new BadInputError(`the learning rate ${learningRate} is no unsigned 16-bit integer`);
  }
  checkObjects(program, step.objects, options.objectBytes, options.microBatches);
}
