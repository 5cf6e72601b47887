import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak256, zeroHash } from "viem";
import { seededRandom } from "../../keepers/core/erasure/random.ts";
import { checks, createWorld, exitDelay, fee, period, reserveFor, terms } from "./world.ts";

const walks = 12;
const size = 5;
const threshold = 3;
const lie = keccak256("0x11e0");

describe("walks through committees", async () => {
  const world = await createWorld(8);
  const { committee, fees, validators, staking, networkHelpers, operators, stranger } = world;
  const by = { account: stranger.account };
  const random = seededRandom(26);
  const chance = (probability: number) => random() < probability;

  /** One step of a job in its phase, by the parties or, when they vanish, by a stranger. */
  const step = async (jobId: bigint, lies: Record<string, typeof lie>, signed: number[]) => {
    const { phase, opened } = await committee.read.jobOf([jobId]);
    if (phase === 1) {
      if (chance(0.2)) {
        const { attempt } = await committee.read.jobOf([jobId]);
        const { drawUntil } = await committee.read.drawOf([jobId, BigInt(attempt)]);
        await networkHelpers.time.increaseTo(drawUntil + 1);
        return committee.write.renew([jobId], by);
      }
      return world.draw(jobId);
    }
    if (phase === 2 && chance(0.3)) {
      const drawn = await world.drawnOf(jobId);
      const position = Math.floor(random() * drawn.members.length);
      const { account } = world.memberAt(drawn, position);
      return committee.write.appear([jobId, BigInt(position), zeroHash], { account });
    }
    if (chance(phase === 3 ? 0.1 : 0.3)) {
      await world.timeOut(jobId);
      return committee.write.executeTimeout([jobId], by);
    }
    const drawn = await world.drawnOf(jobId);
    if (phase === 2) {
      signed.splice(0, size, ...[0, 1, 2, 3, 4].filter((i) => i < threshold || chance(0.5)));
      for (const key of Object.keys(lies)) delete lies[key];
      for (const i of signed) if (chance(0.25)) lies[`${i}/${chance(0.5) ? 0 : 1}`] = lie;
      return committee.write.attest(
        [jobId, world.statementOf(drawn, world.leavesOf(drawn, signed, lies))],
        by,
      );
    }
    const leaves = world.leavesOf(drawn, signed, lies);
    if (phase === 3) {
      const rest = world.openingsOf(leaves).slice(opened);
      return committee.write.openWitnesses([jobId, chance(0.5) ? rest : rest.slice(0, 1)]);
    }
    const differences = leaves.flatMap(({ digest }, i) =>
      digest === lie ? [{ leaf: BigInt(i), digest }] : [],
    );
    return committee.write.reveal([jobId, world.hashesOf(leaves), differences], by);
  };

  it("attack 25: whoever vanishes, every committee ends, fees add up, and all stake comes free again", async () => {
    const ends: Record<number, number> = {};
    const funded = BigInt(size * checks) * fee + reserveFor(size);
    let slashed = 0n;
    for (let jobId = 1n; jobId <= walks; jobId++) {
      await world.commit(jobId, size, threshold);
      const [lies, signed]: [Record<string, typeof lie>, number[]] = [{}, []];
      for (let i = 0; (await world.phaseOf(jobId)) < 5; i++) {
        assert.ok(i < 200, "a walk goes on and on");
        await step(jobId, lies, signed);
      }
      const end = await world.phaseOf(jobId);
      ends[end] = (ends[end] ?? 0) + 1;
      let paid = 0n;
      for (const { address } of operators) paid += await fees.read.paid([jobId, address]);
      assert.equal(paid + (await fees.read.purse([jobId])), funded, "fees");
      if (end !== 5) assert.ok(paid <= reserveFor(size), "no more than for having been there");

      await networkHelpers.time.increase(terms.accusableFor + 1);
      for (let attempt = 1n; attempt <= 3n; attempt++) {
        const draw = await committee.read.drawOf([jobId, attempt]);
        for (let position = 0n; position < draw.count; position++) {
          const isSilent = ((draw.silent >> position) & 1n) === 1n;
          const done = await committee.write.slashSilent([jobId, attempt, position], by).then(
            () => true,
            () => false,
          );
          assert.equal(done, isSilent, `job ${jobId}, attempt ${attempt}, position ${position}`);
          if (done) slashed += terms.silentSlash;
        }
        if (draw.count !== 0) await committee.write.dismiss([jobId, attempt], by);
      }
    }
    assert.deepEqual(Object.keys(ends), ["5", "6", "7"], "every end is met");
    const total = await staking.read.totalStakeAt([BigInt((await networkHelpers.time.latest()) - 1)]);
    let left = 0n;
    for (const [i, { address, account }] of operators.entries()) {
      await validators.write.resign({ account });
      const { duties } = await validators.read.validatorOf([BigInt(i + 1)]);
      assert.equal(duties, 0);
      left += (await staking.read.operatorOf([address])).stake;
    }
    assert.equal(total, left);
    await networkHelpers.time.increase(2 * period + exitDelay);
    for (const id of operators.keys()) {
      await validators.write.release([BigInt(id + 1)], by);
      assert.equal(await world.lockOf(BigInt(id + 1)), 0n, "INV-2");
    }
    const staked = BigInt(operators.length) * 10_000n * 10n ** 18n;
    assert.equal(staked - left, slashed);
    assert.ok(slashed > 0n);
  });
});
