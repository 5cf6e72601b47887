import { BadInputError } from "../../errors.ts";
import { sat } from "../format.ts";
import type { TapeNode } from "../tape/types.ts";
import { exact, type Operation } from "./types.ts";

/** Bytes of one raw value by the attribute `encoding`: u8, i8, i16 LE, i32 LE. */
export const encodingWidths = [1, 1, 2, 4] as const;

function readRaw(object: Uint8Array, at: number, encoding: number, unsigned: boolean): number {
  const width = encodingWidths[encoding]!;
  let value = 0;
  for (let i = 0; i < width; i++) value += object[at + i]! * 2 ** (8 * i);
  const signed = encoding !== 0 && !unsigned;
  return signed && value >= 2 ** (8 * width - 1) ? value - 2 ** (8 * width) : value;
}

/** Bytes of an object up to the end of what an INPUT node reads. */
export function inputBytes(node: TapeNode<"INPUT">): number {
  const elements = node.output.shape.slice(1).reduce((product, size) => product * size, 1);
  return node.attributes.offset + elements * encodingWidths[node.attributes.encoding]!;
}

/** Values or labels as they stand in the objects of the micro-batch. */
export const input: Operation<"INPUT"> = {
  element(context, node, _inputs, index) {
    if (context.object === undefined) throw new BadInputError("the objects of the micro-batch are missing");
    const { offset, encoding, multiply, add, exponent, classes } = node.attributes;
    const elements = node.output.shape.slice(1).reduce((product, size) => product * size, 1);
    const row = Math.floor(index / elements);
    const at = offset + (index % elements) * encodingWidths[encoding]!;
    const object = context.object(row);
    if (at + encodingWidths[encoding]! > object.length) {
      throw new BadInputError(
        `an object of ${object.length} bytes ends before byte ${at + encodingWidths[encoding]!}, which the program reads`,
      );
    }
    const raw = readRaw(object, at, encoding, classes > 0);
    if (classes > 0 && raw >= classes) {
      throw new BadInputError(`label ${raw} in row ${row} of the micro-batch: there are ${classes} classes`, {
        next: "correct the labels of the dataset or the number of classes",
      });
    }
    return { accumulator: sat(BigInt(raw) * BigInt(multiply) + BigInt(add)), exponent };
  },
  finish: () => exact,
};

/** The slot's tensor as it stood before the step. */
export const load: Operation<"LOAD"> = {
  element(context, node, _inputs, index) {
    const { space, slot } = node.attributes;
    const tensor = context.slot?.(space, slot);
    if (tensor === undefined) throw new BadInputError(`slot ${slot} of space ${space} is missing`);
    return { accumulator: BigInt(tensor.at(index)), exponent: tensor.exponent };
  },
  finish: () => exact,
};

export const store: Operation<"STORE"> = {
  element: (_context, _node, inputs, index) => ({
    accumulator: BigInt(inputs[0]!.at(index)),
    exponent: inputs[0]!.exponent,
  }),
  finish: () => exact,
};
