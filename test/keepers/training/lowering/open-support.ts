import type { Tensor as OrtTensor } from "onnxruntime-node";
import type { Dtype, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import {
  type Engine,
  type Feeds,
  openGraph,
  type SessionOptions,
  tapeTensors,
} from "../../../../keepers/src/training/executors/ort.ts";
import { cast } from "../../../../keepers/src/training/lowering/open/arithmetic.ts";
import { lowerNode } from "../../../../keepers/src/training/lowering/open/lower-node.ts";
import { borderDtypes, putOut } from "../../../../keepers/src/training/lowering/open/lower-open.ts";
import type { Value } from "../../../../keepers/src/training/lowering/open/lowering.ts";
import { GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import type { OnnxDtype } from "../../../../keepers/src/training/onnx/types.ts";
import type { OperationCase } from "../../core/exact/cases.ts";

const exponentsIn = "exponents:in";

/** Mantissas as a graph takes them. */
const borderArrays: { readonly [D in Dtype]: (mantissas: Tensor["mantissas"]) => OrtTensor["data"] } = {
  I8: (mantissas) => Int8Array.from(mantissas),
  I16: (mantissas) => Int16Array.from(mantissas),
  I32: (mantissas) => Int32Array.from(mantissas),
  I64: (mantissas) => BigInt64Array.from([...mantissas], BigInt),
  U8: (mantissas) => Uint8Array.from(mantissas),
  U32: (mantissas) => Uint32Array.from(mantissas),
};

/** Lowers every case by itself, all of them into one graph, and runs it once: opening a graph takes longest. */
export async function runCases(
  engine: Engine,
  cases: readonly OperationCase[],
  options: SessionOptions = {},
): Promise<Tensor[]> {
  const { Tensor } = await engine.load(options.threads ?? 1);
  const builder = new GraphBuilder("cases");
  const feeds: Feeds = {};
  const exponents: bigint[] = [];
  const feed = (dtype: OnnxDtype, data: OrtTensor["data"], shape: readonly number[]): string => {
    const name = `input${Object.keys(feeds).length}`;
    feeds[name] = Reflect.construct(Tensor, [dtype, data, shape]) as OrtTensor;
    return builder.input(name, dtype, shape);
  };
  const given = ({ layout, exponent, mantissas }: Tensor): Value => {
    const at = exponents.push(BigInt(exponent)) - 1;
    const name = feed(borderDtypes[layout.dtype], borderArrays[layout.dtype](mantissas), layout.shape);
    return {
      mantissas: cast(builder, name, "float64"),
      exponent: builder.op("Gather", [exponentsIn, builder.int64([at], [])]),
      layout,
    };
  };
  builder.input(exponentsIn, "int64", ["exponents"]);
  const values = cases.map((each) => {
    const { bits, microBatch, node, inputs, objects = [], slot, gradients = [], learningRate } = each;
    const lowering = {
      builder,
      bits,
      microBatch,
      microBatches: gradients.length,
      shared: new Map<string, string>(),
      objects: () => feed("uint8", Buffer.concat(objects), [microBatch, objects[0]!.length]),
      load: () => given(slot!),
      gradientSum: () => {
        const [first] = gradients as [Tensor];
        const sums = Float64Array.from(first.mantissas, (_, i) =>
          gradients.reduce((sum, { mantissas }) => sum + mantissas[i]!, 0),
        );
        return feed("float64", sums, first.layout.shape);
      },
      learningRate: () => feed("float64", Float64Array.of(learningRate!), []),
    };
    return lowerNode(lowering, node, inputs.map(given));
  });
  const all = cases.map((_, i) => i);
  putOut(builder, all, (i) => values[i]!);
  feeds[exponentsIn] = new Tensor("int64", BigInt64Array.from(exponents), [exponents.length]);
  const session = await openGraph(engine, builder.build(), options);
  try {
    const layouts = cases.map(({ node }) => node.output);
    return tapeTensors(layouts, all, await session.run(feeds));
  } finally {
    await session.close();
  }
}
