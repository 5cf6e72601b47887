import assert from "node:assert/strict";
import { test } from "node:test";
import { elementOf, evaluateNode } from "../../../../../keepers/src/core/exact/ops/evaluate.ts";
import { exponential } from "../../../../../keepers/src/core/exact/ops/loss.ts";
import { elementCount, readerOf } from "../../../../../keepers/src/core/exact/ops/tensor.ts";
import { T1, T2 } from "../../../../../keepers/src/core/exact/tables.ts";
import type { Layout, TapeNode, Tensor } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { layoutOf, Random, tensorOf } from "../cases-random.ts";

const context = { bits: 16, microBatch: 2 } as const;

function accumulators(node: TapeNode, inputs: readonly Tensor[]): bigint[] {
  const readers = inputs.map(readerOf);
  return Array.from(
    { length: elementCount(node.output) },
    (_, index) => elementOf(context, node, readers, index).accumulator,
  );
}

function dot(a: readonly bigint[], b: Tensor): bigint {
  return a.reduce((sum, value, i) => sum + value * BigInt(b.mantissas[i]!), 0n);
}

function small(random: Random, layout: Layout): Tensor {
  const mantissas = Int16Array.from({ length: elementCount(layout) }, () => random.int(-50, 50));
  return { layout, exponent: 0, mantissas };
}

function transposed(x: Tensor, shape: readonly number[], axes: readonly number[], rowAxes: number): Tensor {
  const [view0, view1, view2, view3] = shape as [number, number, number, number];
  const [axis0, axis1, axis2, axis3] = axes as [number, number, number, number];
  const output = layoutOf(
    x.layout.dtype,
    axes.map((axis) => shape[axis]!),
    rowAxes,
  );
  const attributes = { view0, view1, view2, view3, axis0, axis1, axis2, axis3 };
  return evaluateNode(context, { opcode: "RELAYOUT", inputs: [0], output, attributes }, [x]);
}

test("the product of the tables is a power of two to 1e-6 everywhere", () => {
  for (let i = 0; i < 256; i++) {
    for (let j = 0; j < 256; j += 5) {
      const wanted = Math.exp(-Math.LN2 * (i / 256 + j / 65536));
      assert.ok(Math.abs((T1[i]! * T2[j]!) / 2 ** 52 / wanted - 1) < 1e-6);
    }
  }
});

test("e^−x has the error of a power with 16 fraction bits up to the cut at 20, and never rises", () => {
  let previous = 2n ** 30n;
  for (let x = 0; x <= 21 * 2 ** 16; x += 37) {
    const value = exponential(x);
    assert.ok(value <= previous && value > 0n);
    previous = value;
    const exact = Math.min(x / 2 ** 16, 20);
    // The power is cut at 2^−16 (1.06e-5 of the value), log2 e is 4.9e-6 too small, EXP itself is cut at 2^−30.
    const error = Math.exp(-exact) * (1.07e-5 + 5e-6 * exact) + 2 ** -30;
    assert.ok(Math.abs(Number(value) / 2 ** 30 - Math.exp(-exact)) < error);
  }
  assert.equal(exponential(0), 2n ** 30n);
  assert.equal(exponential(20 * 2 ** 16), exponential(2 ** 32 - 2));
});

test("softmax gradients are probabilities minus one-hot labels to 2^-15", () => {
  const logits = [1.5, -0.25, 3, 0];
  const z: Tensor = {
    layout: layoutOf("I32", [1, 4]),
    exponent: -16,
    mantissas: Int32Array.from(logits, (value) => value * 2 ** 16),
  };
  const max = evaluateNode(
    context,
    { opcode: "ROW_MAX", inputs: [0], output: layoutOf("I32", [1]), attributes: {} },
    [z],
  );
  const e = evaluateNode(
    context,
    { opcode: "EXP", inputs: [0, 1], output: layoutOf("U32", [1, 4]), attributes: {} },
    [z, max],
  );
  const sum = evaluateNode(
    context,
    { opcode: "ROW_SUM", inputs: [0], output: layoutOf("I64", [1]), attributes: { flags: 0, exponent: 0 } },
    [e],
  );
  const label: Tensor = { layout: layoutOf("U8", [1]), exponent: 0, mantissas: Uint8Array.of(1) };
  const gradient = evaluateNode(
    { bits: 16, microBatch: 1 },
    {
      opcode: "SOFTMAX_GRAD",
      inputs: [0, 1, 2],
      output: layoutOf("I16", [1, 4]),
      attributes: { flags: 0, probabilityBits: 15 },
    },
    [e, sum, label],
  );
  const total = logits.reduce((partial, value) => partial + Math.exp(value), 0);
  assert.equal(gradient.exponent, -15);
  for (const [k, value] of logits.entries()) {
    const wanted = Math.exp(value) / total - (k === 1 ? 1 : 0);
    assert.ok(Math.abs(gradient.mantissas[k]! / 2 ** 15 - wanted) < 2 ** -15);
  }
});

