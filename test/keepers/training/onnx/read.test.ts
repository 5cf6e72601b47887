import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOnnx } from "../../../../keepers/src/training/onnx/read.ts";
import type { OnnxModel, OnnxTensor } from "../../../../keepers/src/training/onnx/types.ts";
import { writeOnnx } from "../../../../keepers/src/training/onnx/write.ts";
import {
  type Bytes,
  fixture,
  fixtureNames,
  floatTensor,
  int,
  join,
  model,
  node,
  opset,
  part,
  run,
  tensor,
  text,
  valueInfo,
  varint,
} from "./support.ts";

const raw = (array: ArrayBufferView): Bytes =>
  part(9, new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

function readTensor(dtype: number, dims: number[], ...rest: Bytes[]): OnnxTensor {
  const read = readOnnx(model({ initializers: [tensor({ name: "w", dtype, dims, rest })] }));
  return read.graph.initializers.get("w")!;
}

describe("models that PyTorch exported", () => {
  for (const name of fixtureNames) {
    it(`${name}: read and written again, it computes the same bits`, async () => {
      const bytes = fixture(name);
      const read = readOnnx(bytes);
      const [input] = read.graph.inputs;
      const feeds = { input: floatTensor(input!.shape as number[], 7) };
      const [before, after] = [await run(bytes, feeds), await run(writeOnnx(read), feeds)];
      assert.equal(before.logits!.length, 40);
      assert.deepEqual(after, before);
    });

    it(`${name}: a second round trip changes nothing, neither model nor bytes`, () => {
      const once = readOnnx(fixture(name));
      const written = writeOnnx(once);
      const twice: OnnxModel = readOnnx(written);
      assert.deepEqual(twice, once);
      assert.deepEqual(writeOnnx(twice), written);
    });
  }

  it("nodes, attributes, types and initialisers are those of the file", () => {
    const { irVersion, opsets, graph } = readOnnx(fixture("lenet5"));
    assert.equal(irVersion, 7);
    assert.deepEqual([...opsets], [["", 13]]);
    assert.deepEqual(graph.inputs, [{ name: "input", dtype: "float32", shape: [4, 1, 28, 28] }]);
    assert.deepEqual(graph.outputs, [{ name: "logits", dtype: "float32", shape: [4, 10] }]);
    const [conv] = graph.nodes;
    assert.equal(conv!.opType, "Conv");
    assert.deepEqual(conv!.inputs, ["input", "0.weight", "0.bias"]);
    assert.deepEqual(conv!.attributes.get("pads"), { type: "ints", value: [2, 2, 2, 2] });
    assert.deepEqual(conv!.attributes.get("group"), { type: "int", value: 1 });
    assert.deepEqual(graph.nodes.at(-1)!.attributes.get("alpha"), { type: "float", value: 1 });
    const parameters = [...graph.initializers.values()].reduce((sum, { data }) => sum + data.length, 0);
    assert.equal(parameters, 61_706);
  });
});

describe("elements of a tensor", () => {
  const floats = Float32Array.of(1.5, -0, Number.POSITIVE_INFINITY, 3e-45);
  const doubles = Float64Array.of(Math.PI, -1e300, 5e-324, Number.NaN);
  const cases: [string, number, ArrayBufferView & { length: number }][] = [
    ["float32", 1, floats],
    ["uint8", 2, Uint8Array.of(0, 255, 7, 1)],
    ["int8", 3, Int8Array.of(-128, 127, 0, -1)],
    ["uint16", 4, Uint16Array.of(0, 65_535, 258, 1)],
    ["int16", 5, Int16Array.of(-32_768, 32_767, 258, -1)],
    ["int32", 6, Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0x01020304, -1)],
    ["int64", 7, BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0x0102030405060708n, -1n)],
    ["bool", 9, Uint8Array.of(0, 1, 1, 0)],
    ["float64", 11, doubles],
    ["uint32", 12, Uint32Array.of(0, 2 ** 32 - 1, 0x01020304, 1)],
    ["uint64", 13, BigUint64Array.of(0n, 2n ** 64n - 1n, 0x0102030405060708n, 1n)],
  ];
  const listId: Record<string, number> = {
    float32: 4,
    float64: 10,
    int64: 7,
    uint32: 11,
    uint64: 11,
  };

  for (const [dtype, code, values] of cases) {
    it(`${dtype}: the same from raw bytes, from a packed list and from single fields`, () => {
      const id = listId[dtype] ?? 5;
      const fixed = dtype.startsWith("float");
      const numbers = [...(values as unknown as Iterable<number | bigint>)];
      const width = bytesOf(values).length / values.length;
      const single = numbers.map((value, i) =>
        fixed
          ? join(varint(id * 8 + (width === 4 ? 5 : 1)), bytesOf(values).subarray(i * width, (i + 1) * width))
          : int(id, value),
      );
      const packed = fixed ? part(id, bytesOf(values)) : part(id, ...numbers.map(varint));
      for (const rest of [[raw(values)], [packed], single]) {
        const read = readTensor(code, [2, 2], ...rest);
        assert.equal(read.dtype, dtype);
        assert.deepEqual(read.shape, [2, 2]);
        assert.equal(read.data.constructor, values.constructor);
        assert.deepEqual(bytesOf(read.data), bytesOf(values));
      }
    });
  }

  it("a scalar has one element, a tensor with a dimension of 0 none", () => {
    assert.deepEqual(readTensor(1, [], raw(Float32Array.of(4))).data, Float32Array.of(4));
    assert.equal(readTensor(1, [3, 0]).data.length, 0);
  });

  it("data is a copy: changing the file afterwards changes nothing", () => {
    const bytes = model({ initializers: [tensor({ rest: [raw(Float32Array.of(1, 2))] })] });
    const read = readOnnx(bytes);
    bytes.fill(0);
    assert.deepEqual(read.graph.initializers.get("w")!.data, Float32Array.of(1, 2));
  });
});

