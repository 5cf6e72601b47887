import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Tensor } from "onnxruntime-node";
import { attribute, GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import { OnnxError } from "../../../../keepers/src/training/onnx/errors.ts";
import { readOnnx } from "../../../../keepers/src/training/onnx/read.ts";
import type { OnnxModel } from "../../../../keepers/src/training/onnx/types.ts";
import { writeOnnx } from "../../../../keepers/src/training/onnx/write.ts";
import { run } from "./support.ts";

const floats = (...values: number[]) => new Tensor("float32", Float32Array.from(values), [values.length]);

/** y = 2·x + 1, and x split in two. */
function affine(): OnnxModel {
  const graph = new GraphBuilder("affine");
  const x = graph.input("x", "float32", [4]);
  const two = graph.constant(Float32Array.of(2), [], "float32");
  const one = graph.constant(Float32Array.of(1), [], "float32");
  const y = graph.op("Add", [graph.op("Mul", [x, two]), one]);
  const [head, tail] = graph.op(
    "Split",
    [x, graph.int64([1, 3])],
    { axis: attribute.int(0) },
    { outputs: 2 },
  );
  graph.output("y", y, "float32", [4]);
  graph.output("head", head!, "float32", [1]);
  graph.output("tail", tail!, "float32", [3]);
  return graph.build();
}

describe("a built graph", () => {
  it("runs in ONNX Runtime, its outputs under their names and without copies", async () => {
    const model = affine();
    assert.deepEqual(await run(writeOnnx(model), { x: floats(1, 2, 3, 4) }), {
      y: Float32Array.of(3, 5, 7, 9),
      head: Float32Array.of(1),
      tail: Float32Array.of(2, 3, 4),
    });
    assert.deepEqual(
      model.graph.nodes.map(({ opType }) => opType),
      ["Mul", "Add", "Split"],
    );
  });

  it("is the same, byte for byte, when it is built again, and when it is read back", () => {
    const bytes = writeOnnx(affine());
    assert.deepEqual(writeOnnx(affine()), bytes);
    assert.deepEqual(readOnnx(bytes), { ...affine() });
    assert.deepEqual(
      [...readOnnx(bytes).opsets],
      [
        ["", 17],
        ["com.microsoft", 1],
      ],
    );
  });

  it("attributes of every type survive, zeros and negative numbers included", () => {
    const graph = new GraphBuilder("attributes");
    const x = graph.input("x", "float32", [1]);
    const attributes = {
      i: attribute.int(0),
      negative: attribute.int(-5),
      large: attribute.int(-Number.MAX_SAFE_INTEGER),
      is: attribute.ints([0, -1, 2 ** 40]),
      none: attribute.ints([]),
      f: attribute.float(0.1),
      fs: attribute.floats([0, -1.5]),
      s: attribute.string("größe"),
      t: attribute.tensor({ dtype: "int64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) }),
    };
    graph.output("y", graph.op("Custom", [x], attributes, { domain: "com.microsoft" }), "float32", [
      "n",
      "",
      3,
    ]);
    const model = graph.build();
    assert.equal(model.graph.nodes[0]!.attributes.get("f")!.value, Math.fround(0.1));
    assert.deepEqual(readOnnx(writeOnnx(model)), model);
  });

  it("one value may be two outputs, and an input may be an output: a copy stands between", async () => {
    const graph = new GraphBuilder("copies");
    const x = graph.input("x", "float32", [2]);
    const y = graph.op("Neg", [x]);
    for (const [name, value] of [
      ["y1", y],
      ["y2", y],
      ["same", x],
    ] as const)
      graph.output(name, value, "float32", [2]);
    const outputs = await run(writeOnnx(graph.build()), { x: floats(1, -2) });
    const minus = Float32Array.of(-1, 2);
    assert.deepEqual(outputs, { y1: minus, y2: minus, same: Float32Array.of(1, -2) });
  });
});

describe("constants", () => {
  const count = (...constants: ((graph: GraphBuilder) => string)[]) => {
    const graph = new GraphBuilder("constants");
    const values = constants.map((constant) => constant(graph));
    return new Set(values).size;
  };

  it("equal ones are one; another type, shape, or −0 is another constant", () => {
    const zero = (graph: GraphBuilder) => graph.constant(Float32Array.of(0), [1], "float32");
    assert.equal(count(zero, zero), 1);
    assert.equal(
      count(zero, (graph) => graph.constant(Int32Array.of(0), [1], "int32")),
      2,
    );
    assert.equal(
      count(zero, (graph) => graph.constant(Float32Array.of(0), [1, 1], "float32")),
      2,
    );
    assert.equal(
      count(zero, (graph) => graph.constant(Float32Array.of(-0), [1], "float32")),
      2,
    );
    assert.equal(
      count(
        (graph) => graph.int64([1, 2]),
        (graph) => graph.constant(BigInt64Array.of(1n, 2n), [2], "int64"),
      ),
      1,
    );
  });

  it("a view of a larger buffer is only its own elements", async () => {
    const graph = new GraphBuilder("view");
    const x = graph.input("x", "float32", [2]);
    const view = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    graph.output("y", graph.op("Add", [x, graph.constant(view, [2], "float32")]), "float32", [2]);
    assert.deepEqual(await run(writeOnnx(graph.build()), { x: floats(0, 0) }), { y: Float32Array.of(1, 2) });
  });

  it("named initialisers stay apart, equal or not", () => {
    const graph = new GraphBuilder("initialisers");
    const x = graph.input("x", "float32", [1]);
    const a = graph.initializer("a", Float32Array.of(1), [1], "float32");
    const b = graph.initializer("b", Float32Array.of(1), [1], "float32");
    graph.output("y", graph.op("Sum", [x, a, b]), "float32", [1]);
    assert.deepEqual([...graph.build().graph.initializers.keys()], ["a", "b"]);
  });
});

describe("the body of a Loop", () => {
  /** Runs x ← x·step + shift `trips` times, where step is computed outside and becomes an output too. */
  function looped(): OnnxModel {
    const graph = new GraphBuilder("loop");
    const x = graph.input("x", "float32", [2]);
    const trips = graph.input("trips", "int64", []);
    const step = graph.op("Add", [x, x]);
    const go = graph.constant(Uint8Array.of(1), [], "bool");
    const body = graph.body("body", (inner) => {
      inner.input("iteration", "int64", []);
      inner.input("condition", "bool", []);
      const state = inner.input("state", "float32", [2]);
      const shift = inner.constant(Float32Array.of(1), [], "float32");
      const next = inner.op("Add", [inner.op("Mul", [state, step]), shift]);
      inner.output("go", "condition", "bool", []);
      inner.output("next", next, "float32", [2]);
      inner.output("row", state, "float32", [2]);
    });
    const [last, rows] = graph.op("Loop", [trips, go, x], { body: attribute.graph(body) }, { outputs: 2 });
    graph.output("step", step, "float32", [2]);
    graph.output("last", last!, "float32", [2]);
    graph.output("rows", rows!, "float32", ["trips", 2]);
    return graph.build();
  }

  it("reads values and constants of the graph around it, one of them renamed as an output", async () => {
    const outputs = await run(writeOnnx(looped()), {
      x: floats(1, 2),
      trips: new Tensor("int64", BigInt64Array.of(3n), []),
    });
    assert.deepEqual(outputs, {
      step: Float32Array.of(2, 4),
      last: Float32Array.of(15, 149),
      rows: Float32Array.of(1, 2, 3, 9, 7, 37),
    });
  });

  it("is read back as it was written", () => {
    const model = looped();
    assert.deepEqual(readOnnx(writeOnnx(model)), model);
    const loop = model.graph.nodes.find(({ opType }) => opType === "Loop")!;
    const body = loop.attributes.get("body")!;
    assert.ok(body.type === "graph" && body.value.initializers.size === 0);
  });
});

describe("mistakes of whoever builds", () => {
  it("a name twice, a wrong number of elements, an unknown value, no output, a body taken for a model", () => {
    const graph = new GraphBuilder("mistakes");
    graph.input("x", "float32", [1]);
    assert.throws(() => graph.input("x", "float32", [1]), OnnxError);
    assert.throws(() => graph.input("", "float32", [1]), OnnxError);
    assert.throws(() => graph.constant(Float32Array.of(1, 2), [3], "float32"), OnnxError);
    assert.throws(() => graph.build(), /no output/);
    assert.throws(() => graph.body("body", (inner) => inner.build()), /no model/);
    graph.output("y", graph.op("Relu", ["ghost"]), "float32", [1]);
    assert.throws(() => graph.build(), /"ghost", which nothing defines/);
  });

  it("a graph out of order is not written", () => {
    const model = affine();
    model.graph.nodes.reverse();
    assert.throws(() => writeOnnx(model), /before it is computed/);
  });
});
