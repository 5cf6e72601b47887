import { fixedExponents } from "../../core/exact/format.ts";
import { limits } from "../../core/exact/limits.ts";
import { flags, spaces } from "../../core/exact/tape/types.ts";
import { strideAndPads, windowAttributes } from "./attributes.ts";
import type { Emitted } from "./forward.ts";
import { countUses, type Four, type Graph, type Op, type OpOf } from "./graph.ts";
import { dataLayout, mantissaDtype, parameterLayout } from "./layouts.ts";
import type { TapeBuilder } from "./tape-builder.ts";

/** Gradient of a value; `gated` when it is already 0 where the value's Relu is closed. */
type Gradient = { readonly node: number; readonly gated: boolean };

export type BackwardParameters = {
  tape: TapeBuilder;
  graph: Graph;
  emitted: readonly Emitted[];
  differentiable: readonly boolean[];
  /** Node that holds the gradient of the graph's output. */
  gradient: number;
};

/** Writes the reverse-mode gradients of all parameters and stores them, in the slots' order of {@link emitForward}. */
export function emitBackward(parameters: BackwardParameters): void {
  const { graph, differentiable, gradient } = parameters;
  const pass = new BackwardPass(parameters);
  pass.contribute(graph.output, { node: gradient, gated: false });
  for (let index = graph.ops.length - 1; index >= 0; index--) if (differentiable[index]) pass.visit(index);
}

class BackwardPass {
  readonly #tape: TapeBuilder;
  readonly #ops: readonly Op[];
  readonly #emitted: readonly Emitted[];
  readonly #differentiable: readonly boolean[];
  readonly #uses: readonly number[];
  readonly #slots: readonly number[];
  readonly #gradients: Gradient[][];

