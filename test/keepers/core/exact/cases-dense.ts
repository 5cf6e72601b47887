import { evaluateNode } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { flags, type Opcode, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { CaseGenerator } from "./cases.ts";
import {
  anyExponent,
  anyShape,
  biasTensor,
  bTensor,
  layoutOf,
  mantissaDtype,
  operand,
  type Random,
  tensorOf,
} from "./cases-random.ts";

type Dense = "MATMUL" | "ROW_SUM" | "ROW_MAX" | "ADD" | "RELU" | "GATE" | "EXP" | "SOFTMAX_GRAD" | "MSE_GRAD";

/** Logits at 16 fraction bits: close together, around the cut at 20, and as far apart as int32 allows. */
function logits(random: Random, rows: number, columns: number): Tensor {
  const layout = layoutOf("I32", [rows, columns]);
  const mode = random.pick(["near", "near", "cut", "any", "equal"]);
  const cut = 20 * 2 ** 16;
  const value = {
    near: () => random.int(-3 * 2 ** 16, 3 * 2 ** 16),
    cut: () => random.pick([0, -cut, -cut + 1, -cut - 1, random.int(-2 * cut, 0)]),
    any: () => random.pick([2 ** 31 - 1, -(2 ** 31 - 1), random.int(-(2 ** 31 - 1), 2 ** 31 - 1)]),
    equal: () => 12_345,
  }[mode]!;
  return { layout, exponent: -16, mantissas: Int32Array.from({ length: rows * columns }, value) };
}

const plain = { bits: 8, microBatch: 1 } as const;

function rowMaxOf(x: Tensor): Tensor {
  const [rows] = x.layout.shape as [number, number];
  const output = layoutOf(x.layout.dtype, [rows]);
  return evaluateNode(plain, { opcode: "ROW_MAX", inputs: [0], output, attributes: {} }, [x]);
}

function expOf(z: Tensor): Tensor {
  const output = layoutOf("U32", z.layout.shape);
  return evaluateNode(plain, { opcode: "EXP", inputs: [0, 1], output, attributes: {} }, [z, rowMaxOf(z)]);
}

function rowSumOf(x: Tensor): Tensor {
  const output = layoutOf("I64", [x.layout.shape[0]!]);
  const attributes = { flags: 0, exponent: 0 };
  return evaluateNode(plain, { opcode: "ROW_SUM", inputs: [0], output, attributes }, [x]);
}

const matmul: CaseGenerator = (random, bits) => {
  const [rows, depth, outputs] = [random.int(1, 5), random.pick([1, 7, 32, 33, 70]), random.int(1, 5)];
  const a = operand(random, bits, [rows, depth]);
  const b = operand(random, bits, [outputs, depth]);
  const bias = random.chance(50);
  const gate = random.chance(40);
  const relu = random.chance(40);
  const fixed = random.chance(30);
  const gateTensor = bTensor(random, bits, [rows, outputs]);
  return {
    node: {
      opcode: "MATMUL",
      inputs: [0, 1, ...(bias ? [2] : []), ...(gate ? [bias ? 3 : 2] : [])],
      output: layoutOf(fixed ? "I32" : mantissaDtype(bits), [rows, outputs]),
      attributes: {
        flags:
          (bias ? flags.bias : 0) |
          (gate ? flags.gate : 0) |
          (relu ? flags.relu : 0) |
          (fixed ? flags.fixed : 0),
        exponent: fixed ? random.pick([-26, -16, a.exponent + b.exponent + random.int(-64, 64)]) : 0,
      },
    },
    inputs: [a, b, ...(bias ? [biasTensor(random, outputs)] : []), ...(gate ? [gateTensor] : [])],
  };
};

const rowSum: CaseGenerator = (random, bits) => {
  const dtype = random.pick([mantissaDtype(bits), "I32", "U32", "I16"] as const);
  const [rows, columns] = [random.int(1, 6), random.pick([1, 10, 40])];
  const x = tensorOf(random, layoutOf(dtype, [rows, columns]), anyExponent(random));
  const fixed = random.chance(50);
  return {
    node: {
      opcode: "ROW_SUM",
      inputs: [0],
      output: layoutOf(fixed ? "I32" : "I64", [rows]),
      attributes: {
        flags: fixed ? flags.fixed : 0,
        exponent: fixed ? random.pick([-26, x.exponent + random.int(-64, 64)]) : 0,
      },
    },
    inputs: [x],
  };
};

const add: CaseGenerator = (random, bits) => {
  const shape = anyShape(random);
  const count = random.int(2, 5);
  const base = anyExponent(random);
  // Around the widest spread that is aligned without loss, and far beyond it.
  const spread = random.pick([0, 3, 19, 20, 21, 22, 40, 61, 62, 63, 90, 200]);
  const inputs = Array.from({ length: count }, (_, i) =>
    bTensor(random, bits, shape, {
      exponent: base + (i === 0 ? 0 : i === 1 ? spread : random.int(0, spread)),
    }),
  );
  return {
    node: {
      opcode: "ADD",
      inputs: inputs.map((_, i) => i),
      output: inputs[0]!.layout,
      attributes: { flags: random.chance(40) ? flags.relu : 0 },
    },
    inputs,
  };
};

const softmaxGrad: CaseGenerator = (random, bits, microBatch) => {
  const columns = random.int(2, 9);
  const e = expOf(logits(random, microBatch, columns));
  const exact = bits === 16 && random.chance(50);
  const label = tensorOf(random, layoutOf(random.pick(["U8", "U32"] as const), [microBatch]), 0, columns - 1);
  return {
    node: {
      opcode: "SOFTMAX_GRAD",
      inputs: [0, 1, 2],
      output: layoutOf(mantissaDtype(bits), [microBatch, columns]),
      attributes: { flags: exact ? 0 : flags.quantize, probabilityBits: exact ? 15 : random.int(15, 22) },
    },
    inputs: [e, rowSumOf(e), label],
  };
};

const mseGrad: CaseGenerator = (random, bits, microBatch) => {
  const shape = [microBatch, random.pick([1, 2, 3, 5, 8, 10])];
  const exponent = anyExponent(random);
  const spread = random.pick([0, 1, 8, 20, 21, 30, 62, 63, 100]);
  const [first, second] = random.chance(50) ? [0, spread] : [spread, 0];
  const z = bTensor(random, bits, shape, { exponent: exponent + first });
  const y = bTensor(random, bits, shape, { exponent: exponent + second });
  return {
    node: { opcode: "MSE_GRAD", inputs: [0, 1], output: z.layout, attributes: {} },
    inputs: [z, y],
  };
};

/** Cases of matrices, rows, losses and of what works element by element. */
export const denseCases: { readonly [O in Extract<Opcode, Dense>]: CaseGenerator } = {
  MATMUL: matmul,
  ROW_SUM: rowSum,
  ROW_MAX: (random, bits) => {
    const dtype = random.pick([mantissaDtype(bits), "I32"] as const);
    const [rows, columns] = [random.int(1, 5), random.int(1, 12)];
    const x = tensorOf(random, layoutOf(dtype, [rows, columns]), anyExponent(random));
    return {
      node: { opcode: "ROW_MAX", inputs: [0], output: layoutOf(dtype, [rows]), attributes: {} },
      inputs: [x],
    };
  },
  ADD: add,
  RELU: (random, bits) => {
    const x = bTensor(random, bits, anyShape(random));
    return { node: { opcode: "RELU", inputs: [0], output: x.layout, attributes: {} }, inputs: [x] };
  },
  GATE: (random, bits) => {
    const d = bTensor(random, bits, anyShape(random));
    const h = bTensor(random, bits, d.layout.shape);
    return { node: { opcode: "GATE", inputs: [0, 1], output: d.layout, attributes: {} }, inputs: [d, h] };
  },
  EXP: (random) => {
    const z = logits(random, random.int(1, 4), random.int(1, 8));
    return {
      node: { opcode: "EXP", inputs: [0, 1], output: layoutOf("U32", z.layout.shape), attributes: {} },
      inputs: [z, rowMaxOf(z)],
    };
  },
  SOFTMAX_GRAD: softmaxGrad,
  MSE_GRAD: mseGrad,
};
