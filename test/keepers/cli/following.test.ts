import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Gauge, Registry } from "prom-client";
import { newHealth } from "../../../keepers/src/chain/rpc/health.ts";
import { checkFollowing } from "../../../keepers/src/cli/following.ts";

function following(...heads: bigint[]) {
  const metrics = new Registry();
  const block = new Gauge({
    name: "assay_follower_block",
    help: "Last block followed",
    registers: [metrics],
  });
  const health = heads.map((head, i) => ({ ...newHealth(`n${i}`), head }));
  const grow = (blocks: bigint): void => {
    for (const each of health) each.head += blocks;
  };
  const world = { now: 0, block, grow };
  const check = checkFollowing({ health: () => health }, metrics, () => world.now);
  return { world, isOk: async () => (await check()).ok };
}

describe("the health of what a storage node follows", () => {
  it("is ill once the chain has grown for a minute and nothing of it was followed, until something is", async () => {
    const { world, isOk } = following(1_000n, 1_000n, 1_000n);
    world.block.set(1_000);
    assert.equal(await isOk(), true);
    for (const [now, expected] of [
      [30_000, true],
      [59_000, true],
      [61_000, false],
      [600_000, false],
    ] as const) {
      world.grow(30n);
      world.now = now;
      assert.equal(await isOk(), expected, `${now}`);
    }
    world.block.set(1_016);
    assert.equal(await isOk(), true);
  });

  it("is well on a chain that stands still, also after a restart", async () => {
    const { world, isOk } = following(1_000n);
    for (world.now = 0; world.now < 600_000; world.now += 60_000) assert.equal(await isOk(), true);
  });

  it("attack: is not ill for one endpoint that names a head far ahead", async () => {
    const { world, isOk } = following(10n ** 9n, 1_000n, 1_001n);
    world.block.set(1_000);
    for (world.now = 0; world.now < 600_000; world.now += 60_000) assert.equal(await isOk(), true);
  });
});