const shapes = [
  { n: 2, h: 5, w: 4, c: 4, o: 6, kh: 3, kw: 2, sh: 1, sw: 1, pads: [1, 0, 1, 1], groups: 1 },
  { n: 1, h: 6, w: 7, c: 4, o: 2, kh: 3, kw: 3, sh: 2, sw: 3, pads: [0, 2, 1, 0], groups: 2 },
  { n: 2, h: 4, w: 4, c: 3, o: 3, kh: 2, kw: 2, sh: 3, sw: 1, pads: [1, 1, 0, 0], groups: 3 },
] as const;

for (const [i, { n, h, w, c, o, kh, kw, sh, sw, pads, groups }] of shapes.entries()) {
  const [padTop, padLeft, padBottom, padRight] = pads;
  const oh = Math.floor((h + padTop + padBottom - kh) / sh) + 1;
  const ow = Math.floor((w + padLeft + padRight - kw) / sw) + 1;
  const window = { strideH: sh, strideW: sw, padTop, padLeft, padBottom, padRight };
  const random = new Random(i, "adjoint");
  const x = small(random, layoutOf("I16", [n, h, w, c]));
  const weights = small(random, layoutOf("I16", [o, kh, kw, c / groups], 3));
  const d = small(random, layoutOf("I16", [n, oh, ow, o]));
  const attributes = { flags: 0, exponent: 0, ...window, groups, pool: 1 };
  const forward = accumulators(
    { opcode: "CONV", inputs: [0, 1], output: layoutOf("I16", [n, oh, ow, o]), attributes },
    [x, weights],
  );

  test(`convolution ${i} agrees with a padded copy of the image in floating point`, () => {
    const padded = new Float64Array(n * (h + padTop + padBottom) * (w + padLeft + padRight) * c);
    const [tall, wide] = [h + padTop + padBottom, w + padLeft + padRight];
    for (let at = 0; at < x.mantissas.length; at++) {
      const [channel, pixel] = [at % c, Math.floor(at / c)];
      const [column, line] = [pixel % w, Math.floor(pixel / w)];
      const [row, sample] = [line % h, Math.floor(line / h)];
      padded[((sample * tall + row + padTop) * wide + column + padLeft) * c + channel] = x.mantissas[at]!;
    }
    const wanted: bigint[] = [];
    for (let sample = 0; sample < n; sample++)
      for (let y = 0; y < oh; y++)
        for (let column = 0; column < ow; column++)
          for (let output = 0; output < o; output++) {
            let sum = 0;
            const group = Math.floor(output / (o / groups));
            for (let channel = 0; channel < c / groups; channel++)
              for (let p = 0; p < kh; p++)
                for (let q = 0; q < kw; q++)
                  sum +=
                    padded[
                      ((sample * tall + y * sh + p) * wide + column * sw + q) * c +
                        (group * c) / groups +
                        channel
                    ]! * weights.mantissas[((output * kh + p) * kw + q) * (c / groups) + channel]!;
            wanted.push(BigInt(sum));
          }
    assert.deepEqual(forward, wanted);
  });

  test(`the gradients of convolution ${i} are its adjoints: ⟨conv(x, w), d⟩ = ⟨x, dX⟩ = ⟨w, dW⟩`, () => {
    const turned = transposed(weights, [groups, o / groups, kh * kw, c / groups], [0, 3, 2, 1], 2);
    const backwards = { ...turned, layout: layoutOf("I16", [c, kh, kw, o / groups], 3) };
    const inputGradient = accumulators(
      {
        opcode: "CONV_INPUT_GRAD",
        inputs: [0, 1],
        output: layoutOf("I16", [n, h, w, c]),
        attributes: { flags: 0, exponent: 0, ...window, groups },
      },
      [d, backwards],
    );
    const weightGradient = accumulators(
      {
        opcode: "CONV_WEIGHT_GRAD",
        inputs: [0, 1],
        output: layoutOf("I32", [o, kh, kw, c / groups], 3),
        attributes: { exponent: 0, ...window, groups },
      },
      [transposed(x, [n, h, w, c], [3, 0, 1, 2], 2), transposed(d, [n, oh, ow, o], [3, 0, 1, 2], 2)],
    );
    const product = dot(forward, d);
    assert.notEqual(product, 0n);
    assert.equal(dot(inputGradient, x), product);
    assert.equal(dot(weightGradient, weights), product);
  });

  test(`the gradients of pools over the windows of ${i} are adjoints of the pools`, () => {
    const pool = { kernelH: kh, kernelW: kw, ...window };
    const image = layoutOf("I16", [n, h, w, c]);
    const pooled = layoutOf("I16", [n, oh, ow, c]);
    const gradient = small(random, pooled);
    const largest = accumulators({ opcode: "MAX_POOL", inputs: [0], output: pooled, attributes: pool }, [x]);
    const index = evaluateNode(
      context,
      { opcode: "MAX_POOL_INDEX", inputs: [0], output: layoutOf("U8", [n, oh, ow, c]), attributes: pool },
      [x],
    );
    const routed = accumulators(
      { opcode: "MAX_POOL_GRAD", inputs: [0, 1], output: image, attributes: { flags: 0, ...pool } },
      [gradient, index],
    );
    assert.equal(dot(routed, x), dot(largest, gradient));
    // Both averages are divided by the same number; with a power of two their accumulators stay sums.
    if (kh * kw !== 4) return;
    const mean = accumulators({ opcode: "AVERAGE_POOL", inputs: [0], output: pooled, attributes: pool }, [x]);
    const spread = accumulators(
      { opcode: "AVERAGE_POOL_GRAD", inputs: [0], output: image, attributes: { flags: 0, ...pool } },
      [gradient],
    );
    assert.equal(dot(spread, x), dot(mean, gradient));
  });
}

