import type { InferenceSession, Tensor } from "onnxruntime-node";
import { BadInputError } from "../../core/errors.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { type Evaluation, evaluationOf, microBatchesOf, type Samples } from "./evaluate.ts";
import { addTallies, scoreOutputs, type Tally } from "./score.ts";
import { readRaw } from "./target.ts";

/** ONNX Runtime's JavaScript API, native or WASM. */
export type FloatRuntime = {
  readonly InferenceSession: Pick<typeof InferenceSession, "create">;
  readonly Tensor: typeof Tensor;
};

/** Encodings' bytes, by code. */
const encodingBytes = [1, 1, 2, 4] as const;

/**
 * Scores an exported model in float32, for comparison with the exact format.
 *
 * @param onnx the file's bytes
 */
export async function evaluateFloat(
  { InferenceSession, Tensor }: FloatRuntime,
  onnx: Uint8Array,
  program: Program,
  samples: Samples,
): Promise<Evaluation> {
  const session = await InferenceSession.create(onnx, { executionProviders: ["cpu"] });
  try {
    const [inputName] = session.inputNames;
    const [outputName] = session.outputNames;
    const metadata = session.inputMetadata[0];
    if (inputName === undefined || outputName === undefined || metadata?.isTensor !== true) {
      throw new BadInputError("The exported model has no input or no output.");
    }
    const shape = metadata.shape.slice(1).map(Number);
    let total: Tally | undefined;
    for await (const { objects, rows } of microBatchesOf(samples, program.microBatch)) {
      const values = floatInput(program, objects, samples.source.objectBytes);
      const outputs = await session.run({
        [inputName]: new Tensor("float32", values, [program.microBatch, ...shape]),
      });
      const logits = outputs[outputName]!.data as Float32Array;
      const { objectBytes } = samples.source;
      const tally = scoreOutputs(program, { values: logits, scale: 1, objects, objectBytes }, rows);
      total = total === undefined ? tally : addTallies(total, tally);
    }
    return evaluationOf(total!);
  } finally {
    await session.release();
  }
}

/** The samples of a micro-batch as the float32 model takes them: (raw·multiply + add)·2^exponent, as they lie in the objects. */
export function floatInput(program: Program, objects: Uint8Array, objectBytes: number): Float32Array {
  const node = program.tapes[0].find(({ opcode }, index) => opcode === "INPUT" && index !== program.target);
  if (node?.opcode !== "INPUT") throw new BadInputError("The program reads no samples.");
  const { offset, encoding, multiply, add, exponent } = node.attributes;
  const width = node.output.shape.reduce((product, side) => product * side, 1) / program.microBatch;
  const view = new DataView(objects.buffer, objects.byteOffset, objects.length);
  const values = new Float32Array(width * program.microBatch);
  for (let row = 0; row < program.microBatch; row++) {
    for (let i = 0; i < width; i++) {
      const raw = readRaw(view, row * objectBytes + offset + i * encodingBytes[encoding]!, encoding);
      values[row * width + i] = (raw * multiply + add) * 2 ** exponent;
    }
  }
  return values;
}
