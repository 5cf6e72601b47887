import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Manners } from "./byzantine-chain.ts";
import { finality, foreign, intentOf, settle, Walk } from "./queue-walk.ts";
import { walksOf } from "./random.ts";

async function history(seed: number, manners: Manners[]): Promise<number> {
  const walk = new Walk(seed, manners);
  await walk.start();
  const { random, chain } = walk;
  let final = 0;
  for (let step = 0; step < 40; step++) {
    const event = random.below(12);
    if (event < 2) await walk.submit(random.below(4));
    else if (event < 6) await walk.look();
    else if (event < 9) chain.mine(0.7);
    else if (event === 9) {
      const reach = chain.head - final;
      if (reach > 0) chain.reorganise(1 + random.below(reach));
    } else if (event === 10) await walk.kill();
    else {
      walk.clock.time += 60_000;
      if (random.chance(0.2)) await chain.add(await foreign(chain));
    }
    final = Math.max(final, chain.head - finality + 1);
    walk.mustHold(`seed ${seed}, step ${step}`);
  }
  walk.manners = manners.map(() => ({}));
  await settle(walk);
  for (const index of walk.submitted) {
    const { data } = intentOf(index);
    assert.equal(chain.effects(data), 1, `seed ${seed}: ${index} is left undone`);
  }
  assert.deepEqual(walk.queue.pending(), [], `seed ${seed}`);
  // No nonce is left out: the account goes on.
  await walk.submit(7);
  walk.submitted.add(7);
  await settle(walk);
  assert.equal(chain.effects(intentOf(7).data), 1, `seed ${seed}: the account is stuck`);
  walk.state.close();
  return walk.submitted.size;
}

describe("transactions in random histories, with reorganisations up to finality and a process that is killed", () => {
  const weathers: [string, Manners[], number][] = [
    ["one endpoint that lags and fails", [{ lags: 0.3, fails: 0.1 }], 40],
    ["one endpoint that forgets receipts", [{ forgets: 0.7 }], 40],
    ["three endpoints of which one lies always", [{ lies: 1 }, {}, {}], 60],
    [
      "three endpoints of which one lies at times, and the others lag, fail and forget",
      [{ lies: 0.5 }, { lags: 0.2, fails: 0.1, forgets: 0.2 }, { lags: 0.2, forgets: 0.2 }],
      60,
    ],
    ["five endpoints of which two lie", [{ lies: 1 }, { lies: 0.7 }, {}, { lags: 0.3 }, {}], 30],
  ];
  for (const [name, manners, all] of weathers) {
    it(`are each carried out exactly once through ${name}`, async () => {
      const seeds = walksOf(all);
      let carriedOut = 0;
      for (let seed = 1; seed <= seeds; seed++) carriedOut += await history(seed, manners);
      assert.ok(carriedOut > 2 * seeds, `${carriedOut} in ${seeds} histories`);
    });
  }
});
