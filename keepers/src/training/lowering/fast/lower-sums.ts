import type { Program, Tensor } from "../../../core/exact/tape/types.ts";
import { GraphBuilder } from "../../onnx/builder.ts";
import { elementCount, type OnnxModel } from "../../onnx/types.ts";
import { Emitter, type Value } from "./emitter.ts";
import { type FastFeed, type FastOptions, slotPositions, witnessTensor } from "./lower-fast.ts";
import { optimizerGroups } from "./optimizer.ts";
import { SlotOrders } from "./slots.ts";
import { lowerSums } from "./step.ts";

/**
 * A graph of some micro-batches of one step: the sums of their gradients, and the witness of the last one. Inputs:
 * `objects` uint8 [M·N, objectBytes], and the weights by {@link SumsGraph.pack}. Outputs: `sums<g>` float64, flat, one for
 * each group; `witness` float64 [features, N], `witnessExponent` int64 [1].
 */
export type SumsGraph = {
  readonly model: OnnxModel;
  /** What the graph reads of a state, as feeds by name. */
  pack(state: readonly Int32Array[]): Record<string, FastFeed>;
  /** Sums by gradient slot, row-major, from the outputs by name. */
  unpack(outputs: (name: string) => Float64Array): Float64Array[];
  /** The witness tensor, from the outputs `witness` and `witnessExponent`. */
  witness(values: Float64Array, exponent: bigint): Tensor;
};

/** Names of the inputs and outputs of a sums graph. */
export const sumsNames = {
  objects: "objects",
  sums: (group: number) => `sums${group}`,
  witness: "witness",
  witnessExponent: "witnessExponent",
} as const;

/**
 * Lowers tape 0 for `microBatches` micro-batches, with the rules of the fast graph.
 * @throws NoFastRule for a tape that the rules do not cover.
 * @throws CarrierBoundError when a sum cannot be carried exactly.
 */
export function lowerFastSums(
  program: Program,
  { objectBytes, microBatches }: Omit<FastOptions, "steps">,
): SumsGraph {
  const groups = optimizerGroups(program);
  const orders = new SlotOrders();
  const updated = new Set(groups.flatMap(({ weights, momenta }) => [...weights, ...momenta]));
  const frozen = [...program.state.keys()].filter((slot) => !updated.has(slot));
  const sizeOf = (slots: readonly number[]) =>
    slots.reduce((sum, slot) => sum + elementCount(program.state[slot]!.layout.shape), 0);
  const layout = [
    ...groups.map(({ weights }, g) => ({ name: `weights${g}`, slots: weights })),
    ...(frozen.length > 0 ? [{ name: "frozen", slots: frozen }] : []),
  ];
  const graph = new GraphBuilder("sums");
  const e = new Emitter(graph);
  const rows = microBatches * program.microBatch;
  graph.input(sumsNames.objects, "uint8", [rows, objectBytes]);
  const feeds = layout.map(({ name, slots }): Value => {
    const shape = [sizeOf(slots)];
    return { name: graph.input(name, "float64", shape), shape, type: "float64" };
  });
  const objects: Value = { name: sumsNames.objects, shape: [rows, objectBytes], type: "uint8" };
  const { sums, witness, witnessExponent, form } = lowerSums(
    e,
    {
      program,
      objectBytes,
      microBatches,
      orders,
      groups,
      ...(frozen.length > 0 ? { frozen: { slots: frozen, value: feeds.at(-1)! } } : {}),
    },
    feeds.slice(0, groups.length),
    objects,
  );
  // A graph may not put out what it also reads, nor one value twice.
  const putOut = (name: string, value: Value, type: "float64" | "int64") =>
    graph.output(name, e.op("Identity", [value], value.shape, type).name, type, value.shape);
  for (const [g, sum] of sums.entries()) putOut(sumsNames.sums(g), sum, "float64");
  putOut(sumsNames.witness, witness, "float64");
  putOut(sumsNames.witnessExponent, witnessExponent, "int64");
  const positions = slotPositions(program, groups, orders);
  return {
    model: graph.build(),
    pack: (state) =>
      Object.fromEntries(
        layout.map(({ name, slots }) => {
          const data = new Float64Array(sizeOf(slots));
          let at = 0;
          for (const slot of slots) {
            const values = state[slot]!;
            for (const element of positions[slot]!) data[at++] = values[element]!;
          }
          return [name, { data, dims: [data.length] }];
        }),
      ),
    unpack(outputs) {
      const result = program.gradients.map(({ shape }) => new Float64Array(elementCount(shape)));
      for (const [g, { weights, gradients }] of groups.entries()) {
        const values = outputs(sumsNames.sums(g));
        let at = 0;
        for (const [i, slot] of weights.entries()) {
          const sum = result[gradients[i]!]!;
          for (const element of positions[slot]!) sum[element] = values[at++]!;
        }
      }
      return result;
    },
    witness: (values, exponent) => witnessTensor(program, form, values, Number(exponent)),
  };
}