describe("forms that ONNX allows", () => {
  it('the domain "ai.onnx" is ONNX\'s own', () => {
    const { graph, opsets } = readOnnx(model({}, opset(17, "ai.onnx")));
    assert.equal(opsets.get(""), 17);
    assert.equal(graph.nodes[0]!.domain, "");
  });

  it("an initialiser that is also an input is an initialiser alone", () => {
    const { graph } = readOnnx(
      model({
        inputs: [valueInfo("x"), valueInfo("w")],
        initializers: [tensor({ rest: [raw(Float32Array.of(1, 2))] })],
      }),
    );
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ["x"],
    );
    assert.ok(graph.initializers.has("w"));
  });

  it("sizes may be names, or nothing at all; 0 is a size", () => {
    const unnamed = join(text(1, "y"), part(2, part(1, int(1, 1), part(2, part(1), part(1, int(1, 0))))));
    const { graph } = readOnnx(model({ inputs: [valueInfo("x", ["batch", 3])], outputs: [unnamed] }));
    assert.deepEqual(graph.inputs[0]!.shape, ["batch", 3]);
    assert.deepEqual(graph.outputs[0]!.shape, ["", 0]);
  });

  it("optional inputs and outputs may be left out in the middle", () => {
    const { graph } = readOnnx(model({ nodes: [node("Clip", ["x", "", "x"], ["", "y"])] }));
    assert.deepEqual(graph.nodes[0]!.inputs, ["x", "", "x"]);
    assert.deepEqual(graph.nodes[0]!.outputs, ["", "y"]);
  });

  it("fields that nobody here knows are skipped, whatever their wire type", () => {
    const unknown = [
      int(100, 2n ** 64n - 1n),
      join(varint(101 * 8 + 1), new Uint8Array(8)),
      text(102, "x"),
      join(varint(103 * 8 + 5), new Uint8Array(4)),
    ];
    assert.deepEqual(readOnnx(model({}, opset(17), ...unknown)), readOnnx(model()));
  });
});
