import type { Program, Tensor } from "../../../core/exact/tape/types.ts";
import { attribute, GraphBuilder } from "../../onnx/builder.ts";
import { elementCount, type OnnxModel } from "../../onnx/types.ts";
import { Emitter, type Value } from "./emitter.ts";
import { type OptimizerGroup, optimizerGroups } from "./optimizer.ts";
import { SlotOrders } from "./slots.ts";
import { bodyInput, loopInputs, lowerStep, type StepParameters, type WitnessForm } from "./step.ts";
import { identity } from "./tensors.ts";

export type FastOptions = {
  /** Bytes of one object of the dataset. */
  readonly objectBytes: number;
  /** Micro-batches of one step (M). */
  readonly microBatches: number;
  /** 1: a graph of one step. "loop": a graph that loops over as many steps as it is fed. */
  readonly steps: 1 | "loop";
};

export type FastFeed = { readonly data: Float64Array; readonly dims: readonly number[] };

/**
 * A graph that computes the state after some steps, and the witness of each. Inputs: `objects` uint8 [S, M·N,
 * objectBytes], `learningRates` float64 [S], and the state by {@link FastGraph.pack}. Outputs: `witness` float64
 * [S, features, N], `witnessExponent` int64 [S, 1], and the next state under the names of its inputs with `next:` before
 * them, which can be fed again as they are.
 */
export type FastGraph = {
  readonly model: OnnxModel;
  /** Names of the state's feeds. */
  readonly stateNames: readonly string[];
  /** The state as feeds by name: flat float64 integers in the graph's own order. */
  pack(state: readonly Int32Array[]): Record<string, FastFeed>;
  /** The state from the values of its feeds, by name. */
  unpack(values: Readonly<Record<string, Float64Array>>): Int32Array[];
  /** The witness tensor of every step, from the outputs `witness` and `witnessExponent`. */
  witnesses(values: Float64Array, exponents: BigInt64Array): Tensor[];
};

/** Names of the inputs and outputs of a fast graph. */
export const fastNames = {
  objects: "objects",
  learningRates: "learningRates",
  witness: "witness",
  witnessExponent: "witnessExponent",
  next: (name: string) => `next:${name}`,
} as const;

/**
 * Lowers a program to the fastest graph that the rules find; its bits are those of the tape.
 * @throws NoFastRule for a tape that the rules do not cover.
 * @throws CarrierBoundError when a sum cannot be carried exactly.
 */
export function lowerFast(program: Program, { objectBytes, microBatches, steps }: FastOptions): FastGraph {
  const groups = optimizerGroups(program);
  const orders = new SlotOrders();
  const updated = new Set(groups.flatMap(({ weights, momenta }) => [...weights, ...momenta]));
  const frozen = [...program.state.keys()].filter((slot) => !updated.has(slot));
  const sizeOf = (slots: readonly number[]) =>
    slots.reduce((sum, slot) => sum + elementCount(program.state[slot]!.layout.shape), 0);
  const layout = [
    ...groups.flatMap(({ weights, momenta }, g) => [
      { name: `weights${g}`, slots: weights },
      { name: `momenta${g}`, slots: momenta },
    ]),
    ...(frozen.length > 0 ? [{ name: "frozen", slots: frozen }] : []),
  ];
  const graph = new GraphBuilder("train");
  const e = new Emitter(graph);
  const rows = microBatches * program.microBatch;
  const count = steps === 1 ? 1 : "steps";
  graph.input(fastNames.objects, "uint8", [count, rows, objectBytes]);
  graph.input(fastNames.learningRates, "float64", [count]);
  const feeds = layout.map(({ name, slots }): Value => {
    const shape = [sizeOf(slots)];
    return { name: graph.input(name, "float64", shape), shape, type: "float64" };
  });
  const state = feeds.slice(0, 2 * groups.length);
  const step: StepParameters = {
    program,
    objectBytes,
    microBatches,
    orders,
    groups,
    ...(frozen.length > 0 ? { frozen: { slots: frozen, value: feeds.at(-1)! } } : {}),
  };
  const result = steps === 1 ? oneStep(e, step, state) : loopSteps(e, step, state);
  layout.forEach(({ name, slots }, i) => {
    const value = result.state[i] ?? e.op("Identity", [feeds[i]!], feeds[i]!.shape);
    graph.output(fastNames.next(name), value.name, "float64", [sizeOf(slots)]);
  });
  const { form } = result;
  graph.output(fastNames.witness, result.witness, "float64", [count, form.features, program.microBatch]);
  graph.output(fastNames.witnessExponent, result.witnessExponent, "int64", [count, 1]);
  const positions = slotPositions(program, groups, orders);
  return {
    model: graph.build(),
    stateNames: layout.map(({ name }) => name),
    pack: (values) =>
      Object.fromEntries(
        layout.map(({ name, slots }) => {
          const data = new Float64Array(sizeOf(slots));
          let at = 0;
          for (const slot of slots)
            for (const element of positions[slot]!) data[at++] = values[slot]![element]!;
          return [name, { data, dims: [data.length] }];
        }),
      ),
    unpack: (values) => {
      const next = program.state.map(({ layout: { shape } }) => new Int32Array(elementCount(shape)));
      for (const { name, slots } of layout) {
        let at = 0;
        for (const slot of slots)
          for (const element of positions[slot]!) next[slot]![element] = values[name]![at++]!;
      }
      return next;
    },
    witnesses: (values, exponents) =>
      Array.from(exponents, (exponent, s) => {
        const size = form.features * program.microBatch;
        return witnessTensor(program, form, values.subarray(s * size, (s + 1) * size), Number(exponent));
      }),
  };
}

