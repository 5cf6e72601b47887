import { bytesToHex } from "viem";
import { programRoot } from "../../core/exact/tape/descriptor.ts";
import { type Program, spaces, type Tensor } from "../../core/exact/tape/types.ts";
import type { Executor, ExecutorOptions, StepInput } from "../executors/types.ts";
import type { Claimant } from "./claimant.ts";
import { RunHasher } from "./commitments.ts";
import { type Judgement, judgeOpening } from "./judge.ts";
import { type ElementOpening, openElement } from "./opening.ts";
import { type Place, placesOf, tensorAt } from "./place.ts";
import { traceStep } from "./trace-step.ts";

/** The first element in which a claim and the own execution differ. */
export type WrongElement = {
  readonly place: Place;
  /** The state slot that the tensor becomes, where it becomes one. */
  readonly slot?: string;
  readonly element: number;
  readonly claimed: { readonly mantissa: number; readonly exponent: number };
  readonly right: { readonly mantissa: number; readonly exponent: number };
  /** Everything that checks this element, and what the reference says from that alone. */
  readonly opening: ElementOpening;
  readonly judgement: Judgement;
};

/** Where in an interval a claim goes wrong, as far as what the claimant says can tell. */
export type Difference = {
  /** The first wrong step is one of these, counted from 0. */
  readonly firstStep: number;
  readonly lastStep: number;
  /** Present when there is one step and the claimant says what it computed. */
  readonly element?: WrongElement;
};

export type FindParameters = {
  readonly program: Program;
  readonly executor: Executor;
  readonly options: ExecutorOptions;
  readonly claimant: Claimant;
  /** The interval's steps. */
  readonly from: number;
  readonly to: number;
  /** The state before `from`, on which both agree. */
  readonly state: readonly Int32Array[];
  /** What a step reads. */
  readonly input: (step: number) => Promise<StepInput>;
};

/**
 * Finds the first difference between a claim and the own execution of an interval: step by step along the state roots that
 * the claimant says, then node by node through the first wrong step, then the element.
 *
 * @returns undefined when nothing that the claimant says is wrong
 */
export async function findDifference(parameters: FindParameters): Promise<Difference | undefined> {
  const wrong = await findStep(parameters);
  if (wrong === undefined) return undefined;
  const { firstStep, lastStep, state } = wrong;
  if (firstStep !== lastStep) return { firstStep, lastStep };
  const element = await findElement(parameters, firstStep, state);
  return { firstStep, lastStep, element };
}

type WrongSteps = {
  firstStep: number;
  lastStep: number;
  /** Before the first of them. */
  state: readonly Int32Array[];
};

async function findStep(parameters: FindParameters): Promise<WrongSteps | undefined> {
  const { program, executor, options, claimant, from, to, input } = parameters;
  const hasher = new RunHasher(program);
  const session = await executor.open(program, options);
  try {
    let agreed = { step: from, state: parameters.state };
    await session.setState(parameters.state);
    for (let step = from; step < to; step++) {
      const [output] = await session.run([await input(step)]);
      const witness = await claimant.witness(step);
      // A witness comes from the state before its step: when it is wrong, that state is, or the step's own forward pass.
      if (witness !== undefined && witness !== hasher.witness(output!.witness)) {
        return { firstStep: agreed.step, lastStep: step, state: agreed.state };
      }
      const root = await claimant.stateRoot(step);
      if (root === undefined) continue;
      const state = await session.getState();
      if (hasher.state(state) !== root)
        return { firstStep: agreed.step, lastStep: step, state: agreed.state };
      agreed = { step: step + 1, state };
    }
    return undefined;
  } finally {
    await session.close();
  }
}

async function findElement(
  { program, executor, options, claimant, input }: FindParameters,
  step: number,
  state: readonly Int32Array[],
): Promise<WrongElement | undefined> {
  const { objects, learningRate } = await input(step);
  const tensors = await traceStep({ executor, program, options, state, input: { objects, learningRate } });
  for (const place of placesOf(program, options.microBatches)) {
    const claimed = await claimant.tensor(step, place);
    if (claimed === undefined) continue;
    const right = tensorAt(tensors, place);
    const element = firstDifference(claimed, right);
    if (element === undefined) continue;
    const { objectBytes } = options;
    const opening = openElement({
      program,
      place,
      element,
      tensors,
      claimed,
      state,
      objects,
      objectBytes,
      learningRate,
    });
    const nodes = program.tapes.reduce((sum, tape) => sum + tape.length, 0);
    return {
      place,
      slot: slotName(program, place),
      element,
      claimed: { mantissa: claimed.mantissas[element]!, exponent: claimed.exponent },
      right: { mantissa: right.mantissas[element]!, exponent: right.exponent },
      opening,
      judgement: judgeOpening(opening, { programRoot: bytesToHex(programRoot(program)), nodes }),
    };
  }
  return undefined;
}

/**
 * The element that shows two tensors to differ. When an exponent is too small that is the largest: it does not fit.
 */
function firstDifference(claimed: Tensor, right: Tensor): number | undefined {
  if (claimed.exponent < right.exponent) {
    let largest = 0;
    for (let i = 0; i < right.mantissas.length; i++) {
      if (Math.abs(right.mantissas[i]!) > Math.abs(right.mantissas[largest]!)) largest = i;
    }
    return largest;
  }
  const differs = claimed.exponent !== right.exponent;
  for (let i = 0; i < right.mantissas.length; i++) {
    if (claimed.mantissas[i] !== right.mantissas[i]) return i;
  }
  return differs ? 0 : undefined;
}

function slotName(program: Program, place: Place): string | undefined {
  if (place.tape !== 2) return undefined;
  const store = program.tapes[2].find(
    ({ opcode, inputs }, index) => opcode === "STORE" && (index === place.node || inputs[0] === place.node),
  );
  if (store?.opcode !== "STORE" || store.attributes.space !== spaces.state) return undefined;
  return program.state[store.attributes.slot]?.name;
}
