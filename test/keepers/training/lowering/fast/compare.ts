import assert from "node:assert/strict";
import * as ort from "onnxruntime-node";
import { runStep } from "../../../../../keepers/src/core/exact/ops/step.ts";
import type { Program } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { type FastGraph, fastNames } from "../../../../../keepers/src/training/lowering/fast/lower-fast.ts";
import { elementCount } from "../../../../../keepers/src/training/onnx/types.ts";
import { writeOnnx } from "../../../../../keepers/src/training/onnx/write.ts";

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomSource(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Magnitudes = (slot: number) => number;

/** Integers within ±magnitude of each slot. */
export function randomState(program: Program, random: () => number, magnitude: Magnitudes): Int32Array[] {
  return program.state.map(({ layout }, slot) =>
    Int32Array.from({ length: elementCount(layout.shape) }, () =>
      Math.round((2 * random() - 1) * magnitude(slot)),
    ),
  );
}

export type Engine = { threads: number; optimization: "all" | "basic" | "disabled" };

export type Run = { state: Int32Array[]; witnesses: (readonly number[])[]; exponents: number[] };

/** Steps in onnxruntime-node, as many in one run as the graph takes. */
export async function runFast(
  graph: FastGraph,
  state: readonly Int32Array[],
  steps: readonly { objects: Uint8Array; learningRate: number }[],
  dims: readonly [number, number],
  perRun: number,
  { threads, optimization }: Engine = { threads: 1, optimization: "all" },
): Promise<Run> {
  const session = await ort.InferenceSession.create(writeOnnx(graph.model), {
    executionMode: "sequential",
    graphOptimizationLevel: optimization,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    let feeds = Object.fromEntries(
      Object.entries(graph.pack(state)).map(([name, { data, dims }]) => [
        name,
        new ort.Tensor("float64", data, dims),
      ]),
    );
    const run: Run = { state: [], witnesses: [], exponents: [] };
    for (let at = 0; at < steps.length; at += perRun) {
      const part = steps.slice(at, at + perRun);
      const objects = Uint8Array.from(part.flatMap((step) => [...step.objects]));
      const rates = Float64Array.from(part, ({ learningRate }) => learningRate);
      const outputs = await session.run({
        ...feeds,
        [fastNames.objects]: new ort.Tensor("uint8", objects, [part.length, ...dims]),
        [fastNames.learningRates]: new ort.Tensor("float64", rates, [part.length]),
      });
      feeds = Object.fromEntries(
        graph.stateNames.map((name) => [name, outputs[fastNames.next(name)] as ort.TypedTensor<"float64">]),
      );
      const witnesses = graph.witnesses(
        outputs[fastNames.witness]!.data as Float64Array,
        outputs[fastNames.witnessExponent]!.data as BigInt64Array,
      );
      for (const { mantissas, exponent } of witnesses) {
        run.witnesses.push([...mantissas]);
        run.exponents.push(exponent);
      }
    }
    run.state = graph.unpack(
      Object.fromEntries(graph.stateNames.map((name) => [name, feeds[name]!.data as Float64Array])),
    );
    return run;
  } finally {
    await session.release();
  }
}

/** The same steps by the definition. */
export function runReference(
  program: Program,
  state: readonly Int32Array[],
  steps: readonly { objects: Uint8Array; learningRate: number }[],
  objectBytes: number,
): Run {
  const run: Run = { state: [...state] as Int32Array[], witnesses: [], exponents: [] };
  for (const { objects, learningRate } of steps) {
    const result = runStep({ program, state: run.state, objects, objectBytes, learningRate });
    run.state = result.state;
    const witness = result.microBatches.at(-1)![program.witness]!;
    run.witnesses.push([...witness.mantissas]);
    run.exponents.push(witness.exponent);
  }
  return run;
}

/** Fails with the first slot that differs. */
export function assertSameRun(program: Program, actual: Run, expected: Run): void {
  assert.deepEqual(actual.exponents, expected.exponents, "exponents of the witness");
  assert.deepEqual(actual.witnesses, expected.witnesses, "witness");
  for (const [slot, { name }] of program.state.entries()) {
    assert.deepEqual(actual.state[slot], expected.state[slot], `slot ${slot} (${name})`);
  }
}
