import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OnnxError } from "../../../../keepers/src/training/onnx/errors.ts";
import type { OnnxLimits } from "../../../../keepers/src/training/onnx/limits.ts";
import { readOnnx } from "../../../../keepers/src/training/onnx/read.ts";
import {
  type Bytes,
  fixture,
  graph,
  int,
  join,
  model,
  node,
  opset,
  part,
  randomFloats,
  tensor,
  text,
  valueInfo,
  varint,
} from "./support.ts";

function refused(bytes: Bytes, message: RegExp, limits: Partial<OnnxLimits> = {}): OnnxError {
  let thrown: unknown;
  try {
    readOnnx(bytes, limits);
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof OnnxError, `not refused: ${thrown}`);
  assert.match(thrown.message, message);
  assert.ok(thrown.next !== undefined);
  return thrown;
}

const two = part(9, new Uint8Array(8));
const withTensor = (bytes: Bytes) => model({ initializers: [bytes] });
const attribute = (name: string, type: number, ...rest: Bytes[]) =>
  join(text(1, name), int(20, type), ...rest);
const withAttribute = (...attributes: Bytes[]) => model({ nodes: [node("Relu", ["x"], ["y"], attributes)] });

it("the hand-made model that the attacks below start from is taken", () => {
  assert.equal(readOnnx(model()).graph.nodes.length, 1);
  assert.equal(readOnnx(withTensor(tensor({ rest: [two] }))).graph.initializers.size, 1);
  assert.equal(readOnnx(withAttribute(attribute("axis", 2, int(3, 1)))).graph.nodes.length, 1);
});

describe("bytes that are no protobuf", () => {
  it("an empty file", () => {
    refused(new Uint8Array(), /empty/);
  });

  it("a file cut anywhere", () => {
    const bytes = fixture("softmax-regression");
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), /./);
  });

  it("any byte changed: refused as a bad model or read, never another failure", () => {
    const bytes = fixture("mlp").subarray();
    const places = randomFloats(3000, 3);
    let read = 0;
    for (const [i, place] of places.entries()) {
      const changed = Uint8Array.from(bytes);
      // The head and the tail hold the structure; most of what lies between is weights.
      const near = i % 2 === 0 ? 400 : bytes.length;
      const at = Math.floor(((place + 1) / 2) * near);
      const index = i % 4 === 0 ? bytes.length - 1 - at : at;
      changed[index] = changed[index]! ^ (1 << (i % 8));
      try {
        readOnnx(changed);
        read++;
      } catch (error) {
        assert.ok(error instanceof OnnxError, `byte ${index}: ${error}`);
      }
    }
    assert.ok(read > 0 && read < places.length);
  });

  it("a length beyond the file, or beyond the part it is in", () => {
    refused(join(varint(7 * 8 + 2), varint(2 ** 31 - 1)), /does not fit/);
    refused(join(varint(7 * 8 + 2), varint(2n ** 40n)), /too long/);
    const inner = join(varint(2 * 8 + 2), varint(100));
    refused(join(int(1, 8), part(7, inner), opset(17), new Uint8Array(200)), /does not fit/);
  });

  it("a number of more than ten bytes, a tag of more than 32 bits", () => {
    refused(join(varint(8), new Uint8Array(10).fill(255), Uint8Array.of(1)), /too long/);
    refused(join(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f), varint(1)), /field number/);
  });

  it("field number 0, and groups", () => {
    refused(join(Uint8Array.of(0, 0), model()), /field number 0/);
    refused(join(varint(100 * 8 + 3), varint(100 * 8 + 4), model()), /wire type 3/);
  });

  it("a known field of another wire type", () => {
    refused(join(text(1, "8"), part(7, graph()), opset(17)), /Model.irVersion has wire type 2/);
    refused(join(int(1, 8), int(7, 1), opset(17)), /Model.graph has wire type 0/);
    refused(
      withTensor(join(tensor({ rest: [two] }), join(varint(4 * 8), varint(1)))),
      /floatData has wire type 0/,
    );
  });

  it("a list of floats of 5 bytes", () => {
    refused(withTensor(tensor({ rest: [part(4, new Uint8Array(5))] })), /wrong length/);
  });

  it("two graphs, which readers may merge or choose between", () => {
    refused(join(int(1, 8), part(7, graph()), part(7, graph()), opset(17)), /Model.graph occurs twice/);
    refused(withTensor(tensor({ rest: [two, two] })), /Tensor.rawData occurs twice/);
  });

  it("a name that is not UTF-8", () => {
    refused(model({ rest: [part(5, part(8, Uint8Array.of(0xc3, 0x28)))] }), /not UTF-8/);
  });
});

