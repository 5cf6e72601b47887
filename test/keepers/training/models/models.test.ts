import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  buildModel,
  builtInModelNames,
  builtInModels,
} from "../../../../keepers/src/training/models/built-in.ts";
import { readOnnx } from "../../../../keepers/src/training/onnx/read.ts";
import type { OnnxGraph, OnnxModel, OnnxTensor } from "../../../../keepers/src/training/onnx/types.ts";
import { writeOnnx } from "../../../../keepers/src/training/onnx/write.ts";
import { type FixtureName, fixture, fixtureNames, floatTensor, run } from "../onnx/support.ts";

/** Options under which the built-in model is the one that test/fixtures/models/export.py exports. */
const exported: Record<FixtureName, object> = {
  "softmax-regression": { inputs: 64, classes: 10, batch: 4 },
  mlp: { inputs: 64, hidden: [32], classes: 10, batch: 4 },
  lenet5: { batch: 4 },
  "residual-cnn": { channels: 1, height: 28, width: 28, classes: 10, batch: 4 },
};

/** Parameters in the order in which nodes read them: inputs after the first, or initialisers. */
function parametersOf(graph: OnnxGraph): { name: string; shape: readonly unknown[] }[] {
  const shapes = new Map<string, readonly unknown[]>(
    [...graph.initializers].map(([name, { shape }]) => [name, shape]),
  );
  for (const { name, shape } of graph.inputs.slice(1)) shapes.set(name, shape);
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs).filter((name) => shapes.has(name)));
  return [...read].map((name) => ({ name, shape: shapes.get(name)! }));
}

/** The graph without its names: values numbered as they appear, attributes sorted. */
function topology(graph: OnnxGraph) {
  const numbers = new Map<string, number>();
  const number = (name: string) => {
    if (!numbers.has(name)) numbers.set(name, numbers.size);
    return numbers.get(name)!;
  };
  return {
    data: {
      dtype: graph.inputs[0]!.dtype,
      shape: graph.inputs[0]!.shape,
      value: number(graph.inputs[0]!.name),
    },
    parameters: parametersOf(graph).map(({ shape }) => shape),
    nodes: graph.nodes.map((node) => ({
      operator: node.opType,
      domain: node.domain,
      inputs: node.inputs.map(number),
      outputs: node.outputs.map(number),
      attributes: [...node.attributes].sort(([a], [b]) => (a < b ? -1 : 1)),
    })),
    outputs: graph.outputs.map(({ name, dtype, shape }) => ({ dtype, shape, value: number(name) })),
  };
}

/** The model with the values of `from`'s initialisers as initialisers of its own. */
function filled({ graph, ...rest }: OnnxModel, from: OnnxGraph): OnnxModel {
  const sources = parametersOf(from).map(({ name }) => from.initializers.get(name)!);
  const initializers = new Map<string, OnnxTensor>(
    parametersOf(graph).map(({ name }, i) => [name, sources[i]!]),
  );
  return { ...rest, graph: { ...graph, initializers, inputs: graph.inputs.slice(0, 1) } };
}

describe("built-in models", () => {
  it("each has a PyTorch export beside it", () => {
    assert.deepEqual([...builtInModelNames].sort(), [...fixtureNames].sort());
  });

  for (const name of fixtureNames) {
    it(`${name}: operators, wiring, attributes and shapes are those of PyTorch's export`, () => {
      const built = buildModel(name, exported[name]);
      assert.equal(built.opsets.get(""), 17);
      assert.deepEqual(topology(built.graph), topology(readOnnx(fixture(name)).graph));
    });

    it(`${name}: with the weights of PyTorch's export it computes the same logits`, async () => {
      const theirs = fixture(name);
      const { graph } = readOnnx(theirs);
      const ours = writeOnnx(filled(buildModel(name, exported[name]), graph));
      const feeds = { input: floatTensor(graph.inputs[0]!.shape as number[], 11) };
      const [logits, expected] = [(await run(ours, feeds)).logits, (await run(theirs, feeds)).logits];
      assert.equal(expected!.length, 40);
      assert.ok(new Set(expected as Float32Array).size > 30);
      assert.deepEqual(logits, expected);
    });

    it(`${name}: defaults are options; parameters are inputs without values, read by exactly one node`, () => {
      const { graph } = buildModel(name);
      assert.equal(graph.initializers.size, 0);
      assert.equal(graph.inputs[0]!.name, "input");
      assert.equal(graph.inputs[0]!.shape[0], 64);
      assert.deepEqual(
        graph.outputs.map(({ name, shape }) => ({ name, shape })),
        [{ name: "logits", shape: [64, 10] }],
      );
      const reads = graph.nodes.flatMap(({ inputs }) => inputs);
      for (const { name } of graph.inputs.slice(1))
        assert.equal(reads.filter((read) => read === name).length, 1, name);
      assert.deepEqual(readOnnx(writeOnnx(buildModel(name))), buildModel(name));
    });
  }

  it("options change the shapes; odd images are rounded as ONNX Runtime rounds them", async () => {
    const mlp = buildModel("mlp", { inputs: 784, hidden: [128, 32], classes: 7, batch: 2 });
    assert.deepEqual(
      parametersOf(mlp.graph).map(({ shape }) => shape),
      [[128, 784], [128], [32, 128], [32], [7, 32], [7]],
    );
    assert.equal(buildModel("mlp", { hidden: [] }).graph.nodes.length, 1);
    const cnn = buildModel("residual-cnn", { channels: 3, height: 9, width: 7, classes: 3, batch: 2 });
    const feeds = Object.fromEntries(
      cnn.graph.inputs.map(({ name, shape }, i) => [name, floatTensor(shape as number[], i)]),
    );
    assert.equal((await run(writeOnnx(cnn), feeds)).logits!.length, 6);
  });
});

describe("a model from a configuration", () => {
  const refused = (name: string, options: unknown, message: RegExp) =>
    assert.throws(
      () => buildModel(name, options),
      (error) => error instanceof BadInputError && message.test(error.message) && error.next !== undefined,
    );

  it("an unknown name, also one that every object has", () => {
    refused("resnet", {}, /no built-in model "resnet"/);
    refused("constructor", {}, /no built-in model/);
  });

  it("unknown options, wrong types, sizes out of range: named", () => {
    refused("mlp", { hiden: [3] }, /hiden/);
    refused("mlp", { hidden: [0] }, /hidden\.0/);
    refused("mlp", { hidden: [1.5] }, /hidden\.0/);
    refused("mlp", { hidden: "64" }, /hidden/);
    refused("softmax-regression", { classes: 1 }, /classes/);
    refused("lenet5", { classes: 10 }, /classes/);
    refused("residual-cnn", { height: 1 }, /height/);
    refused("residual-cnn", { batch: 0 }, /batch/);
    refused("softmax-regression", null, /options of the model softmax-regression/);
  });

  it("the schemas give the defaults", () => {
    assert.deepEqual(builtInModels.mlp.options.parse({}), {
      inputs: 64,
      hidden: [64],
      classes: 10,
      batch: 64,
    });
  });
});
