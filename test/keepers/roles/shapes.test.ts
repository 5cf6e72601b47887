import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BaseError, ContractFunctionRevertedError } from "viem";
import { datasetLayout } from "../../../keepers/src/core/dataset/layout.ts";
import type { DatasetShape } from "../../../keepers/src/core/dataset/shape.ts";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import { Dice } from "../../../keepers/src/roles/simulation/dice.ts";
import { startJobNetwork } from "./jobs/network.ts";

/** Values near the bounds of a shape, and others. */
function drawShape(dice: Dice): DatasetShape {
  const k = dice.pick([0, 1, 2, 8, 36, 37]);
  return {
    k,
    n: Math.min(255, k + dice.pick([0, 1, 3, 200])),
    objectCount: dice.pick([0, 1, 2, 899, 900, 901, 50_000, 2 ** 32, dice.int(1, 10_000)]),
    objectSize: dice.pick([0, 1, 31, 496, 65_536, 8_126_432, 8_126_433, 2 ** 31, dice.int(1, 10_000)]),
    segmentObjects: dice.pick([0, 1, 2, 16_383, 16_384, 50_000, 2 ** 32 - 1, dice.int(1, 10_000)]),
    encrypted: dice.chance(50),
  };
}

const isReadable = (shape: DatasetShape) => {
  try {
    datasetLayout(shape);
    return true;
  } catch (error) {
    if (error instanceof BadInputError) return false;
    throw error;
  }
};

describe("shapes of datasets", () => {
  it("are read by keepers exactly where the registry anchors them", { timeout: 120_000 }, async () => {
    const network = await startJobNetwork();
    try {
      const { DatasetRegistry } = network.contracts;
      const isAnchored = async (shape: DatasetShape) => {
        try {
          await DatasetRegistry.read.quote([{ ...shape, objectCount: BigInt(shape.objectCount) }, 0n, 1]);
          return true;
        } catch (error) {
          const reason =
            error instanceof BaseError && error.walk((e) => e instanceof ContractFunctionRevertedError);
          if (!reason) throw error;
          return false;
        }
      };
      const dice = new Dice("shapes");
      let taken = 0;
      for (let i = 0; i < 1_500; i++) {
        const shape = drawShape(dice);
        const isThere = await isAnchored(shape);
        assert.equal(isReadable(shape), isThere, JSON.stringify(shape));
        if (isThere) taken++;
      }
      assert.ok(taken > 100, `${taken} were taken`);
    } finally {
      await network.close();
    }
  });
});