describe("limits", () => {
  const cases: [keyof OnnxLimits, number, Bytes, RegExp][] = [
    ["bytes", 50, model(), /bytes, more than 50/],
    [
      "nodes",
      1,
      model({ nodes: [node("Relu", ["x"], ["a"]), node("Relu", ["a"], ["y"])] }),
      /more than 1 node/,
    ],
    ["tensorBytes", 7, withTensor(tensor({ rest: [two] })), /more than 7 bytes/],
    ["stringBytes", 4, withTensor(tensor({ name: "weight", rest: [two] })), /longer than 4 bytes/],
    ["stringBytes", 4, withAttribute(attribute("mode", 3, text(4, "valid"))), /longer than 4 bytes/],
    ["rank", 1, withTensor(tensor({ dims: [1, 2], rest: [two] })), /2 dimensions, more than 1/],
    ["objects", 5, model(), /more than 5 parts/],
    [
      "listed",
      2,
      withTensor(tensor({ dims: [2], rest: [part(4, new Uint8Array(8))] })),
      /more than 2 numbers/,
    ],
    [
      "listed",
      3,
      withAttribute(attribute("axes", 7, part(8, ...[1, 2, 3, 4].map(varint)))),
      /more than 3 numbers/,
    ],
  ];
  for (const [limit, value, bytes, message] of cases) {
    it(`${limit}: ${message.source}`, () => {
      const enough = { ...(limit === "bytes" && { bytes: bytes.length }) };
      assert.ok(readOnnx(bytes, enough));
      refused(bytes, message, { [limit]: value });
    });
  }

  const nested = (levels: number): Bytes =>
    levels === 0
      ? graph({ inputs: [], nodes: [node("Relu", ["x"], ["z0"])], outputs: [valueInfo("z0")] })
      : graph({
          inputs: [],
          nodes: [node("If", ["x"], [`z${levels}`], [attribute("body", 5, part(6, nested(levels - 1)))])],
          outputs: [valueInfo(`z${levels}`)],
        });
  const deep = (levels: number) =>
    model({
      nodes: [node("If", ["x"], ["y"], [attribute("body", 5, part(6, nested(levels - 1)))])],
    });

  it("graphs in graphs: four levels are read, five are refused, thousands do not exhaust the stack", () => {
    assert.ok(readOnnx(deep(4)));
    refused(deep(5), /nested deeper than 4/);
    refused(deep(2000), /nested deeper than 4/);
  });

  it("a tensor that claims 2^62 elements costs nothing", () => {
    refused(withTensor(tensor({ dims: [2 ** 31, 2 ** 31] })), /more than \d+ bytes/);
    refused(withTensor(tensor({ dims: new Array(8).fill(2 ** 52) })), /more than \d+ bytes/);
  });

  it("many empty nodes are counted before they are decoded", () => {
    const empty = join(
      int(1, 8),
      part(
        7,
        new Uint8Array(2 * 70_000).map((_, i) => (i % 2 === 0 ? 10 : 0)),
      ),
    );
    refused(empty, /more than 65536 nodes/);
  });
});

