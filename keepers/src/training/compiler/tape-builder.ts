import { dtypeRange, mantissaRange } from "../../core/exact/tape/ranges.ts";
import type { Layout, MantissaBits, TapeNode } from "../../core/exact/tape/types.ts";
import type { Four, Shape } from "./graph.ts";
import { dataLayout, mantissaDtype, parameterLayout } from "./layouts.ts";

/** Writes a tape node by node; equal relayouts and requantisations are one node. */
export class TapeBuilder {
  readonly nodes: TapeNode[] = [];
  readonly bits: MantissaBits;
  readonly #known = new Map<string, number>();
  readonly #origins: string[] = [];
  #origin = "the model";

  constructor(bits: MantissaBits) {
    this.bits = bits;
  }

  /** Says which part of the model the next nodes come from. */
  comesFrom(origin: string): void {
    this.#origin = origin;
  }

  /** The part of the model that a node comes from, in words for an error. */
  originOf(node: number): string {
    return this.#origins[node]!;
  }

  add(node: TapeNode): number {
    this.nodes.push(node);
    this.#origins.push(this.#origin);
    return this.nodes.length - 1;
  }

  layout(node: number): Layout {
    return this.nodes[node]!.output;
  }

  /** `x` seen as `view`, its axes permuted, seen as `shape`; `x` itself where that changes nothing. */
  relayout(x: number, view: Four, axes: Four, shape: Shape, { parameter = false } = {}): number {
    const { dtype, shape: before } = this.layout(x);
    const output = parameter ? parameterLayout(dtype, shape) : dataLayout(dtype, shape);
    const inPlace = axes.every((axis, i) => axis === i);
    if (inPlace && `${before}` === `${shape}`) return x;
    return this.#once(`relayout ${x} ${view} ${axes} ${shape} ${output.rowAxes}`, () => ({
      opcode: "RELAYOUT",
      inputs: [x],
      output,
      attributes: {
        view0: view[0],
        view1: view[1],
        view2: view[2],
        view3: view[3],
        axis0: axes[0],
        axis1: axes[1],
        axis2: axes[2],
        axis3: axes[3],
      },
    }));
  }

  /** The transpose of a matrix. */
  transpose(x: number): number {
    const [rows, columns] = this.layout(x).shape;
    return this.relayout(x, [1, 1, rows!, columns!], [0, 1, 3, 2], [columns!, rows!]);
  }

  /** An image [N, H, W, C] as [C, N, H, W]. */
  channelsFirst(x: number): number {
    const [batch, height, width, channels] = this.layout(x).shape as Four;
    return this.relayout(x, [batch, height, width, channels], [3, 0, 1, 2], [channels, batch, height, width]);
  }

  /** `x` with B-bit mantissas; probabilities of 16 bits hold −2^15, which is one too many. */
  mantissas(x: number): number {
    const { dtype, shape, rowAxes } = this.layout(x);
    const wanted = mantissaDtype(this.bits);
    if (dtype === wanted && mantissaRange(this.nodes, x).min >= dtypeRange(wanted).min) return x;
    return this.#once(`requantize ${x}`, () => ({
      opcode: "REQUANTIZE",
      inputs: [x],
      output: { dtype: wanted, shape, rowAxes },
      attributes: {},
    }));
  }

  /** `x` in a type that a product takes: 16 bits at most. */
  factor(x: number): number {
    const { dtype } = this.layout(x);
    return dtype === "I8" || dtype === "I16" ? x : this.mantissas(x);
  }

  #once(key: string, node: () => TapeNode): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const index = this.add(node());
    this.#known.set(key, index);
    return index;
  }
}
