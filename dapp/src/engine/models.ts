import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { samplesOf } from "../../../keepers/src/core/exact/order.ts";
import { elementsOf } from "../../../keepers/src/core/exact/packing.ts";
import { decodeState } from "../../../keepers/src/core/exact/result-files.ts";
import type { Program, TapeNode } from "../../../keepers/src/core/exact/tape/types.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import {
  allSamples,
  type Evaluation,
  evaluateExact,
  type Samples,
} from "../../../keepers/src/training/evaluate/evaluate.ts";
import { classAt, labelField } from "../../../keepers/src/training/evaluate/target.ts";
import type { Executor } from "../../../keepers/src/training/executors/types.ts";
import { exportModel } from "../../../keepers/src/training/export/export.ts";
import { writeOnnx } from "../../../keepers/src/training/onnx/write.ts";
import { stateRootOf } from "../../../keepers/src/training/trace/commitments.ts";
import type { EvaluateInput, OpenModel, OpenModelInput, Prediction, Sample } from "./methods.ts";
import { openProgram } from "./program.ts";
import type { CallContext } from "./protocol.ts";
import { executor } from "./runtime.ts";
import { breathe } from "./serve.ts";

type Opened = {
  readonly job: JobProgram;
  readonly state: readonly Int32Array[];
  readonly input: InputNode;
  /** The objects of its job, where they are at hand. */
  readonly objects: Uint8Array | undefined;
};
type InputNode = TapeNode<"INPUT">;

/** The most that a raw number of each encoding is: u8, i8, i16, i32. */
const largest = [255, 127, 32_767, 2 ** 31 - 1] as const;

/** Trained models that samples are given to. */
export class OpenModels {
  readonly #models = new Map<number, Opened>();
  #next = 1;

  /** @throws OrderRefusedError, BadInputError for a program or a state that is not the one that is named */
  async open(input: OpenModelInput, { signal }: CallContext): Promise<OpenModel> {
    const job = await openProgram(input);
    signal.throwIfAborted();
    const { program } = job.compiled;
    const state = decodeState(program, input.state);
    const stateRoot = stateRootOf(program, state);
    if (input.stateRoot !== undefined && input.stateRoot !== stateRoot) {
      throw new BadInputError(`The state has the root ${stateRoot}, not ${input.stateRoot}.`, {
        next: "Fetch it again, from another holder.",
      });
    }
    return this.add(job, state);
  }

  /** Opens a model whose state was checked. */
  add(job: JobProgram, state: readonly Int32Array[], objects?: Uint8Array): OpenModel {
    const { program } = job.compiled;
    const node = inputOf(program);
    const model = this.#next++;
    this.#models.set(model, { job, state, input: node, objects });
    const { shape, layout } = job.package.input;
    const outputs = program.tapes[0][program.witness]!.output.shape;
    return {
      model,
      stateRoot: stateRootOf(program, state),
      objectBytes: job.order.objectBytes,
      shape,
      layout,
      side: sideOf(job, node),
      fullScale: fullScaleOf(node),
      outputs: elementsOf(outputs) / program.microBatch,
      validation: samplesOf(job.order).validationCount,
    };
  }

  /** @throws BadInputError for objects of another size, or a model that is not open */
  async evaluate(
    { model, objects: given, samples: wanted }: EvaluateInput,
    { signal, progress }: CallContext,
  ): Promise<Evaluation> {
    const { job, state, objects: own } = this.#opened(model);
    const { order, compiled, options } = job;
    const objects = given ?? own;
    if (objects === undefined) throw new BadInputError("There are no samples to score the model on.");
    if (objects.length === 0 || objects.length % order.objectBytes !== 0)
      throw new BadInputError(`${objects.length} bytes are no objects of ${order.objectBytes} bytes.`);
    const source = new MemoryObjects("the samples", order.objectBytes, objects);
    const samples = wanted === "all" ? allSamples(source) : keptApart(job, source);
    let done = 0;
    const paced: Executor = {
      ...executor,
      async predict(...given) {
        await breathe(signal);
        const witness = await executor.predict(...given);
        done = Math.min(samples.count, done + compiled.program.microBatch);
        progress({ stage: "computing", done, total: samples.count, unit: "samples" });
        return witness;
      },
    };
    return await evaluateExact(paced, compiled.program, state, samples, options);
  }

