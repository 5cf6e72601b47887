import { BadInputError } from "../../core/errors.ts";
import { programFromJson, programToJson } from "../../core/exact/tape/program.json.ts";
import type { Program } from "../../core/exact/tape/types.ts";

/** Bytes of a file of JSON in the folder of a run: a string cannot hold much more. */
export const longestRunFile = 480 * 2 ** 20;
/** Bytes of a given weight in it: eight hexadecimal digits. */
const weightBytes = 8;
/** Bytes that a slot with given weights takes besides. */
const slotBytes = 32;

/**
 * Holds a program against what its file in the folder of a run can take and give back. Whoever trains for others asks before
 * anything is staked: a run that cannot be begun, or not be opened again, is late.
 *
 * @throws BadInputError that says what the file cannot hold
 */
export function requireStorable(program: Program): void {
  let given = 0;
  const state = program.state.map((slot) => {
    if (slot.initializer.kind !== "given") return slot;
    given += slot.initializer.mantissas.length;
    return { ...slot, initializer: { kind: "zero" } as const };
  });
  const rest = programToJson({ ...program, state });
  programFromJson(rest);
  const room =
    longestRunFile - new TextEncoder().encode(JSON.stringify(rest)).length - slotBytes * state.length;
  const most = Math.floor(room / weightBytes);
  if (given <= most) return;
  throw new BadInputError(
    `The model gives ${given} first weights; the folder of a run holds ${most} at most.`,
    { next: "Set initialize to seed, which draws the first weights instead." },
  );
}
