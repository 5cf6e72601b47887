import { type Program, spaces, type TapeNode } from "../../../core/exact/tape/types.ts";
import { attribute, type GraphBuilder } from "../../onnx/builder.ts";
import { elementCount } from "../../onnx/types.ts";
import { type Context, rowsInOrder } from "./context.ts";
import { Emitter, type Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { type OptimizerGroup, updateGroup } from "./optimizer.ts";
import { type SlotOrders, SlotValues } from "./slots.ts";
import { liveNodes, lowerMicroBatch } from "./tape.ts";
import { type GradientTensor, identity, inverse, sameOrder } from "./tensors.ts";

export type StepParameters = {
  readonly program: Program;
  readonly objectBytes: number;
  readonly microBatches: number;
  readonly orders: SlotOrders;
  readonly groups: readonly OptimizerGroup[];
  /** Slots that no step updates, and their flat values. */
  readonly frozen?: { readonly slots: readonly number[]; readonly value: Value };
};

/** Where the elements of the witness lie: [features, N] float64, features after the batch axis. */
export type WitnessForm = { readonly features: number; readonly inner: number };

/** Values after one step: weights and momenta of each group in turn; the witness of the last micro-batch. */
export type StepValues = {
  readonly state: Value[];
  readonly witness: Value;
  /** int64 [1] */
  readonly witnessExponent: Value;
  readonly form: WitnessForm;
};

/**
 * Lowers one step.
 * @param state weights and momenta of each group in turn, flat
 * @param objects bytes [M·N, objectBytes]
 * @param learningRate LR, float64 [1]
 */
export function lowerStep(
  e: Emitter,
  parameters: StepParameters,
  state: readonly Value[],
  objects: Value,
  learningRate: Value,
): StepValues {
  const { groups } = parameters;
  const weights = groups.map((_, g) => state[2 * g]!);
  const { sums, ...witness } = lowerSums(e, parameters, weights, objects);
  const next = groups.flatMap((group, g) => {
    const updated = updateGroup(
      e,
      group,
      {
        weights: weights[g]!,
        momenta: state[2 * g + 1]!,
        gradients: mean(e, sums[g]!, parameters.microBatches),
      },
      learningRate,
    );
    return [updated.weights, updated.momenta];
  });
  return { state: next, ...witness };
}

/** Sums over micro-batches, of each group: integers below 2^20·2^31, flat float64; the witness of the last one. */
export type SumValues = Omit<StepValues, "state"> & { readonly sums: readonly Value[] };

/**
 * Lowers tape 0 for all micro-batches of a step, or of a part of one.
 * @param weights of each group, flat
 * @param objects bytes [M·N, objectBytes]
 */
export function lowerSums(
  e: Emitter,
  parameters: StepParameters,
  weights: readonly Value[],
  objects: Value,
): SumValues {
  const { program, orders, groups, frozen } = parameters;
  const parts = [
    ...groups.map((group, g) => ({ slots: group.weights, value: weights[g]! })),
    ...(frozen === undefined ? [] : [frozen]),
  ];
  const carrier = program.bits === 8 ? "float32" : "float64";
  const slots = new SlotValues(e, program, orders, parts, quantizedSlots(program), carrier);
  const shared = {
    program,
    bits: program.bits,
    batch: program.microBatch,
    carrier,
    slots,
  } as const;
  return parameters.microBatches === 1
    ? gradientSums({ ...shared, e, columns: [] }, parameters, objects)
    : loopMicroBatches(e, shared, parameters, objects);
}

/** ACCUMULATE: the mean of M micro-batches, from their sum. */
function mean(e: Emitter, sum: Value, microBatches: number): Value {
  if (microBatches === 1) return sum;
  return e.floorAffine(sum, e.numbers([1 / microBatches], "float64"), e.numbers([0.5], "float64"));
}

/** Gradients of one micro-batch, of each group, rounded and flat. */
function gradientSums(ctx: Context, parameters: StepParameters, objects: Value): SumValues {
  const { e, program } = ctx;
  const { gradients, witness } = lowerMicroBatch(ctx, objects);
  if (witness.kind !== "batch") throw new NoFastRule("a witness that is no tensor of the batch");
  const sums = parameters.groups.map((group) => {
    const runs: { rounded: boolean; values: Value[] }[] = [];
    group.gradients.forEach((slot, i) => {
      const gradient = gradients[slot]!;
      const value = inSlotOrder(ctx, parameters.orders, group.weights[i]!, gradient);
      const run = runs.at(-1);
      if (run?.rounded === gradient.rounded) run.values.push(value);
      else runs.push({ rounded: gradient.rounded, values: [value] });
    });
    const half = e.numbers([0.5], "float64");
    const whole = runs.flatMap(({ rounded, values }) =>
      rounded ? values : [e.unary("Floor", e.add(e.concat(values, 0), half))],
    );
    const rounded = e.concat(whole, 0);
    return e.clamp(rounded, 2 ** 31 - 1);
  });
  const features = witness.map.length;
  const { lo, above } = witness.exponent;
  const low = e.numbers([lo], "int64");
  return {
    sums,
    witness: e.reshape(e.cast(rowsInOrder(ctx, witness, identity(features)), "float64"), [
      features,
      program.microBatch,
    ]),
    witnessExponent: above === undefined ? e.op("Identity", [low], [1]) : e.add(above, low),
    form: { features, inner: witness.inner },
  };
}

/** A gradient in the order in which its weight lies. */
function inSlotOrder(
  ctx: Context,
  orders: SlotOrders,
  slot: number,
  { value, order }: GradientTensor,
): Value {
  const wanted = orders.decide(slot, order);
  if (sameOrder(wanted, order)) return value;
  const position = inverse(order);
  return ctx.e.gather(value, ctx.e.indices(wanted.map((element) => position[element]!)));
}

/** Sums of the gradients of M micro-batches: integers below 2^20·2^31, exact in float64. */
function loopMicroBatches(
  e: Emitter,
  shared: Omit<Context, "e" | "columns">,
  parameters: StepParameters,
  objects: Value,
): SumValues {
  const { program, objectBytes, microBatches, groups } = parameters;
  const { microBatch } = program;
  const batches = e.reshape(objects, [microBatches, microBatch, objectBytes]);
  const sizes = groups.map(({ weights }) =>
    weights.reduce((sum, slot) => sum + elementCount(program.state[slot]!.layout.shape), 0),
  );
  let last: Omit<SumValues, "sums"> | undefined;
  const body = e.graph.body("microBatch", (graph) => {
    const inner = new Emitter(graph);
    const { iteration, condition } = loopInputs(graph, "microBatch");
    const before = sizes.map((size, g) => bodyInput(graph, `microBatch:sum${g}`, "float64", [size]));
    bodyInput(graph, "microBatch:witness", "float64", ["features", microBatch]);
    bodyInput(graph, "microBatch:exponent", "int64", [1]);
    const bytes = inner.op("Gather", [batches, iteration], [microBatch, objectBytes], "uint8", {
      axis: attribute.int(0),
    });
    const { sums, ...witness } = gradientSums({ ...shared, e: inner, columns: [] }, parameters, bytes);
    last = witness;
    graph.output("microBatch:go", condition.name, "bool", []);
    sums.forEach((sum, g) => {
      graph.output(`microBatch:next${g}`, inner.add(before[g]!, sum).name, "float64", sum.shape);
    });
    graph.output("microBatch:witnessOut", witness.witness.name, "float64", witness.witness.shape);
    graph.output("microBatch:exponentOut", witness.witnessExponent.name, "int64", [1]);
  });
  const { form, witness } = last!;
  const trips = e.indices([microBatches], []);
  const start = sizes.map((size) => e.filled(0, "float64", [size]).name);
  const empty = e.filled(0, "float64", witness.shape).name;
  const outputs = e.graph.op(
    "Loop",
    [trips.name, "", ...start, empty, e.indices([0]).name],
    { body: attribute.graph(body) },
    { outputs: sizes.length + 2 },
  );
  return {
    sums: sizes.map((size, g) => ({ name: outputs[g]!, shape: [size], type: "float64" })),
    witness: { ...witness, name: outputs.at(-2)! },
    witnessExponent: { name: outputs.at(-1)!, shape: [1], type: "int64" },
    form,
  };
}

/** Inputs that every body of a Loop has. */
export function loopInputs(graph: GraphBuilder, name: string): { iteration: Value; condition: Value } {
  return {
    iteration: bodyInput(graph, `${name}:iteration`, "int64", []),
    condition: bodyInput(graph, `${name}:condition`, "bool", []),
  };
}

export function bodyInput(
  graph: GraphBuilder,
  name: string,
  type: Value["type"],
  shape: readonly (number | string)[],
): Value {
  return { name: graph.input(name, type, shape), shape: shape.filter((n) => typeof n === "number"), type };
}

/** Slots of the state that products read, as mantissas. */
function quantizedSlots(program: Program): number[] {
  const tape = program.tapes[0];
  const live = liveNodes(tape, program.witness);
  const slots = new Set<number>();
  tape.forEach((node, index) => {
    if (!live[index] || node.opcode !== "REQUANTIZE") return;
    const source = behindRelayouts(tape, node.inputs[0]!);
    if (source.opcode === "LOAD" && source.attributes.space === spaces.state)
      slots.add(source.attributes.slot);
  });
  return [...slots];
}

function behindRelayouts(tape: readonly TapeNode[], index: number): TapeNode {
  let node = tape[index]!;
  while (node.opcode === "RELAYOUT") node = tape[node.inputs[0]!]!;
  return node;
}
