import { biasAt } from "../format.ts";
import type { Layout } from "../tape/types.ts";
import { finishOf, gated, optionalInputs, sumTerms } from "./arithmetic.ts";
import { exact, type Operation } from "./types.ts";

/** Elements of a row of a matrix [R, K]. */
function columns(layout: Layout): number {
  return layout.shape[1]!;
}

/** A[r, o] = Σ_k a[r, k]·b[o, k] (+ bias[o]). */
export const matmul: Operation<"MATMUL"> = {
  sums: {
    terms: (_context, _node, [a]) => columns(a!),
    partial(_context, node, inputs, index, _candidate, from, to) {
      const [a, b] = [inputs[0]!, inputs[1]!];
      const outputs = columns(node.output);
      const rowA = Math.floor(index / outputs) * columns(a.layout);
      const rowB = (index % outputs) * columns(b.layout);
      return sumTerms(from, to, (k) => a.at(rowA + k) * b.at(rowB + k));
    },
  },
  element(context, node, inputs, index) {
    const { bias, gate } = optionalInputs(node.attributes.flags, inputs, 2);
    const exponent = inputs[0]!.exponent + inputs[1]!.exponent;
    let sum = this.sums!.partial(context, node, inputs, index, 0, 0, columns(inputs[0]!.layout));
    if (bias !== undefined) {
      sum += biasAt(BigInt(bias.at(index % columns(node.output))), exponent, context.bits);
    }
    return { accumulator: gated(sum, node.attributes.flags, gate, index), exponent };
  },
  finish: (node) => finishOf(node.attributes),
};

export const rowSum: Operation<"ROW_SUM"> = {
  sums: {
    terms: (_context, _node, [x]) => columns(x!),
    partial(_context, _node, inputs, index, _candidate, from, to) {
      const x = inputs[0]!;
      const row = index * columns(x.layout);
      return sumTerms(from, to, (k) => x.at(row + k));
    },
  },
  element(context, node, inputs, index) {
    const x = inputs[0]!;
    const accumulator = this.sums!.partial(context, node, inputs, index, 0, 0, columns(x.layout));
    return { accumulator, exponent: x.exponent };
  },
  finish: (node) => finishOf(node.attributes, exact),
};

export const rowMax: Operation<"ROW_MAX"> = {
  element(_context, _node, inputs, index) {
    const x = inputs[0]!;
    const length = columns(x.layout);
    let largest = x.at(index * length);
    for (let k = 1; k < length; k++) largest = Math.max(largest, x.at(index * length + k));
    return { accumulator: BigInt(largest), exponent: x.exponent };
  },
  finish: () => exact,
};
