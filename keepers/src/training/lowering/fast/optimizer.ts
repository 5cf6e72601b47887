import { type Program, spaces, type TapeNode } from "../../../core/exact/tape/types.ts";
import { elementCount } from "../../onnx/types.ts";
import type { Emitter, Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";

/**
 * Weights that one rule updates: their integers, momenta and gradients lie one after another in flat vectors. A large slot
 * is a group of its own, as joining and dividing vectors costs passes over them.
 */
export type OptimizerGroup = {
  readonly momentum: number;
  readonly momentumShift: number;
  readonly weightDecay: number;
  readonly weightDecayShift: number;
  readonly learningRateShift: number;
  /** Slots of the state, in the order in which they lie. */
  readonly weights: readonly number[];
  readonly momenta: readonly number[];
  readonly gradients: readonly number[];
};

const saturation = 2 ** 31 - 1;
/** Elements from which two passes over a slot cost more than the nodes of a group of its own. */
const largeSlot = 2 ** 13;

/**
 * The groups of a program whose optimiser tape is SGD with momentum slot by slot; weights that it leaves alone are in no
 * group.
 */
export function optimizerGroups(program: Program): OptimizerGroup[] {
  const [, reduction, tape] = program.tapes;
  checkReduction(program, reduction);
  const groups = new Map<string, { -readonly [K in keyof OptimizerGroup]: OptimizerGroup[K] }>();
  const stored = new Map<number, number>();
  for (const node of tape) {
    if (node.opcode !== "STORE") continue;
    if (node.attributes.space !== spaces.state || stored.has(node.attributes.slot))
      throw new NoFastRule("an optimiser tape that stores a slot twice, or no state");
    stored.set(node.attributes.slot, node.inputs[0]!);
  }
  // Gradients of matrices come rounded, all others are rounded together: so each kind stands together.
  const kind = (slot: number) => Number(program.state[slot]!.layout.shape.length !== 2);
  for (const [slot, at] of [...stored].sort(([a], [b]) => kind(a) - kind(b) || a - b)) {
    const update = tape[at]!;
    if (update.opcode === "SGD_MOMENTUM") continue;
    if (update.opcode !== "SGD_WEIGHT") throw new NoFastRule("an optimiser other than SGD with momentum");
    const [weight, change] = update.inputs.map((input) => tape[input]!);
    if (change!.opcode !== "SGD_MOMENTUM") throw new NoFastRule("a weight updated without momentum");
    const [gradient, before, decayed] = change!.inputs.map((input) => tape[input]!);
    const momentum = loadedSlot(before!, spaces.state);
    if (
      loadedSlot(weight!, spaces.state) !== slot ||
      loadedSlot(decayed!, spaces.state) !== slot ||
      stored.get(momentum) !== update.inputs[1]
    )
      throw new NoFastRule("an update that mixes slots");
    const attributes = { ...change!.attributes, ...update.attributes };
    const size = elementCount(program.state[slot]!.layout.shape);
    const key = JSON.stringify([attributes, size >= largeSlot ? slot : -1]);
    const group = groups.get(key) ?? { ...attributes, weights: [], momenta: [], gradients: [] };
    groups.set(key, {
      ...group,
      weights: [...group.weights, slot],
      momenta: [...group.momenta, momentum],
      gradients: [...group.gradients, loadedSlot(gradient!, spaces.stepGradient)],
    });
  }
  const result = [...groups.values()];
  const updated = result.flatMap(({ weights, momenta }) => [...weights, ...momenta]);
  if (updated.length !== stored.size || new Set(updated).size !== stored.size)
    throw new NoFastRule("a momentum stored without its weight");
  return result;
}

/** Every gradient of a step must be the mean of the same slot's micro-batch gradients. */
function checkReduction(program: Program, tape: readonly TapeNode[]): void {
  const slots = new Set<number>();
  for (const node of tape) {
    if (node.opcode === "ACCUMULATE") continue;
    if (node.opcode !== "STORE") throw new NoFastRule("a reduction other than the mean");
    const source = tape[node.inputs[0]!]!;
    const { space, slot } = node.attributes;
    if (source.opcode !== "ACCUMULATE" || source.attributes.slot !== slot || space !== spaces.stepGradient)
      throw new NoFastRule("a reduction that mixes slots");
    slots.add(slot);
  }
  if (slots.size !== program.gradients.length) throw new NoFastRule("a gradient that is not reduced");
}

function loadedSlot(node: TapeNode, space: number): number {
  if (node.opcode !== "LOAD" || node.attributes.space !== space)
    throw new NoFastRule("an update of something that is no slot");
  return node.attributes.slot;
}

/**
 * Opcodes 26 and 27 on flat float64 integers. Every intermediate is below 2^52: |v·MU| < 2^47, |4·v·LR| < 2^49.
 * @param learningRate LR as a float64 vector of one element
 */
export function updateGroup(
  e: Emitter,
  group: OptimizerGroup,
  { weights, momenta, gradients }: { weights: Value; momenta: Value; gradients: Value },
  learningRate: Value,
): { weights: Value; momenta: Value } {
  const factor = (numerator: number, shift: number) => e.numbers([numerator * 2 ** -shift], "float64");
  const half = (shift: number) => e.numbers([shift > 0 ? 0.5 : 0], "float64");
  let sum = e.add(
    gradients,
    e.floorAffine(momenta, factor(group.momentum, group.momentumShift), half(group.momentumShift)),
  );
  if (group.weightDecay !== 0) {
    const shift = group.weightDecayShift + 2;
    sum = e.add(sum, e.floorAffine(weights, factor(group.weightDecay, shift), half(shift)));
  }
  const next = e.clamp(sum, saturation);
  const rate = e.mul(learningRate, factor(4, group.learningRateShift));
  const step = e.floorAffine(next, rate, half(group.learningRateShift));
  return { momenta: next, weights: e.clamp(e.sub(weights, step), saturation) };
}
