import type { Program } from "../../../core/exact/tape/types.ts";
import { elementCount } from "../../onnx/types.ts";
import type { Carrier, Emitter, Value } from "./emitter.ts";
import { type Exponent, lookup, offset, shiftFor, shiftThresholds } from "./exponent.ts";
import { inverse, type SlotTensor, sameOrder } from "./tensors.ts";

/** Largest magnitude of an int32 of the state. */
const stateLimit = 2 ** 31 - 1;

/** Order in which every slot's elements lie in the graph: position → element in canonical order. */
export class SlotOrders {
  readonly #orders = new Map<number, Int32Array>();

  get(slot: number): Int32Array | undefined {
    return this.#orders.get(slot);
  }

  /** The first rule that reads a slot decides; later ones gather where they want another order. */
  decide(slot: number, order: Int32Array): Int32Array {
    const known = this.#orders.get(slot) ?? order;
    this.#orders.set(slot, known);
    return known;
  }
}

/** Values of the state's slots in one step: master integers, and mantissas of the slots that products read. */
export class SlotValues {
  readonly #program: Program;
  readonly #orders: SlotOrders;
  readonly #integers = new Map<number, Value>();
  readonly #mantissas = new Map<number, { value: Value; exponent: Exponent }>();

  /**
   * @param parts float64 integers of some slots, one after another
   * @param quantized slots that are read as mantissas
   */
  constructor(
    e: Emitter,
    program: Program,
    orders: SlotOrders,
    parts: readonly { readonly slots: readonly number[]; readonly value: Value }[],
    quantized: readonly number[],
    carrier: Carrier,
  ) {
    this.#program = program;
    this.#orders = orders;
    for (const { slots, value } of parts) {
      const sizes = slots.map((slot) => elementCount(program.state[slot]!.layout.shape));
      e.split(value, sizes).forEach((part, i) => {
        this.#integers.set(slots[i]!, part);
      });
    }
    if (quantized.length > 0) this.#quantize(e, quantized, carrier);
  }

  /** All exponents are searched together: a node costs more than the search. */
  #quantize(e: Emitter, slots: readonly number[], carrier: Carrier): void {
    const { bits } = this.#program;
    const values = slots.map((slot) => this.#integers.get(slot)!);
    const extremes = (["ReduceMax", "ReduceMin"] as const).map((kind) =>
      e.concat(
        values.map((value) => e.reduce(kind, value, "all")),
        0,
      ),
    );
    const largest = e.binary("Max", extremes[0]!, e.unary("Neg", extremes[1]!));
    const most = shiftFor(stateLimit, bits);
    const thresholds = e.numbers(shiftThresholds(bits, most, 1), "float64", [1, most]);
    const reached = e.binary("GreaterOrEqual", e.reshape(largest, [slots.length, 1]), thresholds, "bool");
    const shifts = e.reduce("ReduceSum", e.cast(reached, "int64"), [1]);
    const scales = lookup(e, { lo: 0, hi: most, above: shifts }, "float64", (s) => 2 ** -s);
    const ones = slots.map(() => 1);
    const scale = e.split(scales, ones);
    const shift = e.split(shifts, ones);
    slots.forEach((slot, i) => {
      const above = { lo: 0, hi: most, above: shift[i]! };
      const exponent = offset(above, this.#program.state[slot]!.exponent);
      const value =
        carrier === "float32"
          ? roundedByCast(e, values[i]!, scale[i]!, above)
          : e.floorAffine(values[i]!, scale[i]!, e.numbers([0.5], "float64"));
      this.#mantissas.set(slot, { value, exponent });
    });
  }

  exponent(slot: number): Exponent {
    return this.#mantissas.get(slot)!.exponent;
  }

  /** The order that a slot lies in, as seen through a tensor: position → logical element of the tensor. */
  seenOrder(tensor: SlotTensor): Int32Array | undefined {
    const order = this.#orders.get(tensor.slot);
    if (order === undefined) return undefined;
    const logical = inverse(tensor.order);
    return order.map((canonical) => logical[canonical]!);
  }

  /** The slot's elements, flat, in the order wanted (position → logical element of the tensor). */
  read(e: Emitter, tensor: SlotTensor, wanted: Int32Array): Value {
    const canonical = wanted.map((logical) => tensor.order[logical]!);
    const order = this.#orders.decide(tensor.slot, canonical);
    const value = tensor.quantized
      ? this.#mantissas.get(tensor.slot)!.value
      : this.#integers.get(tensor.slot)!;
    if (sameOrder(order, canonical)) return value;
    const position = inverse(order);
    return e.gather(value, e.indices(canonical.map((element) => position[element]!)));
  }
}

/**
 * ⌊x·2^−s + ½⌋ in float32 for results of 8 bits, without a pass of Floor: next to 1.5·2^23 float32 holds integers alone, so
 * the cast rounds to the nearest. 2^−(s + 1) more lets no fraction be ½ and turns the halves upwards; before the cast it
 * all fits 24 + s + 1 ≤ 53 bits.
 */
function roundedByCast(e: Emitter, x: Value, scale: Value, shift: Exponent): Value {
  const integers = 1.5 * 2 ** 23;
  const start = lookup(e, shift, "float64", (s) => integers + (s > 0 ? 2 ** -(s + 1) : 0));
  return e.sub(e.cast(e.affine(x, scale, start), "float32"), e.numbers([integers], "float32"));
}
