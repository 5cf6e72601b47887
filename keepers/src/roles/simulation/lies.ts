import type { TapeNode, Tensor } from "../../core/exact/tape/types.ts";
import { nodeAt } from "../../training/trace/place.ts";
import type { Dice } from "./dice.ts";
import type { TinyJob } from "./tiny-job.ts";
import type { Departure } from "./told-run.ts";

/** In what a run departs from what was ordered. */
export const lieKinds = [
  "element",
  "exponent",
  "zeros",
  "noise",
  "range",
  "state",
  "skip",
  "rate",
  "samples",
  "program",
  "root",
  "result",
  "witness",
  "hidden",
] as const;
export type LieKind = (typeof lieKinds)[number];

/** A lie, in words and as a departure; several may be told at once. */
export type Lie = {
  readonly kind: LieKind;
  /** The first step that is not right. */
  readonly step: number;
  /** Opcode of the node that is lied about, where it is one. */
  readonly opcode: string | undefined;
  readonly departure: Departure;
};

/** A lie of any kind about any step, node and element. */
export function anyLie(job: TinyJob, dice: Dice): Lie {
  const kind = dice.pick(lieKinds);
  const step = dice.int(0, job.order.steps - 1);
  const place = dice.int(0, job.places.length - 1);
  const lie = (departure: Departure, opcode?: string): Lie => ({ kind, step, opcode, departure });
  const inTensor = (change: (right: Tensor) => Tensor): Lie =>
    lie(
      { tensor: (at, number, right) => (at === step && number === place ? change(right) : right) },
      nodeAt(job.program, job.places[place]!).opcode,
    );
  const someHash = dice.hash();
  switch (kind) {
    case "element":
      return inTensor(withElement(dice));
    case "exponent":
      return inTensor(withExponent(dice));
    case "zeros":
      return inTensor((right) => ({ ...right, mantissas: right.mantissas.slice().fill(0) }));
    case "noise":
      return inTensor(withNoise(dice));
    case "range":
      return inTensor(outOfRange(dice));
    case "state":
      return lie({ state: (at, stored) => (at === step ? withBit(stored, dice.apart("bit")) : stored) });
    case "skip":
      return lie({ state: (at, stored, before) => (at === step ? before : stored) });
    case "rate":
      return lie({ rate: (at, rate) => (at === step ? Math.max(1, 2 * rate - 1) % 65_536 : rate) });
    case "samples": {
      const shift = dice.int(1, job.objects.length - 1);
      return lie({ object: (at, index) => (at === step ? (index + shift) % job.objects.length : index) });
    }
    case "program":
      return lie({ node: (at, _, node) => (at === step ? otherMomentum(node) : node) }, "SGD_MOMENTUM");
    case "root":
      return lie({ root: (steps, root) => (steps === step + 1 ? someHash : root) });
    case "result": {
      const last = job.order.steps;
      return { ...lie({ root: (steps, root) => (steps === last ? someHash : root) }), step: last - 1 };
    }
    case "witness":
      return lie({ witness: (at, witness) => (at === step ? someHash : witness) });
    case "hidden": {
      const interval = Math.floor(step / job.order.interval);
      return lie({ hidden: (at, h) => (at === interval ? someHash : h) });
    }
  }
}

/** Several lies told in one run: each where the ones before it leave off. */
export function togetherOf(lies: readonly Lie[]): { departure: Departure; first: number } {
  const departures = lies.map(({ departure }) => departure);
  const first = Math.min(...lies.map(({ step }) => step));
  return {
    first,
    departure: {
      tensor: (step, place, right) =>
        departures.reduce((now, d) => d.tensor?.(step, place, now) ?? now, right),
      node: (step, place, node) => departures.reduce((now, d) => d.node?.(step, place, now) ?? now, node),
      rate: (step, rate) => departures.reduce((now, d) => d.rate?.(step, now) ?? now, rate),
      object: (step, index) => departures.reduce((now, d) => d.object?.(step, now) ?? now, index),
      state: (step, stored, before) =>
        departures.reduce<Int32Array[]>((now, d) => [...(d.state?.(step, now, before) ?? now)], stored),
      root: (steps, root) => departures.reduce((now, d) => d.root?.(steps, now) ?? now, root),
      witness: (step, witness) => departures.reduce((now, d) => d.witness?.(step, now) ?? now, witness),
      hidden: (interval, h) => departures.reduce((now, d) => d.hidden?.(interval, now) ?? now, h),
    },
  };
}

function withElement(dice: Dice): (right: Tensor) => Tensor {
  const [at, how] = [dice.int(0, 2 ** 31 - 1), dice.int(0, 3)];
  return (right) => {
    const mantissas = right.mantissas.slice();
    const element = at % mantissas.length;
    const value = mantissas[element]!;
    if (how === 0) mantissas[element] = value === 0 ? 1 : -value;
    else if (how === 1) mantissas[element] = value > 0 ? value - 1 : value + 1;
    else if (how === 2) mantissas[element] = Math.trunc(value / 2) === value ? 1 : Math.trunc(value / 2);
    else mantissas[element] = value === 0 ? 1 : 0;
    return { ...right, mantissas };
  };
}

function withExponent(dice: Dice): (right: Tensor) => Tensor {
  const delta = dice.pick([-3, -1, 1, 4]);
  return (right) => ({ ...right, exponent: right.exponent + delta });
}

function withNoise(dice: Dice): (right: Tensor) => Tensor {
  const own = dice.apart("noise");
  return (right) => {
    const mantissas = right.mantissas.slice();
    for (let i = 0; i < mantissas.length; i++) {
      mantissas[i] =
        right.layout.dtype === "U8" || right.layout.dtype === "U32" ? own.int(0, 9) : own.int(-9, 9);
    }
    return { ...right, mantissas };
  };
}

/** The lowest number that fits the bytes, which no tensor but a few may hold. */
function outOfRange(dice: Dice): (right: Tensor) => Tensor {
  const at = dice.int(0, 2 ** 31 - 1);
  return (right) => {
    const mantissas = right.mantissas.slice();
    const lowest: Record<string, number> = { I8: -128, I16: -32_768, I32: -(2 ** 31), I64: -(2 ** 53) };
    mantissas[at % mantissas.length] = lowest[right.layout.dtype] ?? 0;
    return { ...right, mantissas };
  };
}

function withBit(stored: Int32Array[], dice: Dice): Int32Array[] {
  const slot = dice.int(0, stored.length - 1);
  return stored.map((values, i) => {
    if (i !== slot) return values;
    const flipped = values.slice();
    const element = dice.int(0, flipped.length - 1);
    flipped[element] = flipped[element]! ^ (1 << dice.int(0, 20));
    return flipped;
  });
}

function otherMomentum(node: TapeNode): TapeNode {
  if (node.opcode !== "SGD_MOMENTUM") return node;
  return { ...node, attributes: { ...node.attributes, momentum: node.attributes.momentum - 1 } };
}
