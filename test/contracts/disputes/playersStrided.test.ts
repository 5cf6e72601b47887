import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { validateProgram } from "../../../keepers/src/core/exact/tape/validate.ts";
import { type Move, packSums, rangesOf } from "../../../keepers/src/training/dispute/moves.ts";
import { createArena } from "./game/arena.ts";
import { disputesOf, placeOf } from "./game/one-lie.ts";
import { otherMantissa } from "./game/scenes.ts";
import { Story } from "./game/story.ts";
import { type StridedSize, stridedJob } from "./game/strided.ts";
import { openedNode } from "./game/told-run.ts";

const arena = await createArena();
const dispute = disputesOf(arena, 9_500n);
const step = 0;
/** What is refunded for a ruling, less the settlement after it: contracts/disputes/Refunds.sol. */
const mostGas = 600_000 - 240_000;

const sizes: Record<string, StridedSize> = {
  // Image rows that are read lie in every other leaf: an element needs 256 spans of them.
  "64 samples of 64×64, kernel 8, stride 16": {
    ...{ samples: 64, image: [64, 64], kernel: [8, 8], stride: [16, 16] },
  },
  // Columns that are read lie 2,050 bytes apart in one row, and the contract looks them up as one run.
  "2 samples of 1×3000, stride 1,025": { samples: 2, image: [1, 3_000], kernel: [1, 1], stride: [1, 1_025] },
};

describe("players of disputes over the weight gradient of a convolution with a stride", () => {
  for (const [about, size] of Object.entries(sizes)) {
    const honest = new Story(stridedJob(size));
    const place = placeOf(honest, "CONV_WEIGHT_GRAD");
    const right = honest.tensors(step)[place]!;

    it(`have a program that is valid: ${about}`, () => validateProgram(honest.job.program));

    it(`convict a wrong mantissa by the total that was posted: ${about}`, async () => {
      const { ending, names, steps } = await dispute(honest, place, otherMantissa(right));
      assert.deepEqual(names.slice(-3), ["askSums", "postSums", "ruleTotal"]);
      assert.equal(ending, "convicted");
      assert.ok(
        steps.every(({ gas }) => gas <= mostGas),
        JSON.stringify(steps.map(({ name, gas, bytes }) => `${name} ${gas} ${bytes}`)),
      );
    });

    it(`convict a wrong mantissa that the sums hide, down to a range that opens: ${about}`, async () => {
      const node = await openedNode(honest, step, place);
      const out = right.mantissas.findIndex((mantissa, i) => mantissa !== otherMantissa(right).mantissas[i]);
      // Each time the last sum makes up for the lie.
      const delta = 2n ** 40n;
      const { ending, names, steps } = await dispute(honest, place, otherMantissa(right), {
        pick(round, stage): Move | undefined {
          if (stage !== "Sums") return undefined;
          const { from, to } = round.position;
          const ranges = rangesOf({ from: Number(from), to: Number(to) });
          const sums = ranges.map((range) => node.sum(out, range));
          sums[sums.length - 1]! += delta;
          return { book: "range", name: "postSums", args: [packSums(sums)] };
        },
      });
      assert.equal(names.at(-1), "ruleSum");
      assert.equal(ending, "convicted");
      assert.ok(
        steps.every(({ gas }) => gas <= mostGas),
        JSON.stringify(steps.map(({ name, gas, bytes }) => `${name} ${gas} ${bytes}`)),
      );
    });
  }
});
