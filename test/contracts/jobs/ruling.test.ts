import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { parseEther } from "viem";
import { playOn } from "../disputes/game/arena.ts";
import { opcodePlaces, storyOf } from "../disputes/game/lenet.ts";
import { lenetJob, otherMantissa } from "../disputes/game/scenes.ts";
import { nameStep, towards } from "../disputes/game/shams.ts";
import { runOf } from "../disputes/game/told-run.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { challengerBond, createLockedJob, deposit, feesOf, stake } from "./locked-job.ts";

const [steps, interval, step] = [9_370, 16, 4_711];
/** What no transaction of a dispute may exceed. */
const most = 300_000;
const failed = 9;

/** LeNet-5, batches of 64, in a trace of which one step exists; a committee has been asked for. */
async function createScene() {
  const { order, program } = lenetJob(steps, 16, interval);
  const [initialRoot] = (await storyOf(lenetJob(steps, 16, interval), step)).roots;
  const locked = await createLockedJob({
    order: { ...order, initialRoot: initialRoot! },
    nodeCounts: program.tapes.map((tape) => tape.length) as [number, number, number],
    witnessNode: program.witness,
    slots: program.state.length,
    committeeSize: 9,
  });
  const { datasetId, networkHelpers, publicClient, provider, challenger, viem } = locked;
  const game = await viem.getContractAt("DisputeGame", locked.game.address);
  const job = lenetJob(steps, 16, interval, { initialRoot: initialRoot!, datasetId });
  const parts = { game, networkHelpers, publicClient, bond: challengerBond };
  const sides = playOn({ ...parts, provider: provider.account, challenger: challenger.account });
  return { ...locked, ...sides, game, job, honest: await storyOf(job, step) };
}

describe("the ruling of a dispute, and the settlement after it", async () => {
  const scene = await createScene();
  const { jobs, game, staking, escrow, networkHelpers, provider, challenger, consumer, job, honest } = scene;
  const snapshot = await networkHelpers.takeSnapshot();
  afterEach(() => snapshot.restore());

  /** Plays a lie in one tensor to its end; gives back every move of both sides. */
  async function convict(place: number) {
    const liar = honest.withTensor(step, place, otherMantissa(honest.tensors(step)[place]!));
    await scene.commit(await runOf(liar).leaves());
    const { id, step: first } = await scene.challenge(liar, Math.floor(step / interval), 1n);
    const played = await scene.playOut(id, honest, liar, {
      pick(round, stage) {
        if (stage === "Step") return nameStep(liar, round, step % interval);
        return stage === "Node" ? towards(liar, round, place) : undefined;
      },
    });
    // A provider that has no answer is convicted by its silence.
    if (played.ending === "stuck") return [first, ...played.steps, ...(await scene.timeOut(id))];
    assert.equal(played.ending, "convicted");
    return [first, ...played.steps];
  }

  const onRecord: Record<string, number> = {};
  const all = [...opcodePlaces(job)];
  const chosen = isProduction ? all : all.filter(([opcode]) => opcode === "CONV");
  for (const [opcode, place] of chosen) {
    it(`cost at most ${most} gas each, for a lie in ${opcode}`, async () => {
      const moves = await convict(place);
      assert.equal((await jobs.read.jobOf([1n])).status, failed);
      assert.equal(await staking.read.lockedBy([provider.account.address, jobs.address]), stake);
      const hash = await jobs.write.settle([1n], { account: challenger.account });
      const settlement = await scene.measured("settle", hash);
      assert.equal((await staking.read.operatorOf([provider.account.address])).stake, stake);
      assert.ok((await staking.read.creditOf([challenger.account.address])) > 0n);
      assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit + feesOf(9));
      for (const { name, gas } of isProduction ? [...moves, settlement] : []) {
        assert.ok(gas <= most, `${name} ${gas}`);
      }
      onRecord[`${opcode}, transactions`] = moves.length;
      onRecord[`${opcode}, total`] = moves.reduce((sum, { gas }) => sum + gas, 0);
      onRecord[`${opcode}, last`] = moves.at(-1)!.gas;
      onRecord[`${opcode}, settlement`] = settlement.gas;
      const credit = await game.read.creditOf([challenger.account.address]);
      assert.ok(credit > parseEther("0.0132"), "bond and refunds");
    });
  }

  it("cost in all what is on record", { skip: !isProduction }, () => {
    matchSnapshot("disputeRegistry.json", tableOf(onRecord));
  });
});
