import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import type { CompileOptions } from "../../../../keepers/src/training/compiler/options.ts";
import { checkMemory } from "../../../../keepers/src/training/executors/memory.ts";
import { GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import { gemm, model, window } from "./models.ts";
import { good, head, images, refuses, refusesVector, values, vectors } from "./refuse.ts";

describe("models that cannot be trained", () => {
  /** A model built without the conveniences of `model`. */
  const built = (build: (graph: GraphBuilder) => void) => {
    const graph = new GraphBuilder("test");
    build(graph);
    return graph.build();
  };

  it("are too old", () => {
    refuses(
      { ...good, opsets: new Map([["", 12]]) },
      vectors,
      /operator set 12; 13 or later/,
      /opset_version=17/,
    );
  });

  it("ask for more memory than there is, before anything of that size is allocated", () => {
    const huge = built((graph) => {
      const x = graph.input("x", "float32", [4, 5]);
      const layers = [
        graph.input("p", "float32", [40_000, 5]),
        graph.input("q", "float32", [40_000, 40_000]),
      ];
      const h = layers.reduce((value, weights) => graph.op("Gemm", [value, weights], gemm), x);
      graph.output(
        "y",
        graph.op("Gemm", [h, graph.input("r", "float32", [3, 40_000])], gemm),
        "float32",
        [4, 3],
      );
    });
    const before = process.resourceUsage().maxRSS;
    const { program } = compileModel({ ...vectors, model: huge });
    const options = { objectBytes: 100, microBatches: 1, memoryLimit: 2 ** 32 };
    assert.throws(
      () => checkMemory(program, options),
      /needs about [\d,]+ MiB of memory; 4,096 MiB are allowed/,
    );
    assert.ok(process.resourceUsage().maxRSS - before < 2 ** 18, "KiB");
  });

  it("have no input, dynamic sizes or another type of data", () => {
    const withInput = (shape: (number | string)[], dtype: "float32" | "float64" = "float32") =>
      built((graph) =>
        graph.output("y", graph.op("Relu", [graph.input("x", dtype, shape)]), "float32", ["n", 3]),
      );
    const none = built((graph) =>
      graph.output("y", graph.constant(Float32Array.of(1), [1], "float32"), "float32", [1]),
    );
    refuses(none, vectors, /no input/, /first graph input/);
    refuses(withInput(["n", "features"]), vectors, /shape \[n,features\]/, /without other dynamic axes/);
    refuses(withInput([4, 2, 6]), vectors, /shape \[4,2,6\]/, /N, C, H, W/);
    refuses(withInput([4, 5], "float64"), vectors, /float64, not float32/, /model\.float\(\)/);
  });

  it("have several data inputs", () => {
    const two = built((graph) => {
      const [x, z] = [graph.input("x", "float32", ["n", 5]), graph.input("z", "float32", ["n", 5])];
      graph.output("y", graph.op("Add", [x, z]), "float32", ["n", 5]);
    });
    refuses(two, vectors, /graph input "z" has the shape \[n,5\]/, /several data inputs/);
    const indices = built((graph) => {
      const [x, z] = [graph.input("x", "float32", ["n", 5]), graph.input("z", "int64", [5])];
      graph.output("y", graph.op("Add", [x, z]), "float32", ["n", 5]);
    });
    refuses(indices, vectors, /graph input "z" is int64/, /several data inputs/);
    refusesVector(
      (graph, x, p) => [graph.op("Gemm", [graph.op("Relu", [p(4, 5)]), p(3, 5), x], gemm), [3]],
      /does not depend on the data/,
      /several data inputs/,
    );
  });

  it("have several outputs, or one that no data reaches", () => {
    const two = built((graph) => {
      const x = graph.input("x", "float32", ["n", 5]);
      graph.output("y", graph.op("Relu", [x]), "float32", ["n", 5]);
      graph.output("z", graph.op("Identity", [x]), "float32", ["n", 5]);
    });
    refuses(two, vectors, /2 outputs/, /only output/);
    refusesVector((_graph, _x, p) => [p(3), [3]], /does not depend on the data/, /again/);
  });

  it("have idle nodes or parameters", () => {
    refusesVector(
      (graph, x, p) => {
        graph.op("Relu", [x], {}, { name: "idle" });
        return [graph.op("Gemm", [x, p(3, 5)], gemm), [3]];
      },
      /node "idle" \(Relu\): the model's output does not depend/,
      /Remove it/,
    );
    refusesVector(
      (graph, x, p) => [graph.op("Gemm", [x, p(3, 5)], gemm), [p(9).length && 3]],
      /no layer uses the parameter "p1"/,
      /Remove it/,
    );
    refusesVector(
      (graph, x, p) => {
        graph.initializer("left", Float32Array.of(1), [1], "float32");
        return [graph.op("Gemm", [x, p(3, 5)], gemm), [3]];
      },
      /no layer uses the parameter "left"/,
      /Remove it/,
    );
  });

  it("share a parameter between two layers, under another name too", () => {
    refusesVector(
      (graph, x, p) => {
        const weight = p(5, 5);
        const a = graph.op("Gemm", [x, weight], gemm);
        return [graph.op("Gemm", [a, graph.op("Identity", [weight])], gemm, { name: "second" }), [5]];
      },
      /node "second" \(Gemm\) shares the parameter "p0" with node "Gemm_0"/,
      /clone/,
    );
  });

  it("have parameters of another type", () => {
    refusesVector(
      (graph, x) => [
        graph.op("Gemm", [x, graph.initializer("w", new Float64Array(15), [3, 5], "float64")], gemm),
        [3],
      ],
      /"w" is float64, not float32/,
      /model\.float\(\)/,
    );
  });

  it("need more than opens in a dispute, named with the node of the model", () => {
    const test = model([3, 8, 8], (graph, x, p) => {
      const a = graph.op("Relu", [graph.op("Conv", [x, p(512, 3, 1, 1)])]);
      return head(graph, graph.op("MaxPool", [a], window([3, 3], [2, 2])), p, 4608);
    });
    const input = { ...images.input, shape: [3, 8, 8] };
    refuses(
      test,
      { ...images, input },
      /^node "MaxPool_0" \(MaxPool\): tape 0, node \d+ \(MAX_POOL\)/,
      /smaller windows/,
    );
  });

  it("have no parameters", () => {
    refuses(
      model([3], (graph, x) => [graph.op("Relu", [x]), [3]]),
      { ...vectors, input: { ...vectors.input, shape: [3] } },
      /no parameters/,
      /Gemm/,
    );
  });
});

describe("weights of a file", () => {
  const file = (weights: Float32Array) =>
    model([5], (graph, x) => [
      graph.op("Gemm", [x, graph.initializer("w", weights, [3, 5], "float32")], gemm),
      [3],
    ]);

  it("are refused by name when they are NaN, infinite or out of range", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 8, -8, 1e30]) {
      const weights = new Float32Array(15);
      weights[7] = bad;
      refuses(file(weights), vectors, /element 7 of the parameter "w" is .*between -8 and 8/, /seed/);
    }
  });

  it("are missing where they are asked for", () => {
    refuses(good, { ...vectors, initialize: "model" }, /"p0" has no values/, /seed/);
  });
});