type Steps = { state: readonly Value[]; witness: string; witnessExponent: string; form: WitnessForm };

function oneStep(e: Emitter, step: StepParameters, state: readonly Value[]): Steps {
  const rows = step.microBatches * step.program.microBatch;
  const all: Value = { name: fastNames.objects, shape: [1, rows, step.objectBytes], type: "uint8" };
  const rate: Value = { name: fastNames.learningRates, shape: [1], type: "float64" };
  const next = lowerStep(e, step, state, e.reshape(all, [rows, step.objectBytes]), rate);
  const { form, witness, witnessExponent } = next;
  return {
    state: next.state,
    witness: e.reshape(witness, [1, ...witness.shape]).name,
    witnessExponent: e.reshape(witnessExponent, [1, 1]).name,
    form,
  };
}

/** A Loop over the steps that were fed; the state never leaves the engine between them. */
function loopSteps(e: Emitter, step: StepParameters, state: readonly Value[]): Steps {
  const { graph } = e;
  const { program, objectBytes } = step;
  const rows = step.microBatches * program.microBatch;
  let form: WitnessForm | undefined;
  const body = graph.body("step", (inside) => {
    const inner = new Emitter(inside);
    const { iteration, condition } = loopInputs(inside, "step");
    const before = state.map(({ name, shape }) => bodyInput(inside, `step:${name}`, "float64", shape));
    const take = (name: string, shape: readonly number[], type: Value["type"]) =>
      inner.op("Gather", [{ name, shape, type }, iteration], shape, type, { axis: attribute.int(0) });
    const objects = take(fastNames.objects, [rows, objectBytes], "uint8");
    const rate = inner.reshape(take(fastNames.learningRates, [], "float64"), [1]);
    const next = lowerStep(inner, step, before, objects, rate);
    form = next.form;
    inside.output("step:go", condition.name, "bool", []);
    next.state.forEach((value, i) => {
      inside.output(`step:next:${state[i]!.name}`, value.name, "float64", value.shape);
    });
    inside.output("step:witness", next.witness.name, "float64", next.witness.shape);
    inside.output("step:witnessExponent", next.witnessExponent.name, "int64", [1]);
  });
  const shape = graph.op("Shape", [fastNames.objects]);
  const trips = graph.op("Gather", [shape, e.indices([0], []).name], { axis: attribute.int(0) });
  const outputs = graph.op(
    "Loop",
    [trips, "", ...state.map(({ name }) => name)],
    { body: attribute.graph(body) },
    { outputs: state.length + 2 },
  );
  return {
    state: state.map((value, i) => ({ ...value, name: outputs[i]! })),
    witness: outputs.at(-2)!,
    witnessExponent: outputs.at(-1)!,
    form: form!,
  };
}

/** Position → canonical element of every slot; a momentum lies as its weight. */
export function slotPositions(
  program: Program,
  groups: readonly OptimizerGroup[],
  orders: SlotOrders,
): readonly Int32Array[] {
  const lead = new Map(
    groups.flatMap(({ weights, momenta }) => momenta.map((slot, i) => [slot, weights[i]!])),
  );
  return program.state.map(
    ({ layout: { shape } }, slot) => orders.get(lead.get(slot) ?? slot) ?? identity(elementCount(shape)),
  );
}

const arrays = {
  I8: Int8Array,
  I16: Int16Array,
  I32: Int32Array,
  I64: Float64Array,
  U8: Uint8Array,
  U32: Uint32Array,
} as const;

/** [features, N] in the tape's order: the batch axis stands before the last `inner` features. */
export function witnessTensor(
  { microBatch, tapes, witness }: Program,
  { features, inner }: WitnessForm,
  values: Float64Array,
  exponent: number,
): Tensor {
  const { output } = tapes[0][witness]!;
  const mantissas = new arrays[output.dtype](values.length);
  for (let feature = 0; feature < features; feature++) {
    const outer = Math.floor(feature / inner);
    for (let n = 0; n < microBatch; n++) {
      const at = (outer * microBatch + n) * inner + (feature % inner);
      mantissas[at] = values[feature * microBatch + n]!;
    }
  }
  return { layout: output, exponent, mantissas };
}
