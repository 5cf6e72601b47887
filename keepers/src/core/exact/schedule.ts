import { BadInputError } from "../errors.ts";

/** Learning rates of an order (`docs/exact-ops.md`, section 4): LR(t) = table[min(⌊t / every⌋, length − 1)]. */
export type Schedule = {
  /** Unsigned 16-bit integers over 2^rL, rL being an attribute of the program (16 by default). */
  readonly table: readonly number[];
  /** Steps per entry. */
  readonly every: number;
};

/** Entries that a table may have. */
export const maxScheduleEntries = 65_536;

const maxRate = 65_535;

/** @throws BadInputError when the table or `every` is outside its limits. */
export function requireSchedule({ table, every }: Schedule): void {
  if (!Number.isSafeInteger(every) || every < 1) {
    throw new BadInputError(`A schedule's entry stands for 1 step or more, not ${every}.`);
  }
  if (table.length < 1 || table.length > maxScheduleEntries) {
    throw new BadInputError(`A schedule has 1 to ${maxScheduleEntries} entries, not ${table.length}.`);
  }
  table.forEach((rate, entry) => {
    if (!Number.isInteger(rate) || rate < 0 || rate > maxRate) {
      throw new BadInputError(`Entry ${entry} of the schedule is ${rate}, not 0 to ${maxRate}.`);
    }
  });
}

/** LR of a step, counted from 0. */
export function learningRateAt({ table, every }: Schedule, step: number): number {
  return table[Math.min(Math.floor(step / every), table.length - 1)]!;
}

/**
 * A learning rate as an integer over 2^shift, to the nearest. Scaling a float64 by a power of two is exact, so every
 * engine gives the same integer.
 * @throws BadInputError when the rate is negative or rounds to more than 16 bits.
 */
export function scaledRate(rate: number, shift = 16): number {
  const scaled = Math.round(rate * 2 ** shift);
  if (!(rate >= 0) || scaled > maxRate) {
    throw new BadInputError(`The learning rate ${rate} does not fit 16 bits over 2^${shift}.`, {
      next: "Choose a smaller rate, or a program with a smaller learningRateShift.",
    });
  }
  return scaled;
}

/** The same rate for every step. */
export function constantSchedule(rate: number, shift = 16): Schedule {
  return { table: [scaledRate(rate, shift)], every: 1 };
}

export type StepDecay = {
  /** Rates and the epochs from which they hold: the first from epoch 0, epochs ascending. */
  readonly rates: readonly { readonly fromEpoch: number; readonly rate: number }[];
  readonly stepsPerEpoch: number;
  readonly shift?: number;
};

/** Rates that change at given epochs. @throws BadInputError when the epochs do not ascend from 0. */
export function stepSchedule({ rates, stepsPerEpoch, shift = 16 }: StepDecay): Schedule {
  const table: number[] = [];
  rates.forEach(({ fromEpoch, rate }, i) => {
    const isNext = i === 0 ? fromEpoch === 0 : fromEpoch > rates[i - 1]!.fromEpoch;
    if (!Number.isInteger(fromEpoch) || !isNext || fromEpoch >= maxScheduleEntries) {
      throw new BadInputError(`Rates must begin at epoch 0 and ascend; rate ${i} begins at ${fromEpoch}.`);
    }
    while (table.length < fromEpoch) table.push(table.at(-1)!);
    table.push(scaledRate(rate, shift));
  });
  return checked({ table, every: stepsPerEpoch });
}

export type CosineDecay = {
  /** Rate of the first entry. */
  readonly peak: number;
  /** Rate that the curve reaches after `steps`; 0 by default. */
  readonly final?: number;
  readonly steps: number;
  /** Steps per entry; 1 by default. */
  readonly every?: number;
  readonly shift?: number;
};

/**
 * Half a cosine from `peak` to `final` (Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5 without restarts):
 * entry i of n is final + (peak − final)·(1 + cos(π·i/n))/2, to the nearest integer, by integer arithmetic alone.
 */
