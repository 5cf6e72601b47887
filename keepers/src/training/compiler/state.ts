import { fixedExponents } from "../../core/exact/format.ts";
import type { Initializer, Layout, Slot } from "../../core/exact/tape/types.ts";
import { elementOrder } from "./element-order.ts";
import { CompileError } from "./errors.ts";
import type { Graph, Parameter } from "./graph.ts";
import { parameterLayout } from "./layouts.ts";

const largestMantissa = 2 ** 31 - 1;

/** Parameters in the order of their layers, weight before bias; their index is their slot, in state and gradients. */
export function parametersOf({ ops }: Graph): Parameter[] {
  return ops.flatMap((op) =>
    op.kind !== "linear" && op.kind !== "conv"
      ? []
      : op.bias === undefined
        ? [op.weight]
        : [op.weight, op.bias],
  );
}

/** All weights, then all momenta, in the order of `parameters`; and the gradient slots. */
export function stateSlots(
  parameters: readonly Parameter[],
  initialize: "seed" | "model" | undefined,
): { state: Slot[]; gradients: Layout[] } {
  const layouts = parameters.map(({ shape }) => parameterLayout("I32", shape));
  const weights = parameters.map(
    (parameter, slot): Slot => ({
      name: parameter.name,
      role: "weight",
      layout: layouts[slot]!,
      exponent: fixedExponents.weight,
      initializer: initializerOf(parameter, initialize),
    }),
  );
  const momenta = parameters.map(
    ({ name }, slot): Slot => ({
      name: `${name}/momentum`,
      role: "momentum",
      layout: layouts[slot]!,
      exponent: fixedExponents.gradient,
      initializer: { kind: "zero" },
    }),
  );
  return { state: [...weights, ...momenta], gradients: layouts };
}

function initializerOf(parameter: Parameter, initialize: "seed" | "model" | undefined): Initializer {
  const { name, values, fanIn } = parameter;
  if (initialize === "model" && values === undefined)
    throw new CompileError(`the parameter ${JSON.stringify(name)} has no values in the model`, {
      next: "Export the model with its weights, or draw first weights from the seed (initialize: seed).",
    });
  if (values === undefined || initialize === "seed") return { kind: "uniform", fanIn };
  return { kind: "given", mantissas: weightMantissas(parameter, values) };
}

/**
 * Weights at 2^−28, rounded half up. A float32 times 2^28, and the sum with ½ of what can round up, are exact in
 * float64.
 * @throws CompileError for NaN, infinities and weights of 8 or more in magnitude.
 */
function weightMantissas({ name, order }: Parameter, values: Float32Array): Int32Array {
  const places = elementOrder(order);
  const mantissas = new Int32Array(places.length);
  for (let i = 0; i < mantissas.length; i++) {
    const value = values[places[i]!]!;
    const mantissa = Math.floor(value * 2 ** -fixedExponents.weight + 0.5);
    if (!(Math.abs(mantissa) <= largestMantissa))
      throw new CompileError(
        `element ${places[i]} of the parameter ${JSON.stringify(name)} is ${value}; weights lie between -8 and 8`,
        { next: "Scale the weights down, or draw first weights from the seed (initialize: seed)." },
      );
    mantissas[i] = mantissa;
  }
  return mantissas;
}

/** Values of a parameter in ONNX order; each mantissa is rounded to float32 once. */
export function toOnnxValues({ order }: Parameter, mantissas: Int32Array): Float32Array {
  const places = elementOrder(order);
  const values = new Float32Array(places.length);
  for (let i = 0; i < places.length; i++) values[places[i]!] = mantissas[i]! * 2 ** fixedExponents.weight;
  return values;
}