describe("descriptions of data, loss and optimiser", () => {
  it("do not fit the model's input", () => {
    refuses(
      good,
      { ...vectors, input: { ...vectors.input, shape: [6] } },
      /takes samples of \[5\], the dataset has \[6\]/,
      /layout/,
    );
    const image = model([2, 6, 6], (graph, x, p) => head(graph, x, p, 72));
    refuses(image, { ...images, input: { ...images.input, layout: "NHWC" } }, /\[2,6,6\] as NHWC/, /layout/);
    refuses(
      image,
      { ...images, input: { ...images.input, layout: "flat", shape: [72] } },
      /as flat/,
      /layout/,
    );
  });

  it("do not fit the objects' numbers", () => {
    const withInput = (input: object) => ({ ...vectors, input: { ...vectors.input, ...input } });
    refuses(good, withInput({ offset: -1 }), /offset of the samples is -1/, /integer/);
    refuses(good, withInput({ exponent: 0.5 }), /exponent of the samples is 0.5/, /integer/);
    refuses(good, withInput({ encoding: "i32", multiply: 2 }), /i32 with a factor of 2/, /multiply 1/);
    refuses(good, withInput({ multiply: 2 ** 30 }), /more than 32 bits/, /exponent/);
  });

  it("do not fit the model's output or the loss", () => {
    const withTarget = (target: CompileOptions["target"]) => ({ ...vectors, target });
    refuses(
      good,
      withTarget({ offset: 5, encoding: "u8", classes: 4 }),
      /\(Gemm\) puts out 3 logits for 4 classes/,
      /one logit for each/,
    );
    refuses(good, withTarget({ offset: 5, encoding: "u8", classes: 2.5 }), /classes/, /./);
    refuses(good, withTarget({ offset: -5, encoding: "u8", classes: 3 }), /byte -5/, /offset/);
    refuses(good, withTarget(values), /needs labels/, /mean squared error/);
    refuses(good, { ...vectors, loss: "mean-squared-error" }, /needs values/, /cross-entropy/);
    const one = model([5], (graph, x, p) => [graph.op("Gemm", [x, p(1, 5)], gemm), [1]]);
    refuses(
      one,
      withTarget({ offset: 5, encoding: "u8", classes: 1 }),
      /1 logits for 1 classes/,
      /at least two/,
    );
    const most = model([5], (graph, x, p) => [graph.op("Gemm", [x, p(1537, 5)], gemm), [1537]]);
    refuses(most, withTarget({ offset: 5, encoding: "i16", classes: 1537 }), /1537 classes/, /at most 1536/);
    const many = model([5], (graph, x, p) => [graph.op("Gemm", [x, p(300, 5)], gemm), [300]]);
    refuses(
      many,
      withTarget({ offset: 5, encoding: "u8", classes: 300 }),
      /u8 cannot name 300 classes/,
      /i16/,
    );
  });

  it("are no profile, no power of two, no unsigned 16 bits", () => {
    refuses(good, { ...vectors, bits: 12 as 8 }, /E12 does not exist/, /E8 or E16/);
    for (const microBatch of [0, 3, 48, 2 ** 21])
      refuses(good, { ...vectors, microBatch }, /no power of two/, /64/);
    const withOptimizer = (optimizer: CompileOptions["optimizer"]) => ({ ...vectors, optimizer });
    refuses(good, withOptimizer({ momentum: 65536 }), /momentum is 65536/, /58982/);
    refuses(good, withOptimizer({ momentum: 0.9 }), /momentum is 0.9/, /58982/);
    refuses(good, withOptimizer({ momentum: 0, weightDecay: -1 }), /weightDecay is -1/, /0 to 65535/);
    refuses(
      good,
      withOptimizer({ momentum: 0, learningRateShift: 33 }),
      /learningRateShift is 33/,
      /16 is the default/,
    );
  });
});
