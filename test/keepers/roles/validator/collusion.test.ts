import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Hex, keccak256, toHex } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { cheatingWorker } from "../../../../keepers/src/roles/embedded/cheating-worker.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { committee, windows } from "../jobs/network.ts";
import { cheat, flip } from "../jobs/scene.ts";
import { CommitteeScene, phase, turnSeconds } from "./committee-scene.ts";

const size = 3;
const { terms } = committee;
/** Eight intervals of five steps: the flipped step is in this one. */
const interval = 4;

/** An engine that makes the provider's mistake, too. */
const corrupt: Executor = {
  ...nativeExecutor,
  open: async (program, options) => cheatingWorker(await nativeExecutor.open(program, options), flip),
};

describe("a committee that lies with its provider", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size, { executor: corrupt });
  });

  after(async () => {
    await stage?.close();
  });

  it("attack: is slashed for the interval that a challenger has found wrong, each that signed it", async () => {
    const { scene, keepers, seats } = stage;
    const before = await stage.purses();
    const described = await stage.order(size, size);
    const provider = await scene.provider({ worker: cheat });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId, seedThatDraws(await stage.drawOf(jobId)));
    await scene.network.chain.advance(size * turnSeconds);
    await scene.until(described, "Attested", [...keepers, provider]);
    const draw = await stage.drawOf(jobId);
    const watcher = await scene.challenger();
    await scene.until(described, "Failed", [provider, watcher]);
    assert.notEqual(await stage.phaseOf(jobId), phase.signing);
    // Whatever they answer from, it is wrong.
    for (let round = 0; round < 3; round++) {
      await scene.settle([watcher, ...keepers], 12);
      await scene.network.chain.advance(terms.moveWindow + 1);
      await scene.settle([watcher], 2);
      await scene.network.chain.advance(windows.grace + 1);
      await scene.settle([watcher], 2);
    }
    assert.deepEqual(watcher.ledger.openAccusations(), []);
    const purses = await stage.purses();
    for (const [i, seat] of seats.entries()) {
      const isGuilty = intervalsOf(draw, await stage.positionOf(seat, draw)).includes(interval);
      assert.equal(
        purses[i]!.stake,
        before[i]!.stake - (isGuilty ? committee.terms.lieSlash : 0n),
        `seat ${i}`,
      );
    }
    assert.ok(purses.some((purse, i) => purse.stake < before[i]!.stake));
    await provider.stop();
  });
});

/** A seed that gives the first position the wrong interval, and not all of them. */
function seedThatDraws(draw: DrawnCommittee): Hex {
  for (let i = 0; ; i++) {
    const seed = keccak256(toHex(`seed ${i}`));
    const hit = [0, 1, 2].map((position) => intervalsOf({ ...draw, seed }, position).includes(interval));
    if (hit[0] && !hit[1] && hit[2]) return seed;
  }
}