export function cosineSchedule({ peak, final = 0, steps, every = 1, shift = 16 }: CosineDecay): Schedule {
  const high = BigInt(scaledRate(peak, shift));
  const low = BigInt(scaledRate(final, shift));
  const entries = Math.ceil(steps / every);
  if (!(entries >= 1 && entries <= maxScheduleEntries)) {
    throw new BadInputError(`A schedule has 1 to ${maxScheduleEntries} entries, not ${entries}.`, {
      next: "Let an entry stand for more steps.",
    });
  }
  const table = Array.from({ length: entries }, (_, i) => {
    const share = one + cosineOfPart(i, entries);
    const twice = 2n * (2n * one * low + (high - low) * share);
    return Number((twice + 2n * one) / (4n * one));
  });
  return checked({ table, every });
}

export type WarmUp = {
  /** Steps over which the rate rises to that of the schedule. */
  readonly steps: number;
  /** Steps per entry of the result: a divisor of the schedule's; 1 by default. */
  readonly every?: number;
};

/**
 * A schedule whose first `steps` steps rise linearly: the entry that begins at step t < steps is the schedule's rate
 * times min(1, (t + every) / steps), to the nearest integer.
 */
export function withWarmUp(schedule: Schedule, { steps, every = 1 }: WarmUp): Schedule {
  requireSchedule(schedule);
  const isConstant = schedule.table.length === 1;
  if (!Number.isSafeInteger(every) || every < 1 || (!isConstant && schedule.every % every !== 0)) {
    throw new BadInputError(`${every} steps per entry do not divide the schedule's ${schedule.every}.`);
  }
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new BadInputError(`A warm-up takes 1 step or more, not ${steps}.`);
  }
  const entries = Math.max(
    Math.ceil(steps / every),
    isConstant ? 1 : (schedule.table.length * schedule.every) / every,
  );
  if (entries > maxScheduleEntries) {
    throw new BadInputError(`A schedule has 1 to ${maxScheduleEntries} entries, not ${entries}.`, {
      next: "Let an entry stand for more steps.",
    });
  }
  const table = Array.from({ length: entries }, (_, i) => {
    const rate = learningRateAt(schedule, i * every);
    const risen = Math.min((i + 1) * every, steps);
    return Math.floor((2 * rate * risen + steps) / (2 * steps));
  });
  return checked({ table, every });
}

function checked(schedule: Schedule): Schedule {
  requireSchedule(schedule);
  return schedule;
}

const fractionBits = 96n;
const one = 1n << fractionBits;

/** ⌊π·2^96⌋, by Machin's formula π = 16·arctan(1/5) − 4·arctan(1/239), with 32 guard bits. */
const pi = (() => {
  const scale = one << 32n;
  const arctanOfInverse = (x: bigint): bigint => {
    let power = scale / x;
    let sum = power;
    for (let k = 3n, sign = -1n; power > 0n; k += 2n, sign = -sign) {
      power /= x * x;
      sum += (sign * power) / k;
    }
    return sum;
  };
  return (16n * arctanOfInverse(5n) - 4n * arctanOfInverse(239n)) >> 32n;
})();

/** cos(π·i/n) for 0 ≤ i ≤ n with 96 fraction bits, of which rounding may cost the last few. */
function cosineOfPart(i: number, n: number): bigint {
  // Reflected into the first quadrant, where the middle is exactly 0 and the series converges quickly.
  if (2 * i === n) return 0n;
  if (2 * i > n) return -cosineOfPart(n - i, n);
  const angle = (pi * BigInt(i)) / BigInt(n);
  const square = (angle * angle) >> fractionBits;
  let term = one;
  let sum = one;
  for (let k = 1n; term > 0n; k += 2n) {
    term = ((term * square) >> fractionBits) / (k * (k + 1n));
    sum += k % 4n === 1n ? -term : term;
  }
  return sum;
}
