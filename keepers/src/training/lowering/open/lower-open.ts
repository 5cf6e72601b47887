import { type Dtype, type Program, spaces, type TapeNode } from "../../../core/exact/tape/types.ts";
import { GraphBuilder } from "../../onnx/builder.ts";
import { dtypeCodes, type OnnxDtype, type OnnxModel } from "../../onnx/types.ts";
import { cast, integer, reshape } from "./arithmetic.ts";
import { lowerNode } from "./lower-node.ts";
import type { Lowering, Value } from "./lowering.ts";

/**
 * The open lowering: a program as plain ONNX graphs in float64, node by node, so that every tensor of the tape can be
 * put out. Inputs, each declared only where the graph reads it:
 *
 * | name | type | |
 * |---|---|---|
 * | `objects` | uint8 [N, objectBytes] | the micro-batch |
 * | `state<i>` | int32, layout of slot i | |
 * | `gradient<i>` | float64, layout of gradient slot i | sum of the slot over the micro-batches |
 * | `learningRate` | float64 scalar | LR of the step |
 *
 * Outputs: `node<i>`, the mantissas of node i (I64 as int64, the others as their own type), and `exponents`, int64, one
 * for each node put out, in their order. The update graph puts out `state<i>:next`, int32.
 */
export type OpenOptions = {
  /** Bytes of one object. */
  readonly objectBytes: number;
  /** Nodes of tape 0 to put out; all by default. */
  readonly nodes?: readonly number[];
};

export const openNames = {
  objects: "objects",
  learningRate: "learningRate",
  exponents: "exponents",
  state: (slot: number) => `state${slot}`,
  gradient: (slot: number) => `gradient${slot}`,
  node: (index: number) => `node${index}`,
  next: (slot: number) => `state${slot}:next`,
} as const;

/** Element type in which a stored type crosses a graph's border. */
export const borderDtypes: Readonly<Record<Dtype, OnnxDtype>> = {
  I8: "int8",
  I16: "int16",
  I32: "int32",
  I64: "int64",
  U8: "uint8",
  U32: "uint32",
};

/** Graph of tape 0 for one micro-batch. Only what the nodes put out depend on is computed. */
export function lowerOpen(program: Program, { objectBytes, nodes }: OpenOptions): OnnxModel {
  const tape = program.tapes[0];
  const wanted = nodes ?? tape.map((_, index) => index);
  const builder = new GraphBuilder("micro-batch");
  const values = lowerTape(openLowering(builder, program, { objectBytes }), tape, wanted);
  putOut(builder, wanted, (index) => values[index]!);
  return builder.build();
}

/** Nodes of tape 0 that store the gradients, by slot. */
export function gradientNodes(program: Program): number[] {
  return storeNodes(program.tapes[0], spaces.microBatchGradient);
}

/** Graph of tapes 1 and 2: the next state from the state, the summed gradients and LR. */
export function lowerUpdate(program: Program, { microBatches }: { microBatches: number }): OnnxModel {
  const builder = new GraphBuilder("update");
  const [, reduction, optimizer] = program.tapes;
  const outer = openLowering(builder, program, { microBatches });
  const gradients = storeNodes(reduction, spaces.stepGradient);
  const reduced = lowerTape(outer, reduction, gradients);
  const lowering: Lowering = {
    ...outer,
    load: (space, slot) =>
      space === spaces.stepGradient ? reduced[gradients[slot]!]! : outer.load(space, slot),
  };
  const stores = storeNodes(optimizer, spaces.state);
  const values = lowerTape(lowering, optimizer, stores);
  for (const [slot, index] of stores.entries()) {
    if (index === undefined) continue;
    const next = castTo(builder, values[index]!.mantissas, "int32");
    builder.output(openNames.next(slot), next, "int32", program.state[slot]!.layout.shape);
  }
  return builder.build();
}

/** Lowering over graph inputs, which are declared when first read. */
export function openLowering(
  builder: GraphBuilder,
  program: Pick<Program, "bits" | "microBatch" | "state" | "gradients">,
  { objectBytes = 0, microBatches = 1 }: { objectBytes?: number; microBatches?: number },
): Lowering {
  const made = new Map<string, string>();
  const input = (name: string, make: () => string) => {
    const known = made.get(name) ?? make();
    made.set(name, known);
    return known;
  };
  const { bits, microBatch } = program;
  return {
    builder,
    bits,
    microBatch,
    microBatches,
    shared: new Map(),
    objects: () =>
      input(openNames.objects, () => builder.input(openNames.objects, "uint8", [microBatch, objectBytes])),
    load: (_, slot) => {
      const { layout, exponent } = program.state[slot]!;
      const mantissas = input(openNames.state(slot), () =>
        cast(builder, builder.input(openNames.state(slot), "int32", layout.shape), "float64"),
      );
      return { mantissas, exponent: integer(builder, exponent), layout };
    },
    gradientSum: (slot) =>
      input(openNames.gradient(slot), () =>
        builder.input(openNames.gradient(slot), "float64", program.gradients[slot]!.shape),
      ),
    learningRate: () =>
      input(openNames.learningRate, () => builder.input(openNames.learningRate, "float64", [])),
  };
}

/** Puts values out as `node<i>`, with their exponents. */
export function putOut(
  builder: GraphBuilder,
  indices: readonly number[],
  valueAt: (index: number) => Value,
): void {
  for (const index of indices) {
    const { layout, mantissas } = valueAt(index);
    const dtype = borderDtypes[layout.dtype];
    builder.output(openNames.node(index), castTo(builder, mantissas, dtype), dtype, layout.shape);
  }
  const exponents = indices.map((index) => reshape(builder, valueAt(index).exponent, [1]));
  const together = builder.op("Concat", exponents, { axis: { type: "int", value: 0 } });
  builder.output(openNames.exponents, together, "int64", [indices.length]);
}

/** Values of a tape's nodes, of those that `wanted` depend on. */
function lowerTape(
  lowering: Lowering,
  tape: readonly TapeNode[],
  wanted: readonly (number | undefined)[],
): (Value | undefined)[] {
  const needed = new Set(wanted);
  for (let index = tape.length - 1; index >= 0; index--) {
    if (needed.has(index)) for (const input of tape[index]!.inputs) needed.add(input);
  }
  const values: (Value | undefined)[] = [];
  for (const [index, node] of tape.entries()) {
    if (!needed.has(index)) continue;
    values[index] = lowerNode(
      lowering,
      node,
      node.inputs.map((input) => values[input]!),
    );
  }
  return values;
}

/** Index of the STORE into every slot of a space. */
function storeNodes(tape: readonly TapeNode[], space: number): number[] {
  const stores: number[] = [];
  for (const [index, node] of tape.entries()) {
    if (node.opcode === "STORE" && node.attributes.space === space) stores[node.attributes.slot] = index;
  }
  return stores;
}

function castTo(builder: GraphBuilder, value: string, dtype: OnnxDtype): string {
  return builder.op("Cast", [value], { to: { type: "int", value: dtypeCodes[dtype] } });
}
