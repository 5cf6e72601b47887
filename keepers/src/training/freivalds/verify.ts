import type { Tensor as OrtTensor } from "onnxruntime-node";
import { drawVectors, errorBitsOf, mostErrorBits } from "../../core/exact/freivalds/vectors.ts";
import type { Seed } from "../../core/exact/random/philox.ts";
import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import { checkOptions, checkState, checkStep } from "../executors/check.ts";
import { EngineError } from "../executors/errors.ts";
import { nativeEngine } from "../executors/native.ts";
import { type Engine, type Feeds, openGraph, stateFeeds, tapeTensors } from "../executors/ort.ts";
import type { ExecutorOptions, StepInput } from "../executors/types.ts";
import { gradientNodes, lowerUpdate, openNames } from "../lowering/open/lower-open.ts";
import { elementCount } from "../onnx/types.ts";
import { type Refusal, refusal, refuseState, refuseSums, wrongTensor } from "./claims.ts";
import { planChecks } from "./contractions.ts";
import { freivaldsNames, lowerVerification, sumDtype } from "./graphs.ts";
import type { Accumulators, StepClaim, SumArray, Verdict } from "./types.ts";

/** Error of a verification by default: at most 2^−60. */
export const defaultErrorBits = 60;

export type VerifierOptions = ExecutorOptions & {
  /** A wrong step may pass with probability at most 2^−errorBits, 1 to 64; 60 by default. */
  readonly errorBits?: number;
  /** Whether claimed tensors of tape 0 are compared; then every one is put out. */
  readonly tensors?: boolean;
  /** onnxruntime-node by default. */
  readonly engine?: Engine;
};

/** Verifies step after step. */
export type Verifier = {
  /** −log2 of the error that the drawn vectors reach. */
  readonly errorBits: number;
  /**
   * @param seed 32 bytes drawn after the claim was received; never used again
   * @throws BadInputError when state, objects or learning rate, which are the validator's own, have not their form
   */
  verify(
    stateBefore: readonly Int32Array[],
    input: StepInput,
    claim: StepClaim,
    seed: Seed,
  ): Promise<Verdict>;
  /** As `verify`, of a step of which nothing but its sums was handed over: what they make of the state. */
  advance(
    stateBefore: readonly Int32Array[],
    input: StepInput,
    accumulators: Accumulators,
    seed: Seed,
  ): Promise<Advance>;
  close(): Promise<void>;
};

/** A step taken with sums that were handed over. */
export type Advance =
  | {
      readonly ok: true;
      /** One array per slot. */
      readonly state: Int32Array[];
      readonly witness: Tensor;
    }
  | Refusal;

/**
 * Opens the validator's graphs. A step is accepted when every handed-over sum passes Freivalds' check and all else,
 * recomputed from these sums, is as claimed. The first wrong sum has right operands, so what must pass is one check
 * that was wrong before its vectors were drawn: errors of several nodes do not add up, and micro-batches may share
 * their vectors.
 */