  /** What the model says of one sample. @throws BadInputError for another number of pixels, or a model that is not open */
  async predict({ model, pixels }: { model: number; pixels: Uint8Array }): Promise<Prediction> {
    const { job, state, input } = this.#opened(model);
    const { program } = job.compiled;
    const object = objectOf(input, pixels, elementsOf(job.package.input.shape), job.order.objectBytes);
    const objects = new Uint8Array(program.microBatch * object.length);
    for (let row = 0; row < program.microBatch; row++) objects.set(object, row * object.length);
    const witness = await executor.predict(program, state, objects, job.options);
    const mantissas = Array.from(
      witness.mantissas.subarray(0, witness.mantissas.length / program.microBatch),
    );
    const most = Math.max(...mantissas);
    const weights = mantissas.map((mantissa) => Math.exp((mantissa - most) * 2 ** witness.exponent));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return {
      found: mantissas.indexOf(most),
      mantissas,
      exponent: witness.exponent,
      probabilities: weights.map((weight) => weight / sum),
    };
  }

  /** A sample that the order of a fetched job keeps apart. @throws BadInputError when there is none */
  async readSample({ model, sample }: { model: number; sample: number }): Promise<Sample> {
    const { job, objects, input } = this.#opened(model);
    const { validationCount, validation } = samplesOf(job.order);
    if (objects === undefined || !Number.isInteger(sample) || sample < 0 || sample >= validationCount)
      throw new BadInputError(
        `There is no sample ${sample} of ${objects === undefined ? 0 : validationCount}.`,
      );
    const { objectBytes } = job.order;
    const at = validation(sample) * objectBytes;
    const first = at + input.attributes.offset;
    const field = labelField(job.compiled.program);
    return {
      pixels: objects.slice(first, first + elementsOf(job.package.input.shape)),
      label: field && classAt(field, objects, at),
    };
  }

  /** The bytes of an ONNX file: the forward model with its trained weights in float32, as `assay job fetch` writes it. */
  async export({ model }: { model: number }): Promise<Uint8Array> {
    const { job, state } = this.#opened(model);
    return writeOnnx(exportModel(job.compiled, state));
  }

  async close({ model }: { model: number }): Promise<undefined> {
    this.#models.delete(model);
  }

  #opened(model: number): Opened {
    const opened = this.#models.get(model);
    if (opened === undefined) throw new BadInputError(`There is no open model ${model}.`);
    return opened;
  }
}

/** The samples that an order keeps apart from training. */
function keptApart({ order }: JobProgram, source: MemoryObjects): Samples {
  if (source.count !== order.objects)
    throw new BadInputError(`There are ${source.count} objects; the order names ${order.objects}.`);
  const samples = samplesOf(order);
  if (samples.validationCount === 0)
    throw new BadInputError("The order keeps no samples apart from training.", {
      next: "Evaluate on all samples, or on another dataset.",
    });
  return { source, count: samples.validationCount, index: (i) => samples.validation(i) };
}

function inputOf({ tapes, target }: Program): InputNode {
  const node = tapes[0].find(({ opcode }, index) => opcode === "INPUT" && index !== target);
  if (node?.opcode !== "INPUT") throw new BadInputError("The program reads no samples.");
  return node;
}

/** Pixels along a side of a sample that is one square grey image of bytes. */
function sideOf({ package: { input } }: JobProgram, { attributes }: InputNode): number | undefined {
  const side = Math.sqrt(elementsOf(input.shape));
  const isGrey = input.shape.length === 1 || input.shape.filter((size) => size === side).length === 2;
  return attributes.encoding === 0 && isGrey && Number.isInteger(side) && side > 1 ? side : undefined;
}

/** The raw number that comes nearest to the value 1. */
function fullScaleOf({ attributes: { multiply, add, exponent, encoding } }: InputNode): number {
  const raw = Math.round((2 ** -exponent - add) / multiply);
  return Math.max(1, Math.min(raw, largest[encoding]!));
}

/** An object that holds these raw numbers where the program reads its sample, and zeros elsewhere. */
function objectOf(
  { attributes: { offset, encoding } }: InputNode,
  pixels: Uint8Array,
  expected: number,
  objectBytes: number,
): Uint8Array {
  if (pixels.length !== expected)
    throw new BadInputError(`A sample of this model has ${expected} numbers, not ${pixels.length}.`);
  const object = new Uint8Array(objectBytes);
  const view = new DataView(object.buffer);
  for (const [i, pixel] of pixels.entries()) {
    if (encoding === 0) view.setUint8(offset + i, pixel);
    else if (encoding === 1) view.setInt8(offset + i, pixel);
    else if (encoding === 2) view.setInt16(offset + 2 * i, pixel, true);
    else view.setInt32(offset + 4 * i, pixel, true);
  }
  return object;
}