describe("tensors", () => {
  it("data in another file, with the remedy", () => {
    const external = tensor({ rest: [part(13, text(1, "location"), text(2, "../../secret")), int(14, 1)] });
    assert.match(
      refused(withTensor(external), /stored in another file/).next!,
      /save_as_external_data=False/,
    );
    refused(withTensor(tensor({ rest: [int(14, 1)] })), /stored in another file/);
    refused(withAttribute(attribute("value", 4, part(5, external))), /stored in another file/);
  });

  it("element types that are not supported or do not exist", () => {
    refused(withTensor(tensor({ dtype: 10, rest: [part(9, new Uint8Array(4))] })), /float16/);
    refused(withTensor(tensor({ dtype: 8 })), /string/);
    refused(withTensor(tensor({ dtype: 0 })), /element type 0/);
    refused(withTensor(tensor({ dtype: 99 })), /element type 99/);
    refused(model({ inputs: [valueInfo("x", [2], 16)] }), /bfloat16/);
  });

  it("more or fewer elements than the shape says", () => {
    for (const bytes of [0, 4, 7, 9, 12])
      refused(
        withTensor(tensor({ rest: [part(9, new Uint8Array(bytes))] })),
        /elements, its shape asks for 2/,
      );
    refused(withTensor(tensor({ rest: [part(4, new Uint8Array(12))] })), /3 elements, its shape asks for 2/);
    refused(withTensor(tensor({ dims: [] })), /0 elements, its shape asks for 1/);
  });

  it("elements twice, or in a field of another type", () => {
    refused(withTensor(tensor({ rest: [two, part(4, new Uint8Array(8))] })), /field that is not its type's/);
    refused(withTensor(tensor({ rest: [part(5, varint(1), varint(2))] })), /field that is not its type's/);
  });

  it("numbers outside the type, bools other than 0 and 1, negative sizes", () => {
    refused(withTensor(tensor({ dtype: 2, rest: [part(5, varint(1), varint(256))] })), /holds 256/);
    refused(withTensor(tensor({ dtype: 3, rest: [part(5, varint(1), varint(-129))] })), /holds -129/);
    refused(
      withTensor(tensor({ dtype: 12, rest: [part(11, varint(1), varint(2 ** 32))] })),
      /holds 4294967296/,
    );
    refused(withTensor(tensor({ dtype: 9, rest: [part(9, Uint8Array.of(0, 2))] })), /bools/);
    refused(withTensor(tensor({ dims: [-1, -2], rest: [two] })), /size -1/);
    refused(model({ inputs: [valueInfo("x", [-1])] }), /size -1/);
    refused(model({ inputs: [valueInfo("x", [2 ** 60])] }), /beyond what is supported/);
  });

  it("sparse tensors and segments", () => {
    refused(model({ rest: [part(15)] }), /sparse/);
    refused(withTensor(tensor({ rest: [two, part(3)] })), /segment/);
  });
});

describe("the graph", () => {
  it("a cycle, and nodes out of order", () => {
    const loop = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])];
    refused(model({ nodes: loop }), /reads "b" before it is computed/);
    refused(model({ nodes: [node("Add", ["x", "y"], ["y"])] }), /reads "y" before it is computed/);
    refused(
      model({ nodes: [node("Relu", ["a"], ["y"]), node("Relu", ["x"], ["a"])] }),
      /cycle or are not sorted/,
    );
  });

  it("inputs and outputs that nothing defines", () => {
    refused(model({ nodes: [node("Add", ["x", "ghost"], ["y"])] }), /"ghost", which nothing defines/);
    refused(model({ outputs: [valueInfo("ghost")] }), /nothing computes .*"ghost"/);
    refused(model({ outputs: [] }), /no output/);
    refused(model({ nodes: [node("Relu", ["x"], [])], outputs: [valueInfo("x")] }), /has no output/);
  });

  it("a name assigned twice: by nodes, inputs, initialisers, a body", () => {
    const relu = node("Relu", ["x"], ["y"]);
    refused(model({ nodes: [relu, relu] }), /"y" is defined twice/);
    refused(model({ inputs: [valueInfo("x"), valueInfo("x")] }), /"x" is defined twice/);
    const w = tensor({ rest: [two] });
    refused(model({ initializers: [w, w] }), /"w" is defined twice/);
    refused(model({ outputs: [valueInfo("y"), valueInfo("y")] }), /listed twice/);
    const body = graph({ inputs: [], nodes: [node("Relu", ["x"], ["x"])], outputs: [valueInfo("x")] });
    refused(withAttribute(attribute("body", 5, part(6, body))), /"x" is defined twice/);
  });

  it("a value of a body is unknown outside", () => {
    const body = graph({
      inputs: [],
      nodes: [node("Relu", ["x"], ["inner"])],
      outputs: [valueInfo("inner")],
    });
    const branch = node("If", ["x"], ["a"], [attribute("body", 5, part(6, body))]);
    assert.ok(readOnnx(model({ nodes: [branch, node("Relu", ["a"], ["y"])] })));
    refused(model({ nodes: [branch, node("Relu", ["inner"], ["y"])] }), /"inner", which nothing defines/);
  });

  it("values without a name", () => {
    refused(model({ inputs: [valueInfo("x"), valueInfo("")] }), /no name/);
    refused(withTensor(tensor({ name: "", rest: [two] })), /no name/);
  });

  it("an initialiser of another type than the input of its name", () => {
    const w = tensor({ rest: [two] });
    refused(model({ inputs: [valueInfo("x"), valueInfo("w", [3])], initializers: [w] }), /type of its input/);
    refused(
      model({ inputs: [valueInfo("x"), valueInfo("w", [2], 6)], initializers: [w] }),
      /type of its input/,
    );
  });

  it("inputs that are no tensors or have no shape", () => {
    refused(model({ inputs: [join(text(1, "x"), part(2, part(4)))] }), /is no tensor/);
    refused(model({ inputs: [text(1, "x")] }), /is no tensor/);
    refused(model({ inputs: [join(text(1, "x"), part(2, part(1, int(1, 1))))] }), /has no shape/);
  });

  it("operators, attributes and domains whose names could pass for something else", () => {
    refused(model({ nodes: [node("Re\u001blu", ["x"], ["y"])] }), /operator "Re\\u001blu"/);
    refused(model({ nodes: [node("", ["x"], ["y"])] }), /operator ""/);
    refused(withAttribute(attribute("a b", 2, int(3, 1))), /attribute named "a b"/);
    refused(model({}, opset(17), opset(1, "com/x")), /domain "com\/x"/);
  });

  it("an attribute twice, of no type, of a type that is not supported, of a function", () => {
    const axis = attribute("axis", 2, int(3, 1));
    refused(withAttribute(axis, axis), /attribute axis twice/);
    refused(withAttribute(attribute("axis", 0, int(3, 1))), /type 0/);
    refused(withAttribute(attribute("tensors", 9)), /type 9/);
    refused(withAttribute(attribute("axis", 2, text(21, "outer"))), /attribute of a function/);
    refused(withAttribute(attribute("value", 4)), /lacks its tensor/);
    refused(withAttribute(attribute("body", 5)), /lacks its graph/);
    refused(withAttribute(attribute("mode", 3, part(4, Uint8Array.of(255)))), /not UTF-8/);
    refused(withAttribute(attribute("axis", 2, int(3, 2n ** 62n))), /beyond what is supported/);
  });
});

