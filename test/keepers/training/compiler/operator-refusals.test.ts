import { describe, it } from "node:test";
import { UnsupportedOperatorError } from "../../../../keepers/src/training/compiler/errors.ts";
import { attribute } from "../../../../keepers/src/training/onnx/builder.ts";
import { gemm, model, window } from "./models.ts";
import { type Build, head, images, refuses, refusesImage, refusesVector } from "./refuse.ts";

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

  it("Pad of anything but zeros at the edges of an image, or before what takes none", () => {
    const sized = [0, 0, 1, 1, 0, 0, 1, 1];
    const padded =
      (pads: number[], attributes = {}, filler: number[] = []): Build =>
      (graph, x, p) => {
        const inputs = [
          x,
          graph.int64(pads),
          ...filler.map((value) => graph.constant(Float32Array.of(value), [], "float32")),
        ];
        const image = graph.op("Pad", inputs, attributes);
        return head(graph, graph.op("Conv", [image, p(2, 2, 2, 2)], window([2, 2])), p, 98);
      };
    const edges = /Pad images with zeros at their edges/;
    refusesImage(padded(sized, { mode: attribute.string("reflect") }), /mode is "reflect"/, edges);
    refusesImage(padded(sized, {}, [1]), /does not pad with zeros/, edges);
    refusesImage(padded(sized, {}, [Number.NaN]), /does not pad with zeros/, edges);
    refusesImage(padded([1, 1, 1, 1]), /has 4 pads for 4 axes/, edges);
    refusesImage(padded([0, 1, 0, 0, 0, 0, 0, 0]), /pads are \[0,1,0,0,0,0,0,0\]/, edges);
    refusesImage(padded([0, 0, -1, 0, 0, 0, 0, 0]), /pads are \[0,0,-1,0,0,0,0,0\]/, edges);
    refusesImage(padded([0, 0, 2, 0, 0, 0, 0, 0]), /as large as its kernel/, /smaller/);
    for (const operator of ["MaxPool", "Relu", "Flatten"])
      refusesImage(
        (graph, x, p) => {
          const image = graph.op("Pad", [x, graph.int64(sized)]);
          return head(
            graph,
            graph.op(operator, [image], operator === "MaxPool" ? window([2, 2]) : {}),
            p,
            98,
          );
        },
        /reads an image that a Pad made larger/,
        /pads of the layer itself/,
      );
    refusesImage(
      (graph, x, p) => {
        const image = graph.op("Pad", [x, graph.int64(sized)]);
        const own = window([2, 2], [1, 1], [1, 0, 0, 0]);
        return head(graph, graph.op("Conv", [image, p(2, 2, 2, 2)], own), p, 98);
      },
      /a Pad stands before its own pads/,
      /one of the two places/,
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
