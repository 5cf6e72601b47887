import { fieldOrder, inverse, reduce } from "./field.ts";
import type { PoseidonParameters } from "./parameters.ts";

type Vector = readonly bigint[];
type Matrix = readonly Vector[];

/** One linear step: Σ coefficients[i] · operand[i] + constant. */
export type Row = { readonly coefficients: Vector; readonly constant: bigint };

/**
 * The permutation as the kernel runs it. The S-box inputs y_r and outputs x_r = y_r^5 of the partial rounds are kept
 * as one sequence x_0, y_1, x_1, y_2, x_2, …; "window" below is a stretch of 2t − 1 of it that begins with an x.
 */
export type Schedule = {
  readonly t: number;
  readonly partialRounds: number;
  /** Added to the state before the first S-boxes. */
  readonly initial: Vector;
  /** Dense layers of the first full rounds but the last one, each with the next round's constants. */
  readonly opening: readonly (readonly Row[])[];
  /** y_0 … y_{t−1}, over the last opening S-box outputs z_0 … z_{t−1} followed by x_0 … x_{r−1}. */
  readonly starting: readonly Row[];
  /** y_t … y_{R−1}, each over the window that ends with x_{r−1}; the coefficients are the same for all. */
  readonly recurring: readonly Row[];
  /** The state that enters the next full round, over the window that ends with x_{R−1}. */
  readonly leaving: readonly Row[];
  /** Dense layers of the closing full rounds but the last one. */
  readonly closing: readonly (readonly Row[])[];
  /** Element 0 of the last dense layer: the hash. */
  readonly output: Row;
};

const dot = (a: Vector, b: Vector): bigint => a.reduce((sum, x, i) => sum + x * b[i]!, 0n) % fieldOrder;
const column = (matrix: Matrix, j: number): bigint[] => matrix.map((row) => row[j]!);
const transpose = (matrix: Matrix): bigint[][] => matrix[0]!.map((_, j) => column(matrix, j));
const rowTimes = (row: Vector, columns: Matrix): bigint[] => columns.map((c) => dot(row, c));
const times = (a: Matrix, b: Matrix): bigint[][] => {
  const columns = transpose(b);
  return a.map((row) => rowTimes(row, columns));
};

function matrixPower(matrix: Matrix, exponent: number): Matrix {
  if (exponent === 1) return matrix;
  const half = matrixPower(matrix, exponent >> 1);
  const square = times(half, half);
  return exponent % 2 === 0 ? square : times(square, matrix);
}

/** X with A·X = B, for a regular A. */
function solve(a: Matrix, b: Matrix): bigint[][] {
  const rows = a.map((row, i) => [...row, ...b[i]!]);
  const size = rows.length;
  for (let pivot = 0; pivot < size; pivot++) {
    const found = rows.findIndex((row, i) => i >= pivot && row[pivot] !== 0n);
    if (found < 0) throw new RangeError("the matrix is singular");
    [rows[pivot], rows[found]] = [rows[found]!, rows[pivot]!];
    const scale = inverse(rows[pivot]![pivot]!);
    const base = rows[pivot]!.map((value) => (value * scale) % fieldOrder);
    rows[pivot] = base;
    rows.forEach((row, i) => {
      const factor = row[pivot]!;
      if (i === pivot || factor === 0n) return;
      for (let c = pivot; c < row.length; c++) row[c] = reduce(row[c]! - factor * base[c]!);
    });
  }
  return rows.map((row) => row.slice(size));
}

/**
 * Rewrites the partial rounds as a linear recurrence.
 *
 * Between two S-boxes of the partial rounds everything is linear and the same in every round, so the only state worth
 * having is the sequence of S-box inputs and outputs: by Cayley–Hamilton, y_r is a fixed combination of the t outputs
 * and t − 1 inputs before it. That is 2t − 1 products and one reduction per round, where the usual sparse matrices
 * take as many products and t reductions. Entering the recurrence absorbs the last dense layer before it.
 */
