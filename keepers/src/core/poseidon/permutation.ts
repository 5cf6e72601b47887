import type { FunctionBuilder, ModuleBuilder } from "../wasm/assembler.ts";
import { type I32, i32 } from "../wasm/instructions.ts";
import type { Arithmetic, ArithmeticFunctions } from "./arithmetic.ts";
import type { Placement } from "./placement.ts";
import type { Row } from "./schedule.ts";

/** Emits a function without parameters that turns the loaded inputs in `state` into the hash in its first element. */
function emitPermutation(
  module: ModuleBuilder,
  use: ArithmeticFunctions,
  placement: Placement,
  elementBytes: number,
): FunctionBuilder {
  const f = module.function([]);
  const { t, opening, starting, recurring, leaving, closing, output, partialRounds } = placement.schedule;
  const { state, powers, start, sequence } = placement;
  const at = (base: number, index: number): I32 => i32.const(base + index * elementBytes);
  const dot = (result: I32, row: Row, operands: I32): void => {
    const { coefficients, count, start: from } = placement.row(row);
    f.call(use.dot, result, i32.const(coefficients), operands, i32.const(count), i32.const(from));
  };
  const sboxes = (target: number): void => {
    for (let i = 0; i < t; i++) f.call(use.fifthPower, at(target, i), at(state, i));
  };
  const layer = (rows: readonly Row[], operands: I32): void => {
    rows.forEach((row, i) => {
      dot(at(state, i), row, operands);
    });
  };

  for (const rows of opening) {
    sboxes(powers);
    layer(rows, at(powers, 0));
  }
  sboxes(start);
  for (let r = 0; r < partialRounds; r++) {
    // y_r stands at 2r − 1 and x_r at 2r; y_0 is needed by nothing but its S-box.
    const y = r === 0 ? at(powers, 0) : at(sequence, 2 * r - 1);
    const x = at(sequence, 2 * r);
    if (r < t) dot(y, starting[r]!, at(start, 0));
    else dot(y, recurring[r - t]!, at(sequence, 2 * (r - t)));
    f.call(use.fifthPower, x, y);
    if (r < t - 1) f.call(use.copy, at(start, t + r), x);
  }
  layer(leaving, at(sequence, 2 * (partialRounds - t)));
  for (const rows of closing) {
    sboxes(powers);
    layer(rows, at(powers, 0));
  }
  sboxes(powers);
  dot(at(state, 0), output, at(powers, 0));
  return f;
}

export type HashParameters = {
  arithmetic: Arithmetic;
  placement: Placement;
  /** Bytes of each of the t − 1 inputs, big-endian. */
  inputBytes: 31 | 32;
  /** Address of 32 zero bytes. */
  zeros: number;
  /** Name under which the function is exported. */
  name: string;
};

/** Emits (bytes, digests, count): hashes `count` messages, a positive multiple of the lanes, to 32 bytes each. */
export function emitHash(module: ModuleBuilder, use: ArithmeticFunctions, parameters: HashParameters): void {
  const { arithmetic, placement, inputBytes, zeros, name } = parameters;
  const { lanes, elementBytes } = arithmetic;
  const inputs = placement.schedule.t - 1;
  const permutation = emitPermutation(module, use, placement, elementBytes);
  const f = module.function(["i32", "i32", "i32"], name);
  const source = f.parameter("i32", 0);
  const target = f.parameter("i32", 1);
  const left = f.parameter("i32", 2);
  const load = inputBytes === 31 ? use.loadCellElement : use.loadDigest;
  f.loop((again) => {
    for (let lane = 0; lane < lanes; lane++) {
      placement.initial.forEach((constant, i) => {
        const element = i32.const(placement.state + i * elementBytes);
        const operands = [i32.const(lane), i32.const(constant)];
        if (i === 0) f.call(use.loadDigest, element, i32.const(zeros), ...operands);
        else
          f.call(
            load,
            element,
            i32.add(source.value, i32.const((lane * inputs + i - 1) * inputBytes)),
            ...operands,
          );
      });
    }
    f.call(permutation);
    f.call(use.storeDigests, target.value, i32.const(placement.state));
    f.set(source, i32.add(source.value, i32.const(lanes * inputs * inputBytes)));
    f.set(target, i32.add(target.value, i32.const(lanes * 32)));
    f.set(left, i32.sub(left.value, i32.const(lanes)));
    f.branchIf(again, left.value);
  });
}
