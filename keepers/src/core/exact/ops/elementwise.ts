import { align, alignedExponent } from "../format.ts";
import { gated } from "./arithmetic.ts";
import { exact, type Operation, requantized } from "./types.ts";
import { coordinates, type Shape4 } from "./window.ts";

/** x as the view v, its axes permuted, in row-major order again. */
export const relayout: Operation<"RELAYOUT"> = {
  element(_context, node, inputs, index) {
    const x = inputs[0]!;
    const { view0, view1, view2, view3, axis0, axis1, axis2, axis3 } = node.attributes;
    const view = [view0, view1, view2, view3];
    const axes = [axis0, axis1, axis2, axis3];
    const permuted = coordinates(axes.map((axis) => view[axis]!) as unknown as Shape4, index);
    const source = [0, 0, 0, 0];
    for (const [i, axis] of axes.entries()) source[axis] = permuted[i]!;
    const at = source.reduce((total, coordinate, axis) => total * view[axis]! + coordinate, 0);
    return { accumulator: BigInt(x.at(at)), exponent: x.exponent };
  },
  finish: () => exact,
};

export const requantize: Operation<"REQUANTIZE"> = {
  element: (_context, _node, inputs, index) => ({
    accumulator: BigInt(inputs[0]!.at(index)),
    exponent: inputs[0]!.exponent,
  }),
  finish: () => requantized,
};

export const shiftTo: Operation<"SHIFT"> = {
  element: (_context, _node, inputs, index) => ({
    accumulator: BigInt(inputs[0]!.at(index)),
    exponent: inputs[0]!.exponent,
  }),
  finish: (node) => ({ kind: "fixed", exponent: node.attributes.exponent }),
};

export const add: Operation<"ADD"> = {
  element(_context, node, inputs, index) {
    const exponent = alignedExponent(inputs.map((x) => x.exponent));
    const sum = inputs.reduce((total, x) => total + align(BigInt(x.at(index)), x.exponent, exponent), 0n);
    return { accumulator: gated(sum, node.attributes.flags, undefined, index), exponent };
  },
  finish: () => requantized,
};

export const relu: Operation<"RELU"> = {
  element: (_context, _node, inputs, index) => ({
    accumulator: BigInt(Math.max(inputs[0]!.at(index), 0)),
    exponent: inputs[0]!.exponent,
  }),
  finish: () => exact,
};

/** d where h > 0. */
export const gate: Operation<"GATE"> = {
  element(_context, _node, inputs, index) {
    const [d, h] = [inputs[0]!, inputs[1]!];
    return { accumulator: h.at(index) > 0 ? BigInt(d.at(index)) : 0n, exponent: d.exponent };
  },
  finish: () => exact,
};
