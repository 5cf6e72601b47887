import { biasLimit, type Context } from "./context.ts";
import type { Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { type Exponent, lookup } from "./exponent.ts";
import type { FastTensor } from "./tensors.ts";

/** A bias at the exponent of a sum: float64 integers, limited; position → logical element in `order`. */
export function biasAt(
  ctx: Context,
  bias: FastTensor | undefined,
  order: Int32Array,
  exponent: Exponent,
): Value {
  if (bias?.kind !== "slot" || bias.quantized) throw new NoFastRule("a bias that is no slot");
  const { e, bits, slots, program } = ctx;
  const from = program.state[bias.slot]!.exponent;
  const scale = lookup(e, exponent, "float64", (to) => 2 ** -Math.min(Math.max(to - from, -62), 62));
  // Exact where it matters: below 2^−22 in magnitude the sum may round, and stays between 0 and 1.
  const sum = e.add(e.mul(slots.read(e, bias, order), scale), e.numbers([0.5], "float64"));
  return e.clamp(e.unary("Floor", sum), biasLimit(bits));
}
