import type { WhatWentWrongQuery } from "../../../../subgraph/queries/documents.ts";
import { type HistoryEvent, parametersOf } from "./job-events.ts";

export type Challenge = NonNullable<WhatWentWrongQuery["job"]>["challenges"][number];

/** Interval of a challenge of a whole trace that has none yet. */
const noInterval = String(2n ** 32n - 1n);

/** A part of what is in dispute, by where it lies in the part above. */
export type Level = { readonly label: string; readonly from: number; readonly width: number };

/** Sizes of what a dispute is narrowed down from: of the whole training, one interval, one step, one tensor. */
export type Extent = {
  readonly steps: number;
  /** Steps of an interval. */
  readonly size: number;
  /** Tensors of a step, and leaves of the tensor; 0 where it is not known yet. */
  readonly tensors: number;
  readonly leaves: number;
};

/** What is read of the game's events: structures come as lists of their fields. */
type Said = {
  readonly challengeId: string;
  readonly stage?: string;
  readonly claim?: readonly (string | readonly string[])[];
  readonly position?: readonly string[];
};

/** Places of fields in `TrainingClaim` and `Position` of contracts/disputes/interfaces/IDisputeRules.sol. */
const claimFields = { logMicroBatches: 7, nodeCounts: 8 } as const;
const positionFields = { leaves: 12 } as const;
/** Stages, by their codes, whose position is in a tensor that was named: before them and after them it is in other trees. */
const inTensor = { first: 6, last: 13 } as const;

/** What the events of a dispute say of its extent. */
export function extentOf(
  challenge: string,
  events: readonly HistoryEvent[],
  run: Pick<Extent, "steps" | "size">,
): Extent {
  const own = events
    .filter(({ contract }) => contract === "DisputeGame")
    .map((event) => ({ name: event.name, said: parametersOf<Said>(event) }))
    .filter(({ said }) => said.challengeId === challenge);
  const claim = own.find(({ name }) => name === "Challenged")?.said.claim ?? [];
  const [batch = 0, ...rest] = ((claim[claimFields.nodeCounts] ?? []) as readonly string[]).map(Number);
  const microBatches = 2 ** Number(claim[claimFields.logMicroBatches] ?? 0);
  const leaves = own
    .filter(({ said: { stage } }) => Number(stage) >= inTensor.first && Number(stage) <= inTensor.last)
    .map(({ said }) => Number(said.position?.[positionFields.leaves] ?? 0));
  return {
    ...run,
    tensors: rest.reduce((sum, count) => sum + count, batch * microBatches),
    leaves: Math.max(0, ...leaves),
  };
}

/** Where the element that was ruled on lies in its leaf. */
export type ElementPlace = {
  readonly element: number;
  readonly leafFirst: number;
  readonly leafElements: number;
};

/**
 * What the game was narrowed to, each level a part of the one above; counted from 1, as people count, but for intervals,
 * whose numbers begin with 0 wherever they can be computed again.
 *
 * @param ruled the number that the contracts computed, where they did
 */
export function levelsOf(
  { interval, firstStep, place, index, moves }: Challenge,
  { steps, size, tensors, leaves }: Extent,
  ruled?: ElementPlace,
): Level[] {
  if (interval === noInterval) return [];
  const number = (value: number) => value.toLocaleString("en");
  const part = (at: number, of: number): Omit<Level, "label"> => {
    const among = Math.max(of, at + 1);
    return { from: at / among, width: 1 / among };
  };
  /** "Leaf 3 of 9"; how many there are is not always known. */
  const label = (noun: string, at: number, of: number) =>
    of > at ? `${noun} ${number(at + 1)} of ${number(of)}` : `${noun} ${number(at + 1)}`;
  const reached = (stage: number) => moves.some((move) => move.stage === stage);
  const intervals = Math.ceil(steps / size);
  const first = Number(interval) * size;
  const among = Math.max(1, Math.min(size, steps - first));
  const levels: Level[] = [
    { label: `The training: ${number(steps)} steps`, from: 0, width: 1 },
    {
      label: `Interval ${number(Number(interval))}, steps ${number(first + 1)} to ${number(first + among)}`,
      ...part(Number(interval), intervals),
    },
  ];
  if (reached(3)) {
    const inside = Number(firstStep) - first;
    levels.push({
      label: `Step ${number(Number(firstStep) + 1)}, the ${ordinal(inside + 1)} of ${number(among)}`,
      ...part(inside, among),
    });
  }
  if (reached(6))
    levels.push({ label: label("Tensor", Number(place), tensors), ...part(Number(place), tensors) });
  if (reached(9))
    levels.push({ label: label("Leaf", Number(index), leaves), ...part(Number(index), leaves) });
  if (ruled !== undefined) {
    const inside = ruled.element - ruled.leafFirst;
    levels.push({
      label: `Element ${number(ruled.element + 1)} of the tensor`,
      ...part(inside, ruled.leafElements),
    });
  }
  return levels;
}

const plurals = new Intl.PluralRules("en", { type: "ordinal" });
const endings: { readonly [rule: string]: string } = { one: "st", two: "nd", few: "rd", other: "th" };

/** "1st", "2nd", "11th". */
function ordinal(value: number): string {
  return `${value.toLocaleString("en")}${endings[plurals.select(value)]}`;
}
