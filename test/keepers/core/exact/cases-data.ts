import { dtypes, type Opcode, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { CaseGenerator } from "./cases.ts";
import { anyExponent, anyShape, bTensor, layoutOf, type Random, tensorOf } from "./cases-random.ts";

type Inputs = "INPUT" | "LOAD" | "STORE" | "RELAYOUT" | "REQUANTIZE" | "SHIFT";
type Optimizer = "ACCUMULATE" | "SGD_MOMENTUM" | "SGD_WEIGHT";

/** A tensor of some signed dtype at some exponent. */
function signed(random: Random, bits: 8 | 16): Tensor {
  const dtype = random.pick(["I8", "I16", "I32", "I64", "B"] as const);
  const shape = anyShape(random);
  if (dtype === "B") return bTensor(random, bits, shape);
  const most = dtype === "I64" ? 2 ** random.int(1, 52) - 1 : undefined;
  return tensorOf(random, layoutOf(dtype, shape), anyExponent(random), most);
}

function optimizerTensors(random: Random): { g: Tensor; v: Tensor; w: Tensor } {
  const layout = layoutOf("I32", [random.int(1, 16)]);
  return {
    g: tensorOf(random, layout, -26),
    v: tensorOf(random, layout, -26),
    w: tensorOf(random, layout, -28),
  };
}

const values: CaseGenerator = (random, _bits, microBatch) => {
  const encoding = random.int(0, 3);
  const dtype = encoding === 3 ? "I32" : random.pick(["I16", "I32"] as const);
  // Each affine map keeps every raw value of its encoding inside the dtype.
  const [multiply, add] = (
    encoding === 3
      ? [1, 0]
      : dtype === "I32"
        ? [random.int(-32768, 32768), random.int(-1_000_000, 1_000_000)]
        : random.pick([
            [1, encoding === 2 ? 0 : -33],
            [-2, 5],
            [0, 7],
          ] as const)
  ) as [number, number];
  // A full i16 range does not fit I16.
  const wide = dtype === "I16" && encoding === 2 ? "I32" : dtype;
  const row = random.pick([[3], [2, 3], [2, 2, 3]]);
  const width = [1, 1, 2, 4][encoding]!;
  const offset = random.int(0, 5);
  const bytes = offset + row.reduce((a, b) => a * b, width) + random.int(0, 3);
  return {
    node: {
      opcode: "INPUT",
      inputs: [],
      output: layoutOf(wide, [microBatch, ...row]),
      attributes: { offset, encoding, multiply, add, exponent: random.int(-16, 0), classes: 0 },
    },
    inputs: [],
    objects: Array.from({ length: microBatch }, () =>
      Uint8Array.from({ length: bytes }, () => random.pick([0, 255, 128, 127, random.int(0, 255)])),
    ),
  };
};

const labels: CaseGenerator = (random, _bits, microBatch) => {
  const encoding = random.pick([0, 1, 2, 3]);
  const width = [1, 1, 2, 4][encoding]!;
  const classes = width === 1 ? random.pick([2, 10, 256]) : random.pick([10, 300, 1000]);
  const offset = random.int(0, 3);
  const dtype = classes <= 256 ? random.pick(["U8", "U32"] as const) : "U32";
  return {
    node: {
      opcode: "INPUT",
      inputs: [],
      output: layoutOf(dtype, [microBatch]),
      attributes: { offset, encoding, multiply: 1, add: 0, exponent: 0, classes },
    },
    inputs: [],
    objects: Array.from({ length: microBatch }, () => {
      const object = new Uint8Array(offset + width);
      const label = random.pick([0, classes - 1, random.int(0, classes - 1)]);
      for (let i = 0; i < width; i++) object[offset + i] = Math.floor(label / 256 ** i) % 256;
      return object;
    }),
  };
};

const relayout: CaseGenerator = (random, bits) => {
  const view = Array.from({ length: 4 }, () => random.int(1, 4)) as [number, number, number, number];
  const axes = [0, 1, 2, 3];
  for (let i = 3; i > 0; i--) {
    const j = random.int(0, i);
    [axes[i], axes[j]] = [axes[j]!, axes[i]!];
  }
  const permuted = axes.map((axis) => view[axis]!);
  const [a, b, c, d] = permuted as [number, number, number, number];
  const output = random.pick([permuted, [a * b, c * d], [a, b * c * d], [a * b * c * d], [a, b, c * d]]);
  const source = random.pick([view, [view[0] * view[1], view[2] * view[3]], [view.reduce((x, y) => x * y)]]);
  const dtype = random.pick(Object.keys(dtypes) as (keyof typeof dtypes)[]);
  const most = dtype === "I64" ? 2 ** 40 : undefined;
  const x = random.chance(50)
    ? bTensor(random, bits, source)
    : tensorOf(random, layoutOf(dtype, source), anyExponent(random), most);
  return {
    node: {
      opcode: "RELAYOUT",
      inputs: [0],
      output: layoutOf(x.layout.dtype, output, output.length === 4 ? random.pick([2, 3]) : 1),
      attributes: {
        view0: view[0],
        view1: view[1],
        view2: view[2],
        view3: view[3],
        axis0: axes[0]!,
        axis1: axes[1]!,
        axis2: axes[2]!,
        axis3: axes[3]!,
      },
    },
    inputs: [x],
  };
};

/** Cases of the opcodes that bring data in, move it, round it and update the state. */
export const dataCases: { readonly [O in Extract<Opcode, Inputs | Optimizer>]: CaseGenerator } = {
  INPUT: (random, bits, microBatch) => (random.chance(30) ? labels : values)(random, bits, microBatch),
  LOAD: (random) => {
    const slot = tensorOf(random, layoutOf("I32", anyShape(random)), random.pick([-28, -26]));
    return {
      node: {
        opcode: "LOAD",
        inputs: [],
        output: slot.layout,
        attributes: { space: random.pick([0, 2]), slot: random.int(0, 9) },
      },
      inputs: [],
      slot,
    };
  },
  STORE: (random) => {
    const x = tensorOf(random, layoutOf("I32", anyShape(random)), random.pick([-28, -26]));
    return {
      node: {
        opcode: "STORE",
        inputs: [0],
        output: x.layout,
        attributes: { space: random.int(0, 2), slot: random.int(0, 9) },
      },
      inputs: [x],
    };
  },
  RELAYOUT: relayout,
  REQUANTIZE: (random, bits) => {
    const x = signed(random, bits);
    return {
      node: {
        opcode: "REQUANTIZE",
        inputs: [0],
        output: { ...x.layout, dtype: bits === 8 ? "I8" : "I16" },
        attributes: {},
      },
      inputs: [x],
    };
  },
  SHIFT: (random, bits) => {
    const x = signed(random, bits);
    const exponent = random.chance(70) ? x.exponent + random.int(-66, 66) : random.pick([-26, -16]);
    return {
      node: {
        opcode: "SHIFT",
        inputs: [0],
        output: { ...x.layout, dtype: "I32" },
        attributes: { exponent },
      },
      inputs: [x],
    };
  },
  ACCUMULATE: (random) => {
    const layout = layoutOf("I32", [random.int(1, 12)]);
    const count = random.pick([1, 2, 4, 8]);
    return {
      node: { opcode: "ACCUMULATE", inputs: [], output: layout, attributes: { slot: random.int(0, 9) } },
      inputs: [],
      gradients: Array.from({ length: count }, () => tensorOf(random, layout, -26)),
    };
  },
  SGD_MOMENTUM: (random) => {
    const { g, v, w } = optimizerTensors(random);
    return {
      node: {
        opcode: "SGD_MOMENTUM",
        inputs: [0, 1, 2],
        output: v.layout,
        attributes: {
          momentum: random.pick([0, 58_982, 65_535, random.int(0, 65_535)]),
          momentumShift: random.pick([0, 1, 16, 32]),
          weightDecay: random.pick([0, 33, 65_535, random.int(0, 65_535)]),
          weightDecayShift: random.pick([0, 16, 16, 30]),
        },
      },
      inputs: [g, v, w],
    };
  },
  SGD_WEIGHT: (random) => {
    const { v, w } = optimizerTensors(random);
    return {
      node: {
        opcode: "SGD_WEIGHT",
        inputs: [0, 1],
        output: w.layout,
        attributes: { learningRateShift: random.pick([0, 1, 16, 16, 16, 32]) },
      },
      inputs: [w, v],
      learningRate: random.pick([0, 1, 655, 1311, 65_535, random.int(0, 65_535)]),
    };
  },
};
