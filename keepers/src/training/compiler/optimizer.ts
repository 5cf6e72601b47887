import { limits } from "../../core/exact/limits.ts";
import { type Layout, spaces, type TapeNode } from "../../core/exact/tape/types.ts";
import { CompileError } from "./errors.ts";
import type { OptimizerSpec } from "./options.ts";

/** Tape 1: the mean of the micro-batches' gradients. */
export function reductionTape(gradients: readonly Layout[]): TapeNode[] {
  return gradients.flatMap((output, slot): TapeNode[] => [
    { opcode: "ACCUMULATE", inputs: [], output, attributes: { slot } },
    { opcode: "STORE", inputs: [2 * slot], output, attributes: { space: spaces.stepGradient, slot } },
  ]);
}

/** Tape 2: SGD with momentum; momenta follow the weights in the state. */
export function optimizerTape(gradients: readonly Layout[], spec: OptimizerSpec): TapeNode[] {
  const {
    momentum,
    momentumShift = 16,
    weightDecay = 0,
    weightDecayShift = 16,
    learningRateShift = 16,
  } = spec;
  for (const [name, value] of Object.entries({ momentum, weightDecay }))
    if (!Number.isInteger(value) || value < 0 || value > limits.factor)
      throw new CompileError(`the optimiser's ${name} is ${value}`, {
        next: `Give an integer from 0 to ${limits.factor}: the factor times 2^16, for instance 58982 for 0.9.`,
      });
  for (const [name, value] of Object.entries({ momentumShift, weightDecayShift, learningRateShift }))
    if (!Number.isInteger(value) || value < 0 || value > limits.factorShift)
      throw new CompileError(`the optimiser's ${name} is ${value}`, {
        next: `Give an integer from 0 to ${limits.factorShift}; 16 is the default.`,
      });
  return gradients.flatMap((output, slot): TapeNode[] => {
    const first = 7 * slot;
    const momentumSlot = gradients.length + slot;
    const state = spaces.state;
    return [
      { opcode: "LOAD", inputs: [], output, attributes: { space: spaces.stepGradient, slot } },
      { opcode: "LOAD", inputs: [], output, attributes: { space: state, slot: momentumSlot } },
      { opcode: "LOAD", inputs: [], output, attributes: { space: state, slot } },
      {
        opcode: "SGD_MOMENTUM",
        inputs: [first, first + 1, first + 2],
        output,
        attributes: { momentum, momentumShift, weightDecay, weightDecayShift },
      },
      { opcode: "STORE", inputs: [first + 3], output, attributes: { space: state, slot: momentumSlot } },
      {
        opcode: "SGD_WEIGHT",
        inputs: [first + 2, first + 3],
        output,
        attributes: { learningRateShift },
      },
      { opcode: "STORE", inputs: [first + 5], output, attributes: { space: state, slot } },
    ];
  });
}