export async function openVerifier(program: Program, options: VerifierOptions): Promise<Verifier> {
  checkOptions(program, options);
  const { engine = nativeEngine, objectBytes, microBatches } = options;
  const checks = planChecks(program, options.errorBits ?? defaultErrorBits);
  const sums = checks.map((check) => check.sums);
  const errorBits = Math.min(mostErrorBits, ...checks.map(({ plan }) => errorBitsOf(plan)));
  const gradients = gradientNodes(program);
  const nodes =
    options.tensors === true ? program.tapes[0].map((_, index) => index) : [...gradients, program.witness];
  const layouts = nodes.map((node) => program.tapes[0][node]!.output);
  const session = await openGraph(
    engine,
    lowerVerification(program, checks, { objectBytes, nodes }),
    options,
  );
  const update = await openGraph(engine, lowerUpdate(program, options), options).catch(async (error) => {
    await session.close();
    throw error;
  });
  const { Tensor } = session.runtime;

  /** The tensors of the nodes put out, or the first refusal. */
  const microBatch = async (
    feeds: Feeds,
    claim: Omit<StepClaim, "stateAfter">,
    j: number,
  ): Promise<Refusal | Map<number, Tensor>> => {
    for (const [i, each] of sums.entries()) {
      const values = claim.accumulators[j]![i]!;
      const dtype = sumDtype(each);
      const data = dtype === "int32" ? asInt32(values) : asFloat64(values);
      feeds[freivaldsNames.sums(i)] = new Tensor(dtype, data as Int32Array, each.shape);
    }
    const outputs = await session.run(feeds);
    const tensors = tapeTensors(layouts, nodes, outputs);
    const right = new Map(nodes.map((node, i) => [node, tensors[i]!] as const));
    const failed = sums.find((_, i) => outputs[freivaldsNames.check(i)]!.data[0] !== 0)?.index;
    const claimed = claim.tensors?.[j];
    if (options.tensors === true && claim.tensors !== undefined) {
      for (const node of nodes.slice(0, failed)) {
        const reason = wrongTensor(right.get(node)!, claimed?.[node]);
        if (reason !== undefined) return refusal(program, 0, node, reason, j);
      }
    }
    if (failed === undefined) return right;
    return refusal(program, 0, failed, "the sums are not those of the node's operands", j);
  };

  const next = async (feeds: Feeds, totals: readonly Float64Array[], before: readonly Int32Array[]) => {
    for (const [slot, total] of totals.entries()) {
      feeds[openNames.gradient(slot)] = new Tensor("float64", total, program.gradients[slot]!.shape);
    }
    const outputs: Readonly<Record<string, OrtTensor>> = await update.run(feeds);
    return before.map((values, slot) => (outputs[openNames.next(slot)]?.data ?? values) as Int32Array);
  };

  const compute = async (
    stateBefore: readonly Int32Array[],
    input: StepInput,
    claim: Omit<StepClaim, "stateAfter">,
    seed: Seed,
  ): Promise<Advance> => {
    checkState(program, stateBefore);
    checkStep(program, options, input);
    const refused = refuseSums(program, sums, claim, microBatches);
    if (refused !== undefined) return refused;
    const feeds: Feeds = {};
    for (const [slot, tensor] of stateFeeds(session.runtime, program, stateBefore).entries()) {
      feeds[openNames.state(slot)] = tensor;
    }
    for (const [i, { sums, plan }] of checks.entries()) {
      const entries = drawVectors(seed, sums.index, plan);
      feeds[freivaldsNames.vectors(i)] = new Tensor("float64", entries, [plan.vectors, plan.length]);
    }
    feeds[openNames.learningRate] = new Tensor("float64", Float64Array.of(input.learningRate), []);
    const totals = program.gradients.map(({ shape }) => new Float64Array(elementCount(shape)));
    const batchBytes = program.microBatch * objectBytes;
    try {
      let witness: Tensor | undefined;
      for (let j = 0; j < microBatches; j++) {
        const batch = input.objects.subarray(j * batchBytes, (j + 1) * batchBytes);
        feeds[openNames.objects] = new Tensor("uint8", batch, [program.microBatch, objectBytes]);
        const result = await microBatch(feeds, claim, j);
        if (!(result instanceof Map)) return result;
        for (const [slot, node] of gradients.entries()) add(totals[slot]!, result.get(node)!.mantissas);
        witness = result.get(program.witness);
      }
      return { ok: true, state: await next(feeds, totals, stateBefore), witness: witness! };
    } catch (cause) {
      throw new EngineError(engine.name, "the step could not be verified", { cause });
    }
  };

  return {
    errorBits,
    async verify(stateBefore, input, claim, seed) {
      const step = await compute(stateBefore, input, claim, seed);
      if (!step.ok) return step;
      const refused = refuseState(program, step.state, claim.stateAfter);
      return refused ?? { ok: true, errorBits, witness: step.witness };
    },
    advance: (stateBefore, input, accumulators, seed) => compute(stateBefore, input, { accumulators }, seed),
    async close() {
      await session.close();
      await update.close();
    },
  };
}

/** Arrays of the type that the graph takes, without a copy where they are of it. */
function asInt32(values: SumArray): Int32Array {
  return values instanceof Int32Array ? values : Int32Array.from(values);
}

function asFloat64(values: SumArray): Float64Array {
  return values instanceof Float64Array ? values : Float64Array.from(values);
}

function add(total: Float64Array, terms: Tensor["mantissas"]): void {
  for (let i = 0; i < total.length; i++) total[i]! += terms[i]!;
}

export type VerifyStepParameters = StepClaim &
  StepInput &
  Omit<VerifierOptions, "microBatches" | "tensors"> & {
    readonly program: Program;
    readonly stateBefore: readonly Int32Array[];
    /** 32 bytes drawn after the claim was received; never used again. */
    readonly seed: Seed;
  };

/** Verifies one step; as many micro-batches as `objects` holds. */
export async function verifyStep(parameters: VerifyStepParameters): Promise<Verdict> {
  const { program, stateBefore, objects, learningRate, tensors, accumulators, stateAfter, seed, ...options } =
    parameters;
  const microBatches = objects.length / (program.microBatch * options.objectBytes);
  const verifier = await openVerifier(program, { ...options, microBatches, tensors: tensors !== undefined });
  try {
    const claim = { accumulators, stateAfter, ...(tensors === undefined ? {} : { tensors }) };
    return await verifier.verify(stateBefore, { objects, learningRate }, claim, seed);
  } finally {
    await verifier.close();
  }
}