describe("versions and what a model brings along", () => {
  it("an operator set older than 13, with the remedy", () => {
    assert.match(
      refused(model({}, opset(11)), /operator set 11 is older than 13/).next!,
      /version_converter/,
    );
    refused(model({}, opset(-1)), /operator set -1/);
    assert.ok(readOnnx(model({}, opset(13))));
  });

  it("no operator set, one twice, one that is not declared", () => {
    refused(join(int(1, 8), part(7, graph())), /does not say which version/);
    refused(model({}, opset(17), opset(13, "ai.onnx")), /declared twice/);
    const gelu = node("Gelu", ["x"], ["y"], [], text(7, "com.microsoft"));
    refused(model({ nodes: [gelu] }), /undeclared operator set "com.microsoft"/);
    assert.ok(readOnnx(model({ nodes: [gelu] }, opset(17), opset(1, "com.microsoft"))));
  });

  it("an IR version before 4, functions, training graphs, no graph", () => {
    refused(join(int(1, 3), part(7, graph()), opset(17)), /IR version 3/);
    refused(join(part(7, graph()), opset(17)), /IR version 0/);
    refused(model({}, opset(17), part(25)), /functions/);
    refused(model({}, opset(17), part(20)), /training graphs/);
    refused(join(int(1, 8), opset(17)), /no graph/);
  });
});
