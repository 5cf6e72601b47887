import type { MantissaBits } from "../../core/exact/tape/types.ts";
import { countUses, type Graph, type Op, type OpOf, type Window } from "./graph.ts";
import { pooledSumOpens } from "./opening.ts";

/**
 * Joins Relu to the layer or the sum before it, and a pool of adjacent k × k blocks to the convolution before it, where
 * nothing else reads what lies between: fewer roundings, fewer tensors. An operation after which something else stands
 * keeps the label of its layer.
 */
export function fuse(graph: Graph, bits: MantissaBits): Graph {
  const uses = countUses(graph);
  const ops: Op[] = [];
  const renamed: number[] = [];
  for (const [index, old] of graph.ops.entries()) {
    const op = withOperands(old, renamed);
    const joined = joinInto(op, graph, index, uses, ops, bits);
    if (joined === undefined) {
      ops.push(op);
      renamed[index] = ops.length - 1;
    } else {
      const target = (op as OpOf<"relu" | "maxPool">).x;
      ops[target] = joined;
      renamed[index] = target;
    }
  }
  return { ops, output: renamed[graph.output]! };
}

/** The operation before `op` with `op` joined to it; undefined where it must stay apart. */
function joinInto(
  op: Op,
  graph: Graph,
  index: number,
  uses: readonly number[],
  ops: readonly Op[],
  bits: MantissaBits,
): Op | undefined {
  if (op.kind !== "relu" && op.kind !== "maxPool") return undefined;
  const before = ops[op.x]!;
  if (op.kind === "relu") {
    if (before.kind !== "linear" && before.kind !== "conv" && before.kind !== "add") return undefined;
    if (!before.relu && uses[(graph.ops[index] as OpOf<"relu">).x] !== 1) return undefined;
    return { ...before, relu: true };
  }
  if (before.kind !== "conv" || before.pool !== 1) return undefined;
  if (uses[(graph.ops[index] as OpOf<"maxPool">).x] !== 1) return undefined;
  const pool = blockSide(op.window);
  if (pool === undefined) return undefined;
  const joined = { ...before, pool, shape: op.shape };
  return pooledSumOpens(joined, ops, bits) ? joined : undefined;
}

/** k of a pool over adjacent k × k blocks. */
function blockSide({ kernel, stride, pads }: Window): number | undefined {
  const side = kernel[0];
  const blocks =
    kernel[1] === side && stride[0] === side && stride[1] === side && pads.every((pad) => pad === 0);
  return blocks && side > 1 ? side : undefined;
}

function withOperands(op: Op, renamed: readonly number[]): Op {
  if (op.kind === "input") return op;
  const x = renamed[op.x]!;
  return op.kind === "add" ? { ...op, x, y: renamed[op.y]! } : { ...op, x };
}
