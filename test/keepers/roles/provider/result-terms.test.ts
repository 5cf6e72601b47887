import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  leastResultEpochs,
  requireResultEpochs,
} from "../../../../keepers/src/roles/provider/result-terms.ts";

const day = 86_400;

/** A network whose window of challenges and epochs take so many seconds. */
const network = (challengeWindow: number, epochLength: number) =>
  ({
    JobRegistry: { read: { parameters: async () => ({ challengeWindow }) } },
    DatasetRegistry: { read: { epochLength: async () => epochLength } },
  }) as unknown as Parameters<typeof requireResultEpochs>[0];

describe("the epochs for which a provider stores results", () => {
  it("outlast the windows of a job with a committee, from whatever second of an epoch on", () => {
    for (const [window, length] of [
      [3 * day, day],
      [100, 60],
      [30, 30],
      [5, 3_600],
    ] as const) {
      const epochs = leastResultEpochs({ challengeWindow: window, epochLength: length });
      // Anchored in epoch 0, committed to in the last second of epoch 1: its holders agreed until the end of epoch `epochs`.
      const agreedEnd = (1 + epochs) * length;
      assert.ok(agreedEnd > 2 * length - 1 + 2 * window, `${window} ${length}`);
    }
  });

  it("are refused when they are too few, with the number that is enough", async () => {
    await requireResultEpochs(network(3 * day, day), 8);
    await assert.rejects(requireResultEpochs(network(3 * day, day), 7), {
      name: "BadInputError",
      message: "results would be stored for 7 epochs: a commitment to one asks for 8 on this network",
    });
  });
});