export function makeSchedule(parameters: PoseidonParameters): Schedule {
  const { t, fullRounds, partialRounds, roundConstants, mds } = parameters;
  const half = fullRounds / 2;
  const constantsOf = (round: number): bigint[] =>
    round < fullRounds + partialRounds
      ? roundConstants.slice(round * t, (round + 1) * t)
      : new Array(t).fill(0n);
  const dense = (round: number): Row[] =>
    mds.map((coefficients, i) => ({ coefficients, constant: constantsOf(round + 1)[i]! }));
  const columns = transpose(mds);
  const withoutFirst = (vector: Vector): bigint[] => [0n, ...vector.slice(1)];
  const mix = (vector: Vector): bigint[] => rowTimes(vector, mds);

  // impulse[d]: the state d rounds after an S-box put out 1, all else 0. response[d] is what the S-box then sees.
  const impulse: bigint[][] = [new Array<bigint>(t).fill(0n), column(mds, 0)];
  while (impulse.length < 2 * t) impulse.push(mix(withoutFirst(impulse.at(-1)!)));
  const response = column(impulse, 0);

  // unforced[r]: the state that enters partial round r when z and every x are 0; only constants are left.
  const unforced: bigint[][] = [constantsOf(half)];
  for (let round = 1; round <= partialRounds; round++) {
    const constants = constantsOf(half + round);
    unforced.push(
      mix(withoutFirst(unforced.at(-1)!)).map((value, i) => (value + constants[i]!) % fieldOrder),
    );
  }

  // onOpening[r]: how y_r depends on z; observed[r]: how it depends on the state r rounds earlier.
  const onOpening: bigint[][] = [[...mds[0]!]];
  const observed: bigint[][] = [];
  for (let round = 1; round < t; round++) {
    observed.push(withoutFirst(onOpening.at(-1)!));
    onOpening.push(rowTimes(observed.at(-1)!, columns));
  }
  const starting = onOpening.map((onZ, r) => ({
    coefficients: [...onZ, ...response.slice(1, r + 1).reverse()],
    constant: unforced[r]![0]!,
  }));

  // y_r = Σ_{i=1}^{t−1} onInputs[i]·y_{r−i} + Σ_{j=1}^{t} onOutputs[j]·x_{r−j} + constant
  const shifts = Array.from({ length: t - 1 }, (_, i) => i + 1);
  const solved = solve(
    shifts.map((d) => shifts.map((i) => response[t + d - i]!)),
    shifts.map((d) => [response[t + d]!]),
  );
  const onInputs = [0n, ...column(solved, 0)];
  const remainder = (at: (i: number) => bigint, last: number): bigint => {
    let rest = at(0);
    for (let i = 1; i <= last; i++) rest -= onInputs[i]! * at(i);
    return reduce(rest);
  };
  const onOutputs = Array.from({ length: t + 1 }, (_, j) =>
    j === 0 ? 0n : remainder((i) => response[j - i]!, Math.min(j, t) - 1),
  );
  const recurrence: bigint[] = [onOutputs[t]!];
  for (let i = t - 1; i >= 1; i--) recurrence.push(onInputs[i]!, onOutputs[i]!);
  const recurring = Array.from({ length: partialRounds - t }, (_, at) => ({
    coefficients: recurrence,
    constant: remainder((i) => unforced[t + at - i]![0]!, t - 1),
  }));

  // The state t rounds later, through the t − 1 inputs seen meanwhile: inner · observed = (mds without column 0)^t.
  const tail = mds.map((row) => row.slice(1));
  const advanced = times(tail, matrixPower(tail.slice(1), t - 1));
  const seen = observed.map((row) => row.slice(1));
  const onSeen = transpose(solve(transpose(seen), transpose(advanced)));
  const base = partialRounds - t;
  const leaving = onSeen.map((weights, element) => {
    const onX = Array.from({ length: t }, (_, j) =>
      reduce(
        impulse[t - j]![element]! -
          weights.reduce((sum, w, i) => (i < j ? sum : sum + w * response[i + 1 - j]!), 0n),
      ),
    );
    const constant = reduce(
      unforced[partialRounds]![element]! -
        weights.reduce((sum, w, i) => sum + w * unforced[base + i + 1]![0]!, 0n),
    );
    return { coefficients: [onX[0]!, ...weights.flatMap((w, i) => [w, onX[i + 1]!])], constant };
  });

  const second = half + partialRounds;
  return {
    t,
    partialRounds,
    initial: constantsOf(0),
    opening: Array.from({ length: half - 1 }, (_, round) => dense(round)),
    starting,
    recurring,
    leaving,
    closing: Array.from({ length: half - 1 }, (_, round) => dense(second + round)),
    output: dense(second + half - 1)[0]!,
  };
}

/** Runs a schedule in big integers: what a kernel's arithmetic is tested against. */
export function runSchedule(schedule: Schedule, inputs: Vector): bigint {
  const sbox = (x: bigint): bigint => {
    const square = (x * x) % fieldOrder;
    return (((square * square) % fieldOrder) * x) % fieldOrder;
  };
  const apply = (row: Row, operand: Vector): bigint => reduce(dot(row.coefficients, operand) + row.constant);
  let powers = [0n, ...inputs].map((value, i) => sbox(reduce(value + schedule.initial[i]!)));
  for (const layer of schedule.opening) powers = layer.map((row) => sbox(apply(row, powers)));
  const start = [...powers];
  const sequence: bigint[] = [];
  schedule.starting.forEach((row, r) => {
    const y = apply(row, start);
    if (r > 0) sequence.push(y);
    sequence.push(sbox(y));
    start.push(sequence.at(-1)!);
  });
  const window = (): bigint[] => sequence.slice(1 - 2 * schedule.t);
  for (const row of schedule.recurring) {
    const y = apply(row, window());
    sequence.push(y, sbox(y));
  }
  powers = schedule.leaving.map((row) => sbox(apply(row, window())));
  for (const layer of schedule.closing) powers = layer.map((row) => sbox(apply(row, powers)));
  return apply(schedule.output, powers);
}
