import { gated, optionalInputs, sumTerms } from "./arithmetic.ts";
import { type Operation, requantized } from "./types.ts";
import { coordinates, indexOf, shape4, windowAt } from "./window.ts";

/** Adjoint of CONV in x: d [N, OH, OW, O] and w [C, KH, KW, O/g] give [N, H, W, C]. */
export const convInputGrad: Operation<"CONV_INPUT_GRAD"> = {
  sums: {
    terms(_context, _node, [, w]) {
      const [, kernelH, kernelW, outputs] = shape4(w!);
      return kernelH * kernelW * outputs;
    },
    partial(_context, node, inputs, index, _candidate, from, to) {
      const { strideH, strideW, padTop, padLeft, groups } = node.attributes;
      const [d, w] = [inputs[0]!, inputs[1]!];
      const [shapeD, shapeW] = [shape4(d.layout), shape4(w.layout)];
      const [, windowsH, windowsW] = shapeD;
      const [channels, kernelH, kernelW, outputs] = shapeW;
      const [n, y, x, c] = coordinates(shape4(node.output), index);
      const firstOutput = Math.floor(c / (channels / groups)) * outputs;
      const kernel = c * kernelH * kernelW * outputs;
      return sumTerms(from, to, (k) => {
        const tap = Math.floor(k / outputs);
        const row = windowAt(y, Math.floor(tap / kernelW), strideH, padTop, windowsH);
        const column = windowAt(x, tap % kernelW, strideW, padLeft, windowsW);
        if (row < 0 || column < 0) return 0;
        return d.at(indexOf(shapeD, n, row, column, firstOutput + (k % outputs))) * w.at(kernel + k);
      });
    },
  },
  element(context, node, inputs, index) {
    const [d, w] = [inputs[0]!, inputs[1]!];
    const { gate } = optionalInputs(node.attributes.flags, inputs, 2);
    const terms = this.sums!.terms(context, node, [d.layout, w.layout]);
    const sum = this.sums!.partial(context, node, inputs, index, 0, 0, terms);
    return {
      accumulator: gated(sum, node.attributes.flags, gate, index),
      exponent: d.exponent + w.exponent,
    };
  },
  finish: () => requantized,
};

/** Adjoint of CONV in w: x [C, N, H, W] and d [O, N, OH, OW] give [O, KH, KW, C/g]. */
export const convWeightGrad: Operation<"CONV_WEIGHT_GRAD"> = {
  sums: {
    terms(_context, _node, [, d]) {
      const [, samples, windowsH, windowsW] = shape4(d!);
      return samples * windowsH * windowsW;
    },
    partial(_context, node, inputs, index, _candidate, from, to) {
      const { strideH, strideW, padTop, padLeft, groups } = node.attributes;
      const [x, d] = [inputs[0]!, inputs[1]!];
      const [shapeX, shapeD] = [shape4(x.layout), shape4(d.layout)];
      const [, , height, width] = shapeX;
      const [outputs, samples, windowsH, windowsW] = shapeD;
      const [o, kh, kw, c] = coordinates(shape4(node.output), index);
      const channel = Math.floor(o / (outputs / groups)) * shape4(node.output)[3] + c;
      const plane = o * samples * windowsH * windowsW;
      return sumTerms(from, to, (k) => {
        const rows = Math.floor(k / windowsW);
        const row = (rows % windowsH) * strideH + kh - padTop;
        const column = (k % windowsW) * strideW + kw - padLeft;
        if (row < 0 || row >= height || column < 0 || column >= width) return 0;
        return x.at(indexOf(shapeX, channel, Math.floor(rows / windowsH), row, column)) * d.at(plane + k);
      });
    },
  },
  element(context, node, inputs, index) {
    const [x, d] = [inputs[0]!, inputs[1]!];
    const terms = this.sums!.terms(context, node, [x.layout, d.layout]);
    return {
      accumulator: this.sums!.partial(context, node, inputs, index, 0, 0, terms),
      exponent: x.exponent + d.exponent,
    };
  },
  finish: (node) => ({ kind: "fixed", exponent: node.attributes.exponent }),
};