test("pooling a convolution's sums is the convolution, then the pool, then relu", () => {
  const random = new Random(5, "fused");
  const x = small(random, layoutOf("I16", [2, 7, 6, 2]));
  const weights = small(random, layoutOf("I16", [3, 2, 2, 2], 3));
  const bias = tensorOf(random, layoutOf("I32", [3]), -28);
  const window = { strideH: 1, strideW: 1, padTop: 0, padLeft: 0, padBottom: 0, padRight: 0 };
  const attributes = { flags: 1 | 4, exponent: 0, ...window, groups: 1, pool: 2 };
  const inputs = [x, weights, bias];
  const output = layoutOf("I16", [2, 3, 2, 3]);
  const fused = accumulators({ opcode: "CONV", inputs: [0, 1, 2], output, attributes }, inputs);
  const index = accumulators(
    { opcode: "CONV_POOL_INDEX", inputs: [0, 1, 2], output: layoutOf("U8", [2, 3, 2, 3]), attributes },
    inputs,
  );
  const plain = accumulators(
    {
      opcode: "CONV",
      inputs: [0, 1, 2],
      output: layoutOf("I16", [2, 6, 5, 3]),
      attributes: { ...attributes, flags: 1, pool: 1 },
    },
    inputs,
  );
  for (const [i, value] of fused.entries()) {
    const [o, column, row, n] = [i % 3, Math.floor(i / 3) % 2, Math.floor(i / 6) % 3, Math.floor(i / 18)];
    const block = [0, 1, 2, 3].map(
      (k) => plain[((n * 6 + row * 2 + (k >> 1)) * 5 + column * 2 + (k & 1)) * 3 + o]!,
    );
    const best = block.reduce((a, b) => (b > a ? b : a));
    assert.equal(value, best > 0n ? best : 0n);
    assert.equal(index[i], BigInt(block.indexOf(best)));
  }
});

test("terms whose exponents are far apart meet 20 bits below the highest, whatever the weights", () => {
  const one = (mantissa: number, exponent: number): Tensor => ({
    layout: layoutOf("I16", [1]),
    exponent,
    mantissas: Int16Array.of(mantissa),
  });
  const sum = (terms: Tensor[]) =>
    elementOf(
      context,
      {
        opcode: "ADD",
        inputs: terms.map((_, i) => i),
        output: layoutOf("I16", [1]),
        attributes: { flags: 0 },
      },
      terms.map(readerOf),
      0,
    );
  assert.deepEqual(sum([one(3, 20), one(5, 0)]), { accumulator: 3n * 2n ** 20n + 5n, exponent: 0 });
  assert.deepEqual(sum([one(3, 21), one(5, 0)]), { accumulator: 3n * 2n ** 20n + 3n, exponent: 1 });
  assert.deepEqual(sum([one(3, 21), one(-5, 0)]), { accumulator: 3n * 2n ** 20n - 2n, exponent: 1 });
  assert.deepEqual(sum([one(32767, 500), one(-32767, -500)]).accumulator, 32767n * 2n ** 20n);
  // Zero mantissas have an exponent as others have, and it counts.
  assert.deepEqual(sum([one(0, 100), one(5, 0)]), { accumulator: 0n, exponent: 80 });
});
