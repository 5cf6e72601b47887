import type { Arithmetic } from "./arithmetic.ts";
import { reduce } from "./field.ts";
import type { Row, Schedule } from "./schedule.ts";

/** Hands out addresses in a kernel's memory, from the bottom up. */
export class Layout {
  end: number;

  constructor(start: number) {
    this.end = start;
  }

  take(bytes: number): number {
    const address = this.end;
    this.end = (address + bytes + 15) & ~15;
    return address;
  }
}

/** Addresses of a row's coefficients and of what its accumulators start from. */
export type PlacedRow = { readonly coefficients: number; readonly count: number; readonly start: number };

/** A schedule's constants and working state, laid out in memory for one arithmetic. */
export class Placement {
  readonly schedule: Schedule;
  /** Constants added to the inputs, one address each. */
  readonly initial: readonly number[];
  /** The state between layers: t elements; the inputs are loaded here and the hash is found in the first. */
  readonly state: number;
  /** S-box outputs of a full round: t elements. */
  readonly powers: number;
  /** z_0 … z_{t−1}, x_0 … x_{t−2}. */
  readonly start: number;
  /** x_0, y_1, x_1, y_2, x_2, … */
  readonly sequence: number;
  readonly #arithmetic: Arithmetic;
  readonly #rows = new Map<Row, PlacedRow>();

  constructor(schedule: Schedule, arithmetic: Arithmetic, layout: Layout) {
    this.schedule = schedule;
    this.#arithmetic = arithmetic;
    const { t, partialRounds } = schedule;
    const elements = (count: number): number => layout.take(count * arithmetic.elementBytes);
    this.initial = schedule.initial.map(() => layout.take(arithmetic.constantBytes));
    this.state = elements(t);
    this.powers = elements(t);
    this.start = elements(2 * t - 1);
    this.sequence = elements(2 * partialRounds - 1);
    // Dense layers share the rows of one matrix, and the recurrence has one row.
    const shared = new Map<Row["coefficients"], number>();
    for (const row of this.#all()) {
      const count = row.coefficients.length;
      const coefficients = shared.get(row.coefficients) ?? layout.take(count * arithmetic.coefficientBytes);
      shared.set(row.coefficients, coefficients);
      this.#rows.set(row, { coefficients, count, start: layout.take(arithmetic.startBytes) });
    }
  }

  row(row: Row): PlacedRow {
    const placed = this.#rows.get(row);
    if (placed === undefined) throw new RangeError("the row belongs to another schedule");
    return placed;
  }

  /** Fills in everything that does not change between hashes. */
  write(memory: DataView): void {
    const { schedule } = this;
    const arithmetic = this.#arithmetic;
    const { sumShift, productShift, coefficientBytes } = arithmetic;
    schedule.initial.forEach((constant, i) => {
      arithmetic.encodeConstant(memory, this.initial[i]!, constant);
    });
    // With R = 2^productShift, a fifth power comes out as x⁵/R⁴: x²/R, then x⁴/R³, then x⁵/R⁴.
    const onInput = 1n << BigInt(sumShift);
    const onPower = onInput << BigInt(4 * productShift);
    const overWindow = new Set([...schedule.recurring, ...schedule.leaving]);
    for (const [row, { coefficients, count, start }] of this.#rows) {
      arithmetic.encodeStart(memory, start, row.constant, count);
      row.coefficients.forEach((value, i) => {
        const isInput = overWindow.has(row) && i % 2 === 1;
        const scaled = reduce(value * (isInput ? onInput : onPower));
        arithmetic.encodeCoefficient(memory, coefficients + i * coefficientBytes, scaled);
      });
    }
  }

  #all(): Row[] {
    const { opening, starting, recurring, leaving, closing, output } = this.schedule;
    return [...opening.flat(), ...starting, ...recurring, ...leaving, ...closing.flat(), output];
  }
}
