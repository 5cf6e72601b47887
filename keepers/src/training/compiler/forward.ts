import { fixedExponents } from "../../core/exact/format.ts";
import { flags, spaces } from "../../core/exact/tape/types.ts";
import { strideAndPads, windowAttributes } from "./attributes.ts";
import { countUses, type Graph, type Op, type OpOf } from "./graph.ts";
import { dataLayout, mantissaDtype, parameterLayout } from "./layouts.ts";
import type { TapeBuilder } from "./tape-builder.ts";

/** Tape nodes of one operation: its value, and what its gradient reads besides. */
export type Emitted = {
  readonly tensor: number;
  /** B-bit copy of the layer's weights. */
  readonly weight?: number;
  /** Where in each window the largest stood. */
  readonly index?: number;
};

export type ForwardParameters = {
  tape: TapeBuilder;
  graph: Graph;
  /** Node that holds the graph's input. */
  samples: number;
  /** Operations that some parameter's gradient passes through. */
  differentiable: readonly boolean[];
  /** Whether the output is wanted as logits (I32 at the logits' exponent) rather than as B-bit mantissas. */
  logits: boolean;
};

/** Writes the forward computation; one entry for each operation. */
export function emitForward({ tape, graph, samples, differentiable, logits }: ForwardParameters): Emitted[] {
  const fixed = logits ? logitsLayer(graph) : undefined;
  const emitted: Emitted[] = [];
  let slot = 0;
  const load = (shape: readonly number[]) =>
    tape.add({
      opcode: "LOAD",
      inputs: [],
      output: parameterLayout("I32", shape),
      attributes: { space: spaces.state, slot: slot++ },
    });
  for (const [index, op] of graph.ops.entries()) {
    tape.comesFrom(op.label);
    const needsIndex = op.kind === "maxPool" && differentiable[op.x]!;
    emitted.push(
      op.kind === "input"
        ? { tensor: samples }
        : op.kind === "linear" || op.kind === "conv"
          ? emitLayer(tape, op, emitted[op.x]!.tensor, load, index === fixed)
          : emitOther(tape, op, emitted, needsIndex),
    );
  }
  return emitted;
}

/** Which operations depend on a parameter, so that gradients pass through them. */
export function differentiableOps({ ops }: Graph): boolean[] {
  const result: boolean[] = [];
  for (const op of ops)
    result.push(
      op.kind === "linear" ||
        op.kind === "conv" ||
        (op.kind === "add" && (result[op.x]! || result[op.y]!)) ||
        (op.kind !== "input" && op.kind !== "add" && result[op.x]!),
    );
  return result;
}

/** The layer whose sums become the logits without a rounding to B bits between; undefined where there is none. */
function logitsLayer(graph: Graph): number | undefined {
  const uses = countUses(graph);
  let index = graph.output;
  for (;;) {
    const op = graph.ops[index]!;
    if (uses[index] !== 1) return undefined;
    if (op.kind === "relayout") index = op.x;
    else return (op.kind === "linear" || op.kind === "conv") && !op.relu ? index : undefined;
  }
}

function emitLayer(
  tape: TapeBuilder,
  op: OpOf<"linear"> | OpOf<"conv">,
  x: number,
  load: (shape: readonly number[]) => number,
  fixed: boolean,
): Emitted {
  const master = load(op.weight.shape);
  const bias = op.bias === undefined ? [] : [load(op.bias.shape)];
  const weight = tape.mantissas(master);
  const bits =
    (op.bias === undefined ? 0 : flags.bias) | (op.relu ? flags.relu : 0) | (fixed ? flags.fixed : 0);
  const exponent = fixed ? fixedExponents.logits : 0;
  const output = dataLayout(fixed ? "I32" : mantissaDtype(tape.bits), op.shape);
  const inputs = [tape.factor(x), weight, ...bias];
  if (op.kind === "linear")
    return {
      tensor: tape.add({ opcode: "MATMUL", inputs, output, attributes: { flags: bits, exponent } }),
      weight,
    };
  const attributes = { flags: bits, exponent, ...strideAndPads(op.window), groups: op.groups, pool: op.pool };
  const tensor = tape.add({ opcode: "CONV", inputs, output, attributes });
  if (op.pool === 1) return { tensor, weight };
  const index = tape.add({
    opcode: "CONV_POOL_INDEX",
    inputs,
    output: dataLayout("U8", op.shape),
    attributes,
  });
  return { tensor, weight, index };
}

function emitOther(
  tape: TapeBuilder,
  op: Exclude<Op, OpOf<"input"> | OpOf<"linear"> | OpOf<"conv">>,
  emitted: readonly Emitted[],
  needsIndex: boolean,
): Emitted {
  const x = emitted[op.x]!.tensor;
  if (op.kind === "relayout") return { tensor: tape.relayout(x, op.view, op.axes, op.shape) };
  const output = dataLayout(mantissaDtype(tape.bits), op.shape);
  const inputs = [tape.mantissas(x)];
  switch (op.kind) {
    case "add": {
      inputs.push(tape.mantissas(emitted[op.y]!.tensor));
      const attributes = { flags: op.relu ? flags.relu : 0 };
      return { tensor: tape.add({ opcode: "ADD", inputs, output, attributes }) };
    }
    case "relu":
      return { tensor: tape.add({ opcode: "RELU", inputs, output, attributes: {} }) };
    case "averagePool": {
      const attributes = windowAttributes(op.window);
      return { tensor: tape.add({ opcode: "AVERAGE_POOL", inputs, output, attributes }) };
    }
    case "maxPool": {
      const attributes = windowAttributes(op.window);
      const tensor = tape.add({ opcode: "MAX_POOL", inputs, output, attributes });
      if (!needsIndex) return { tensor };
      const places = dataLayout("U8", op.shape);
      return { tensor, index: tape.add({ opcode: "MAX_POOL_INDEX", inputs, output: places, attributes }) };
    }
  }
}
