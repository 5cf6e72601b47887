import { limits } from "../../core/exact/limits.ts";
import { openedRuns, openingOf } from "../../core/exact/tape/bounds.ts";
import { flags, type MantissaBits, type TapeNode } from "../../core/exact/tape/types.ts";
import { strideAndPads } from "./attributes.ts";
import type { Op, OpOf } from "./graph.ts";
import { dataLayout, mantissaDtype, parameterLayout } from "./layouts.ts";

/**
 * Whether an element of a convolution with a pool, the index of its maximum included, opens at once
 * (`docs/exact-ops.md`, section 6).
 */
export function pooledSumOpens(op: OpOf<"conv">, ops: readonly Op[], bits: MantissaBits): boolean {
  const { x, weight, bias, window, groups, pool, shape } = op;
  const mantissas = mantissaDtype(bits);
  const operands = [
    dataLayout(isData(ops, x) ? "I16" : mantissas, ops[x]!.shape),
    parameterLayout(mantissas, weight.shape),
    ...(bias === undefined ? [] : [parameterLayout("I32", bias.shape)]),
  ];
  const node: TapeNode = {
    opcode: "CONV_POOL_INDEX",
    inputs: operands.map((_, index) => index),
    output: dataLayout("U8", shape),
    attributes: {
      flags: bias === undefined ? 0 : flags.bias,
      exponent: 0,
      ...strideAndPads(window),
      groups,
      pool,
    },
  };
  return openingOf(node, operands) <= limits.openingBytes && openedRuns(node, operands) <= limits.openedRuns;
}

/** Whether a value is the data as it came, which may have 16 bits in E8 too. */
function isData(ops: readonly Op[], value: number): boolean {
  const op = ops[value]!;
  return op.kind === "input" || (op.kind === "relayout" && isData(ops, op.x));
}
