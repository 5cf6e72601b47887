import assert from "node:assert/strict";
import { test } from "node:test";
import { type TapeRule, VoidProgramError } from "../../../../keepers/src/core/exact/tape/errors.ts";
import type { Dtype, MantissaBits, Program } from "../../../../keepers/src/core/exact/tape/types.ts";
import { validateProgram } from "../../../../keepers/src/core/exact/tape/validate.ts";
import type { recordedRefusals } from "../refusals.ts";
import { layoutOf } from "./cases-random.ts";
import { type AnyNode, places, validProgram } from "./validate-program.ts";

export type Tapes = [AnyNode[], AnyNode[], AnyNode[]];
export type Draft = { -readonly [K in keyof Program]: Program[K] } & { tapes: unknown };

/** The valid program with one thing changed. */
export function changed(bits: MantissaBits, change: (tapes: Tapes, program: Draft) => void): Program {
  const program = structuredClone(validProgram(bits)) as Draft;
  change(program.tapes as unknown as Tapes, program);
  return program;
}

/** Tests that a program is refused by a rule, in a sentence on record. */
export const refuserWith =
  (throws: ReturnType<typeof recordedRefusals>) =>
  (name: string, rule: TapeRule, change: (tapes: Tapes, program: Draft) => void, bits: MantissaBits = 16) => {
    test(`refused by rule ${rule}: ${name}`, () => {
      throws(
        () => validateProgram(changed(bits, change)),
        (error) => {
          assert.ok(error instanceof VoidProgramError, String(error));
          assert.equal(error.rule, rule, error.message);
          assert.ok(error.next);
          return true;
        },
      );
    });
  };

export const at = (place: keyof typeof places) => (tapes: Tapes) => tapes[0][places[place]]!;
export const set = (place: keyof typeof places, attributes: Record<string, number>) => (tapes: Tapes) => {
  Object.assign(at(place)(tapes).attributes, attributes);
};
export const give =
  (place: keyof typeof places, dtype: Dtype, shape: number[], rowAxes?: number) => (tapes: Tapes) => {
    at(place)(tapes).output = layoutOf(dtype, shape, rowAxes);
  };
export const feed = (place: keyof typeof places, inputs: number[]) => (tapes: Tapes) => {
  at(place)(tapes).inputs = inputs;
};
