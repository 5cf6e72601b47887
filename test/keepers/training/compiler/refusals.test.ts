import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import { CompileError, UnsupportedOperatorError } from "../../../../keepers/src/training/compiler/errors.ts";
import type { CompileOptions } from "../../../../keepers/src/training/compiler/options.ts";
import { attribute, GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import type { OnnxModel } from "../../../../keepers/src/training/onnx/types.ts";
import { batch, gemm, model, window } from "./models.ts";

type Build = Parameters<typeof model>[1];
type ErrorClass = new (...args: never[]) => CompileError;

const values = { offset: 0, encoding: "u8", multiply: 1, add: 0, exponent: 0 } as const;
const images: Omit<CompileOptions, "model"> = {
  bits: 16,
  microBatch: batch,
  input: { ...values, layout: "NCHW", shape: [2, 6, 6] },
  target: { offset: 72, encoding: "u8", classes: 3 },
  loss: "softmax-cross-entropy",
  optimizer: { momentum: 0 },
};
const vectors: Omit<CompileOptions, "model"> = {
  ...images,
  input: { ...values, layout: "flat", shape: [5] },
};

/** A model that would compile. */
const good = model([5], (graph, x, p) => [graph.op("Gemm", [x, p(3, 5), p(3)], gemm), [3]]);

/** The refusal names the node, what is wrong with it and a remedy. */
function refuses(
  test: OnnxModel,
  options: Omit<CompileOptions, "model">,
  message: RegExp,
  next: RegExp,
  kind: ErrorClass = CompileError,
): void {
  assert.throws(
    () => compile({ ...options, model: test }),
    (error: unknown) => {
      assert.ok(error instanceof kind, `${error}`);
      assert.match(error.message, message);
      assert.match(error.next ?? "", next);
      return true;
    },
  );
}

function refusesImage(build: Build, message: RegExp, next: RegExp, kind: ErrorClass = CompileError): void {
  refuses(model([2, 6, 6], build), images, message, next, kind);
}

function refusesVector(build: Build, message: RegExp, next: RegExp, kind: ErrorClass = CompileError): void {
  refuses(model([5], build), vectors, message, next, kind);
}

/** Ends an image model in three logits. */
function head(
  graph: GraphBuilder,
  x: string,
  parameter: (...shape: number[]) => string,
  features: number,
): [string, number[]] {
  return [graph.op("Gemm", [graph.op("Flatten", [x]), parameter(3, features)], gemm), [3]];
}

describe("operators that are not supported", () => {
  it("are named with their node and what to use instead", () => {
    for (const [operator, remedy] of [
      ["BatchNormalization", /fold it/],
      ["Sigmoid", /Relu/],
      ["ReduceMean", /GlobalAveragePool/],
      ["Shape", /nn\.Flatten/],
      ["Einsum", /Supported are Gemm, MatMul, Conv/],
    ] as const)
      refusesVector(
        (graph, x) => [graph.op(operator, [x], {}, { name: "here" }), [3]],
        new RegExp(`node "here" \\(${operator}\\): the operator is not supported`),
        remedy,
        UnsupportedOperatorError,
      );
  });

  it("say that softmax belongs to the loss", () => {
    refusesVector(
      (graph, x, p) => [graph.op("Softmax", [graph.op("Gemm", [x, p(3, 5)], gemm)]), [3]],
      /node "Softmax_0" \(Softmax\)/,
      /Drop it/,
      UnsupportedOperatorError,
    );
  });

  it("belong to another operator set", () => {
    refusesVector(
      (graph, x, p) => [graph.op("Gemm", [x, p(3, 5)], gemm, { domain: "com.example" }), [3]],
      /not supported/,
      /Supported are/,
      UnsupportedOperatorError,
    );
  });
});

describe("uses of supported operators that have no exact form are refused", () => {
  const unsupported = UnsupportedOperatorError;

  it("Gemm with factors or transposed data", () => {
    const withAttribute =
      (attributes: Record<string, ReturnType<typeof attribute.int>>): Build =>
      (graph, x, p) => [graph.op("Gemm", [x, p(3, 5)], { ...gemm, ...attributes }), [3]];
    refusesVector(withAttribute({ alpha: attribute.float(0.5) }), /its alpha is 0.5/, /weights/, unsupported);
    refusesVector(withAttribute({ beta: attribute.float(2) }), /its beta is 2/, /weights/, unsupported);
    refusesVector(withAttribute({ transA: attribute.int(1) }), /transposes its data/, /weights/, unsupported);
    refusesVector(withAttribute({ transB: attribute.float(1) }), /attribute transB is no int/, /again/);
  });

  it("Gemm whose weights or bias do not fit, or that reads an image", () => {
    refusesVector(
      (graph, x, p) => [graph.op("Gemm", [x, p(3, 4)], gemm), [3]],
      /weights \[3,4\]/,
      /input shape/,
    );
    refusesVector(
      (graph, x, p) => [graph.op("Gemm", [x, p(3, 5), p(1)], gemm), [3]],
      /bias has the shape \[1\]/,
      /one bias per output/,
    );
    refusesImage((graph, x, p) => [graph.op("Gemm", [x, p(3, 6)], gemm), [3]], /needs a matrix/, /Flatten/);
  });

  it("products of data and data", () => {
    refusesVector(
      (graph, x) => [graph.op("MatMul", [x, x]), [3]],
      /is no parameter/,
      /layer with parameters/,
    );
  });

  it("Conv that is dilated, has no image, or weights that do not fit", () => {
    const dilated = { ...window([2, 2]), dilations: attribute.ints([2, 2]) };
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], dilated), p, 32),
      /dilated/,
      /dilation 1/,
      unsupported,
    );
    refusesVector(
      (graph, x, p) => [graph.op("Conv", [x, p(3, 1, 2, 2)]), [3]],
      /needs an image/,
      /2-D/,
      unsupported,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Conv", [x, p(2, 3, 2, 2)]), p, 50),
      /2 channels/,
      /input shape/,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], window([3, 3])), p, 50),
      /kernel_shape is \[3,3\]/,
      /that of the weights/,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Conv", [x, p(2, 2, 9, 9)]), p, 50),
      /larger than the image/,
      /smaller kernel/,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], window([2, 2], [1, 1, 1])), p, 50),
      /strides is \[1,1,1\]/,
      /2-D/,
    );
    refusesImage(
      (graph, x, p) =>
        head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], window([2, 2], [1, 1], [2, 0, 0, 0])), p, 50),
      /as large as its kernel/,
      /smaller/,
    );
    refusesImage(
      (graph, x, p) =>
        head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], window([2, 2], [1, 1], [-1, 0, 0, 0])), p, 50),
      /negative pad/,
      /at least 0/,
    );
    refusesImage(
      (graph, x, p) =>
        head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], window([2, 2], [1, 1], [1, 1])), p, 50),
      /has 2 pads/,
      /2-D/,
    );
    const odd = { auto_pad: attribute.string("MIDDLE") };
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Conv", [x, p(2, 2, 2, 2)], odd), p, 50),
      /auto_pad is "MIDDLE"/,
      /as numbers/,
    );
  });

  it("pools with indices, overhanging windows, uneven divisors or more than 255 places", () => {
    const indexed: Build = (graph, x, p) => {
      const [value] = graph.op("MaxPool", [x], window([2, 2], [2, 2]), { outputs: 2 });
      return head(graph, value!, p, 18);
    };
    refusesImage(indexed, /indices are an output/, /values alone/, unsupported);
    const ceil = { ...window([4, 4], [3, 3]), ceil_mode: attribute.int(1) };
    refusesImage(
      (graph, x, p) => head(graph, graph.op("MaxPool", [x], ceil), p, 8),
      /ceil_mode = 1/,
      /False/,
      unsupported,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("AveragePool", [x], window([2, 2], [2, 2], [1, 1, 1, 1])), p, 32),
      /count_include_pad = 0/,
      /count_include_pad=True/,
      unsupported,
    );
    const wide = window([16, 16], [16, 16]);
    const large = model([1, 16, 16], (graph, x, p) => head(graph, graph.op("AveragePool", [x], wide), p, 1));
    const input = { ...images.input, shape: [1, 16, 16] };
    refuses(large, { ...images, input }, /16 × 16 has more than 255/, /two steps/, unsupported);
  });

  it("Add of unlike shapes, of a parameter to no layer, of a flattened image to features", () => {
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Add", [x, graph.op("Conv", [x, p(2, 2, 2, 2)])]), p, 72),
      /adds shapes/,
      /one shape/,
      unsupported,
    );
    refusesVector(
      (graph, x, p) => [graph.op("Gemm", [graph.op("Add", [x, p(5)]), p(3, 5)], gemm), [3]],
      /adds a parameter/,
      /bias/,
      unsupported,
    );
    refusesVector(
      (graph, x, p) => {
        const a = graph.op("Gemm", [x, p(3, 5)], gemm);
        const biased = graph.op("Add", [graph.op("Identity", [a]), p(3)]);
        return [graph.op("Add", [biased, a]), [3]];
      },
      /adds a parameter/,
      /bias/,
      unsupported,
    );
    refusesImage(
      (graph, x, p) => {
        const flat = graph.op("Flatten", [x]);
        return head(graph, graph.op("Add", [graph.op("Gemm", [flat, p(72, 72)], gemm), flat]), p, 72);
      },
      /flattened image/,
      /before flattening/,
      unsupported,
    );
  });

  it("shapes that mix samples, are computed or are no flattening", () => {
    refusesImage(
      (graph, x, p) => [
        graph.op("Gemm", [graph.op("Flatten", [x], { axis: attribute.int(2) }), p(3, 36)], gemm),
        [3],
      ],
      /axis 2/,
      /axis 1/,
      unsupported,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Reshape", [x, graph.int64([-1, 6, 2, 6])]), p, 72),
      /reshapes \[4,2,6,6\] to \[-1,6,2,6\]/,
      /Only flattening/,
      unsupported,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Reshape", [x, graph.int64([8, 36])]), p, 36),
      /reshapes/,
      /Only flattening/,
      unsupported,
    );
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Reshape", [x, p(2)]), p, 36),
      /its shape is computed/,
      /Flatten/,
      unsupported,
    );
    const swap = { perm: attribute.ints([1, 0, 2, 3]) };
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Transpose", [x], swap), p, 72),
      /moves the samples/,
      /axis 0/,
      unsupported,
    );
    const twice = { perm: attribute.ints([0, 1, 1, 3]) };
    refusesImage(
      (graph, x, p) => head(graph, graph.op("Transpose", [x], twice), p, 72),
      /does not permute/,
      /again/,
    );
  });

  it("Dropout that drops", () => {
    refusesVector(
      (graph, x, p) => {
        const training = graph.constant(Uint8Array.of(1), [], "bool");
        return [graph.op("Dropout", [graph.op("Gemm", [x, p(3, 5)], gemm), "", training]), [3]];
      },
      /at random/,
      /eval mode/,
      unsupported,
    );
    refusesVector(
      (graph, x, p) => [
        graph.op("Dropout", [graph.op("Gemm", [x, p(3, 5)], gemm)], {}, { outputs: 2 })[0]!,
        [3],
      ],
      /mask is an output/,
      /values alone/,
      unsupported,
    );
  });

  it("a Constant that is no tensor", () => {
    refusesVector(
      (graph, x) => [
        graph.op("Add", [x, graph.op("Constant", [], { value_string: attribute.string("a") })]),
        [3],
      ],
      /no tensor/,
      /again/,
      unsupported,
    );
  });
});

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