  constructor({ tape, graph, emitted, differentiable }: BackwardParameters) {
    this.#tape = tape;
    this.#ops = graph.ops;
    this.#emitted = emitted;
    this.#differentiable = differentiable;
    this.#uses = countUses(graph);
    this.#gradients = graph.ops.map(() => []);
    let slot = 0;
    this.#slots = graph.ops.map((op) => {
      const first = slot;
      if (op.kind === "linear" || op.kind === "conv") slot += op.bias === undefined ? 1 : 2;
      return first;
    });
  }

  contribute(value: number, gradient: Gradient): void {
    if (this.#differentiable[value]) this.#gradients[value]!.push(gradient);
  }

  /** Passes the gradient of one operation on to its parameters and operands. */
  visit(index: number): void {
    const op = this.#ops[index]!;
    this.#tape.comesFrom(`the gradient of ${op.label}`);
    const gradient = this.#sum(this.#gradients[index]!);
    if (op.kind === "relayout") {
      this.contribute(op.x, { node: this.#relayoutBack(op, gradient.node), gated: gradient.gated });
      return;
    }
    const d = isRectified(op) && !gradient.gated ? this.#gate(gradient.node, index) : gradient.node;
    switch (op.kind) {
      case "linear":
        this.#linear(op, index, d);
        break;
      case "conv":
        this.#conv(op, index, d);
        break;
      case "add":
        this.contribute(op.x, { node: d, gated: false });
        this.contribute(op.y, { node: d, gated: false });
        break;
      case "relu":
        this.contribute(op.x, { node: d, gated: false });
        break;
      case "maxPool":
        this.#pool(op, [d, this.#emitted[index]!.index!]);
        break;
      case "averagePool":
        this.#pool(op, [d]);
        break;
    }
  }

  #linear(op: OpOf<"linear">, index: number, d: number): void {
    const tape = this.#tape;
    const slot = this.#slots[index]!;
    const transposed = tape.transpose(d);
    const x = tape.transpose(tape.factor(this.#emitted[op.x]!.tensor));
    this.#store(
      slot,
      tape.add({
        opcode: "MATMUL",
        inputs: [transposed, x],
        output: parameterLayout("I32", op.weight.shape),
        attributes: { flags: flags.fixed, exponent: fixedExponents.gradient },
      }),
    );
    if (op.bias !== undefined) this.#biasGradient(slot + 1, transposed);
    if (!this.#differentiable[op.x]) return;
    const weight = tape.transpose(this.#emitted[index]!.weight!);
    const gate = this.#gateOf(op.x);
    const node = tape.add({
      opcode: "MATMUL",
      inputs: [d, weight, ...gate],
      output: this.#like(op.x),
      attributes: { flags: gateFlag(gate), exponent: 0 },
    });
    this.contribute(op.x, { node, gated: gate.length > 0 });
  }

  #conv(op: OpOf<"conv">, index: number, pooled: number): void {
    const tape = this.#tape;
    const slot = this.#slots[index]!;
    const { weight, index: places } = this.#emitted[index]!;
    const d = places === undefined ? pooled : this.#unpool(op, pooled, places);
    const channels = tape.channelsFirst(d);
    const x = tape.channelsFirst(tape.factor(this.#emitted[op.x]!.tensor));
    const { groups } = op;
    this.#store(
      slot,
      tape.add({
        opcode: "CONV_WEIGHT_GRAD",
        inputs: [x, channels],
        output: parameterLayout("I32", op.weight.shape),
        attributes: { exponent: fixedExponents.gradient, ...strideAndPads(op.window), groups },
      }),
    );
    if (op.bias !== undefined) {
      const [outputs, ...sums] = tape.layout(channels).shape as Four;
      const rows = [outputs, sums.reduce((product, size) => product * size, 1)];
      this.#biasGradient(
        slot + 1,
        tape.relayout(channels, tape.layout(channels).shape as Four, [0, 1, 2, 3], rows),
      );
    }
    if (!this.#differentiable[op.x]) return;
    const [outputs, height, width, perGroup] = op.weight.shape as Four;
    const turned = tape.relayout(
      weight!,
      [groups, outputs / groups, height * width, perGroup],
      [0, 3, 2, 1],
      [perGroup * groups, height, width, outputs / groups],
      { parameter: true },
    );
    const gate = this.#gateOf(op.x);
    const node = tape.add({
      opcode: "CONV_INPUT_GRAD",
      inputs: [d, turned, ...gate],
      output: this.#like(op.x),
      attributes: { flags: gateFlag(gate), exponent: 0, ...strideAndPads(op.window), groups },
    });
    this.contribute(op.x, { node, gated: gate.length > 0 });
  }

  /** The gradient of a convolution's pooled sums at the places where the largest stood. */
  #unpool(op: OpOf<"conv">, d: number, places: number): number {
    const { kernel, stride, pads } = op.window;
    const [batch, , , channels] = op.shape;
    const [, height, width] = this.#ops[op.x]!.shape;
    const rows = Math.floor((height! + pads[0] + pads[2] - kernel[0]) / stride[0]) + 1;
    const columns = Math.floor((width! + pads[1] + pads[3] - kernel[1]) / stride[1]) + 1;
    const side: [number, number] = [op.pool, op.pool];
    return this.#tape.add({
      opcode: "MAX_POOL_GRAD",
      inputs: [d, places],
      output: dataLayout(mantissaDtype(this.#tape.bits), [batch!, rows, columns, channels!]),
      attributes: { flags: 0, ...windowAttributes({ kernel: side, stride: side, pads: [0, 0, 0, 0] }) },
    });
  }

  #pool(op: OpOf<"maxPool"> | OpOf<"averagePool">, inputs: readonly number[]): void {
    const gate = this.#gateOf(op.x);
    const attributes = { flags: gateFlag(gate), ...windowAttributes(op.window) };
    const output = this.#like(op.x);
    const node =
      op.kind === "maxPool"
        ? this.#tape.add({ opcode: "MAX_POOL_GRAD", inputs: [...inputs, ...gate], output, attributes })
        : this.#tape.add({ opcode: "AVERAGE_POOL_GRAD", inputs: [...inputs, ...gate], output, attributes });
    this.contribute(op.x, { node, gated: gate.length > 0 });
  }

  #biasGradient(slot: number, rows: number): void {
    const sum = this.#tape.add({
      opcode: "ROW_SUM",
      inputs: [rows],
      output: parameterLayout("I32", [this.#tape.layout(rows).shape[0]!]),
      attributes: { flags: flags.fixed, exponent: fixedExponents.gradient },
    });
    this.#store(slot, sum);
  }

  #store(slot: number, gradient: number): void {
    this.#tape.add({
      opcode: "STORE",
      inputs: [gradient],
      output: this.#tape.layout(gradient),
      attributes: { space: spaces.microBatchGradient, slot },
    });
  }

  /** Gradients of a value that several operations read meet in sums of as many terms as an ADD takes. */
  #sum(gradients: readonly Gradient[]): Gradient {
    let terms = gradients.map(({ node }) => node);
    if (terms.length === 1) return gradients[0]!;
    while (terms.length > 1) {
      const node = this.#tape.add({
        opcode: "ADD",
        inputs: terms.slice(0, limits.addInputs),
        output: this.#tape.layout(terms[0]!),
        attributes: { flags: 0 },
      });
      terms = [node, ...terms.slice(limits.addInputs)];
    }
    return { node: terms[0]!, gated: false };
  }

  #gate(d: number, index: number): number {
    return this.#tape.add({
      opcode: "GATE",
      inputs: [this.#tape.mantissas(d), this.#emitted[index]!.tensor],
      output: this.#tape.layout(d),
      attributes: {},
    });
  }

  /** The value as a gate for its own gradient, when a Relu made it and nothing else reads it on the way here. */
  #gateOf(value: number): [] | [number] {
    let index = value;
    for (;;) {
      const op = this.#ops[index]!;
      if (this.#uses[index] !== 1) return [];
      if (op.kind !== "relayout") return isRectified(op) ? [this.#emitted[value]!.tensor] : [];
      index = op.x;
    }
  }

  #relayoutBack(op: OpOf<"relayout">, d: number): number {
    const view = op.axes.map((axis) => op.view[axis]!) as unknown as Four;
    const axes = op.axes.map((_, axis) => op.axes.indexOf(axis)) as unknown as Four;
    return this.#tape.relayout(d, view, axes, this.#ops[op.x]!.shape);
  }

  #like(value: number) {
    return dataLayout(mantissaDtype(this.#tape.bits), this.#ops[value]!.shape);
  }
}

function isRectified(op: Op): boolean {
  return op.kind === "relu" || ((op.kind === "linear" || op.kind === "conv" || op.kind === "add") && op.relu);
}

function gateFlag(gate: readonly number[]): number {
  return gate.length > 0 ? flags.gate : 0;
}
