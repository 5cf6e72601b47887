import {
  cosineSchedule,
  maxScheduleEntries,
  requireSchedule,
  type Schedule,
  stepSchedule,
  withWarmUp,
} from "../../core/exact/schedule.ts";
import { type Decimal, multiply, parseDecimal, toUnits } from "./decimal.ts";
import { TrainingConfigError } from "./errors.ts";
import type { TrainingConfig } from "./schema.ts";

/** Bits behind the point of learning rate, momentum and weight decay. */
export const hyperParameterBits = 16;

const most = 2n ** 16n - 1n;

/** A share as an unsigned 16-bit integer over 2^16. @throws TrainingConfigError that names the key */
export function shareOf(key: string, value: string | number): number {
  return unitsOf(key, parseDecimal(value)!);
}

function unitsOf(key: string, decimal: Decimal): number {
  const units = toUnits(decimal, hyperParameterBits);
  if (units < 0n || units > most) {
    throw new TrainingConfigError(`The key ${key} is refused: it must lie from 0 to ${most}/65536, below 1.`);
  }
  if (units === 0n && decimal.digits !== 0n) {
    throw new TrainingConfigError(
      `The key ${key} is refused: it is less than half of 1/65536, the smallest step.`,
      {
        next: "Take a larger value, or 0.",
      },
    );
  }
  return Number(units);
}

/** The learning rate of every step as integers over 2^16. @throws TrainingConfigError that names the key */
export function scheduleOf(
  rate: TrainingConfig["learningRate"],
  { steps, stepsPerEpoch }: { steps: number; stepsPerEpoch: number },
): Schedule {
  if (typeof rate !== "object") return { table: [positive("learningRate", parseDecimal(rate)!)], every: 1 };
  if (rate.kind === "table") {
    const schedule = { table: rate.values, every: rate.every };
    requireSchedule(schedule);
    return schedule;
  }
  const start = parseDecimal(rate.start)!;
  const first = positive("learningRate.start", start);
  if (rate.kind === "step") {
    const factor = parseDecimal(rate.factor)!;
    let current = start;
    const rates = [{ fromEpoch: 0, rate: first / 2 ** hyperParameterBits }];
    for (const fromEpoch of [...rate.afterEpochs].sort((a, b) => a - b)) {
      current = multiply(current, factor);
      rates.push({ fromEpoch, rate: positive("learningRate.factor", current) / 2 ** hyperParameterBits });
    }
    return stepSchedule({ rates, stepsPerEpoch });
  }
  const every = Math.ceil(steps / maxScheduleEntries);
  const curve = cosineSchedule({
    peak: first / 2 ** hyperParameterBits,
    final: shareOf("learningRate.end", rate.end) / 2 ** hyperParameterBits,
    steps,
    every,
  });
  return rate.warmUpEpochs === 0
    ? curve
    : withWarmUp(curve, { steps: rate.warmUpEpochs * stepsPerEpoch, every });
}

function positive(key: string, decimal: Decimal): number {
  const units = unitsOf(key, decimal);
  if (units > 0) return units;
  throw new TrainingConfigError(`The key ${key} is refused: a learning rate of 0 trains nothing.`);
}
