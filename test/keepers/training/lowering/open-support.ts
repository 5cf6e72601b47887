import type { Tensor as OrtTensor } from "onnxruntime-node";
import type {
  Layout,
  MantissaBits,
  TapeNode,
  Tensor,
} from "../../../../keepers/src/core/exact/tape/types.ts";
import type { Engine, Feeds } from "../../../../keepers/src/training/executors/ort.ts";
import { openGraph, tapeTensors } from "../../../../keepers/src/training/executors/ort.ts";
import type { ExecutorOptions } from "../../../../keepers/src/training/executors/types.ts";
import { cast } from "../../../../keepers/src/training/lowering/open/arithmetic.ts";
import { lowerNode } from "../../../../keepers/src/training/lowering/open/lower-node.ts";
import { borderDtypes, putOut } from "../../../../keepers/src/training/lowering/open/lower-open.ts";
import type { Value } from "../../../../keepers/src/training/lowering/open/lowering.ts";
import { GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";

/** One node with its inputs, as a graph of its own inside a common one. */
export type NodeCase = {
  readonly bits: MantissaBits;
  readonly microBatch: number;
  readonly microBatches: number;
  readonly learningRate: number;
  readonly node: TapeNode;
  readonly inputs: readonly Tensor[];
  /** INPUT: N whole objects. */
  readonly objects?: Uint8Array;
  /** LOAD: the slot's tensor; ACCUMULATE: one gradient per micro-batch. */
  readonly slots?: readonly Tensor[];
};

export type CaseOptions = Pick<ExecutorOptions, "threads" | "optimization">;

/** Lowers all cases into one graph and runs it once. */
export async function runCases(
  engine: Engine,
  cases: readonly NodeCase[],
  options: CaseOptions = {},
): Promise<Tensor[]> {
  const builder = new GraphBuilder("cases");
  const runtime = await engine.load(options.threads ?? 1);
  const feeds: Feeds = {};
  const exponents: bigint[] = [];
  builder.input("exponents:in", "int64", ["n"]);
  const feed = (name: string, tensor: OrtTensor, dtype: Parameters<GraphBuilder["input"]>[1]) => {
    feeds[name] = tensor;
    return builder.input(name, dtype, [...tensor.dims]);
  };
  const valueOfTensor = (name: string, tensor: Tensor): Value => {
    const at = exponents.push(BigInt(tensor.exponent)) - 1;
    const exponent = builder.op("Gather", ["exponents:in", builder.int64([at], [])]);
    return {
      mantissas: mantissaInput(name, tensor.layout, tensor.mantissas),
      exponent,
      layout: tensor.layout,
    };
  };
  const mantissaInput = (name: string, layout: Layout, mantissas: Tensor["mantissas"]) => {
    const dtype = borderDtypes[layout.dtype];
    const data = mantissas instanceof Float64Array ? BigInt64Array.from(mantissas, BigInt) : mantissas;
    const tensor = new runtime.Tensor(dtype as "int32", data as Int32Array, [...layout.shape]);
    return cast(builder, feed(name, tensor, dtype), "float64");
  };
  const values = cases.map((each, i) => {
    const { bits, microBatch, microBatches, node, objects, slots = [] } = each;
    const inputs = each.inputs.map((tensor, j) => valueOfTensor(`case${i}:input${j}`, tensor));
    return lowerNode(
      {
        builder,
        bits,
        microBatch,
        microBatches,
        shared: new Map(),
        objects: () => {
          const bytes = objects!.length / microBatch;
          return feed(
            `case${i}:objects`,
            new runtime.Tensor("uint8", objects!, [microBatch, bytes]),
            "uint8",
          );
        },
        load: () => valueOfTensor(`case${i}:slot`, slots[0]!),
        gradientSum: () => {
          const { shape } = slots[0]!.layout;
          const sum = Float64Array.from(slots[0]!.mantissas, (_, k) =>
            slots.reduce((total, { mantissas }) => total + mantissas[k]!, 0),
          );
          return feed(`case${i}:sum`, new runtime.Tensor("float64", sum, [...shape]), "float64");
        },
        learningRate: () => {
          const tensor = new runtime.Tensor("float64", Float64Array.of(each.learningRate), []);
          return feed(`case${i}:rate`, tensor, "float64");
        },
      },
      node,
      inputs,
    );
  });
  const indices = cases.map((_, i) => i);
  putOut(builder, indices, (i) => values[i]!);
  feeds["exponents:in"] = new runtime.Tensor("int64", BigInt64Array.from(exponents), [exponents.length]);
  const session = await openGraph(engine, builder.build(), options);
  try {
    const layouts = cases.map(({ node }) => node.output);
    return tapeTensors(layouts, indices, await session.run(feeds));
  } finally {
    await session.close();
  }
}
