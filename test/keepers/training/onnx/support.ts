import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";

/*
 * Protobuf written by hand, field by field (protobuf.dev/programming-guides/encoding), so that the tests know the format
 * from elsewhere than the code they test. Field numbers are those of onnx.proto3.
 */

export type Bytes = Uint8Array;

export function varint(value: number | bigint): Bytes {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

export const join = (...parts: Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts));
export const int = (id: number, value: number | bigint): Bytes => join(varint(id * 8), varint(value));
export const part = (id: number, ...parts: Bytes[]): Bytes => {
  const body = join(...parts);
  return join(varint(id * 8 + 2), varint(body.length), body);
};
export const text = (id: number, value: string): Bytes => part(id, new TextEncoder().encode(value));

export type TensorParts = { name?: string; dims?: number[]; dtype?: number; rest?: Bytes[] };

export const tensor = ({ name = "w", dims = [2], dtype = 1, rest = [] }: TensorParts = {}): Bytes =>
  join(...dims.map((size) => int(1, size)), int(2, dtype), text(8, name), ...rest);

export const valueInfo = (name: string, dims: (number | string)[] = [2], dtype = 1): Bytes =>
  join(
    text(1, name),
    part(
      2,
      part(
        1,
        int(1, dtype),
        part(2, ...dims.map((dim) => part(1, typeof dim === "number" ? int(1, dim) : text(2, dim)))),
      ),
    ),
  );

export const node = (
  opType: string,
  inputs: string[],
  outputs: string[],
  attributes: Bytes[] = [],
  ...rest: Bytes[]
): Bytes =>
  join(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, opType),
    ...attributes.map((attribute) => part(5, attribute)),
    ...rest,
  );

export type GraphParts = {
  nodes?: Bytes[];
  initializers?: Bytes[];
  inputs?: Bytes[];
  outputs?: Bytes[];
  rest?: Bytes[];
};

export const graph = ({
  nodes = [node("Relu", ["x"], ["y"])],
  initializers = [],
  inputs = [valueInfo("x")],
  outputs = [valueInfo("y")],
  rest = [],
}: GraphParts = {}): Bytes =>
  join(
    ...nodes.map((bytes) => part(1, bytes)),
    text(2, "g"),
    ...initializers.map((bytes) => part(5, bytes)),
    ...inputs.map((bytes) => part(11, bytes)),
    ...outputs.map((bytes) => part(12, bytes)),
    ...rest,
  );

export const opset = (version: number, domain = ""): Bytes => part(8, text(1, domain), int(2, version));

/** A model that is right unless `parts` say otherwise: y = Relu(x). */
export const model = (parts: GraphParts = {}, ...rest: Bytes[]): Bytes =>
  join(int(1, 8), part(7, graph(parts)), ...(rest.length > 0 ? rest : [opset(17)]));

export const fixtureNames = ["softmax-regression", "mlp", "lenet5", "residual-cnn"] as const;
export type FixtureName = (typeof fixtureNames)[number];

export function fixture(name: FixtureName): Bytes {
  return new Uint8Array(readFileSync(new URL(`../../../fixtures/models/${name}.onnx`, import.meta.url)));
}

/** Runs a model in ONNX Runtime and returns the data of its outputs by name. */
export async function run(
  bytes: Bytes,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor["data"]>> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  try {
    const results = await session.run(feeds);
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
  } finally {
    await session.release();
  }
}

/** Numbers of a seed in [-1, 1), from mulberry32. */
export function randomFloats(count: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  });
}

export function floatTensor(shape: number[], seed: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return new Tensor("float32", randomFloats(count, seed), shape);
}
