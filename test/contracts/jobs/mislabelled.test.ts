import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import { openObject, rawPlace } from "../../../keepers/src/training/dispute/objects.ts";
import { playOn } from "../disputes/game/arena.ts";
import { mlpJob } from "../disputes/game/scenes.ts";
import { nameStep, towards } from "../disputes/game/shams.ts";
import { Job, Story } from "../disputes/game/story.ts";
import { openedNode, runOf } from "../disputes/game/told-run.ts";
import { challengerBond, createLockedJob, deposit, feesOf, stake } from "./locked-job.ts";

const [step, microBatches, steps, interval] = [0, 2, 5, 2];
const failedStatus = 9;

/**
 * A job on data of which one sample of the first step has a label that is none of the classes, as its owner may have stored it,
 * and the story of a provider that has computed one step of five, on another sample: all states behind it are hashes of nothing.
 */
async function createScene() {
  const { program, objects } = mlpJob();
  const size = { microBatches, steps, interval };
  const sample = mlpJob().objectAt(step, 0, 0);
  const stored = objects.map((object, i) => (i === sample ? object.with(-1, 5) : object));
  const ordered = new Job(program, stored, size);
  const locked = await createLockedJob({
    order: ordered.order,
    nodeCounts: program.tapes.map((tape) => tape.length) as [number, number, number],
    witnessNode: program.witness,
    slots: program.state.length,
  });
  const { datasetId, networkHelpers, publicClient, provider, challenger, viem } = locked;
  const { order } = new Job(program, stored, { ...size, datasetId });
  const job = Object.assign(new Job(program, objects, size), { order });
  const whole = new Story(job);
  const told = Story.ofStep(job, {
    step,
    state: whole.states[step]!,
    after: whole.states[step + 1]!,
    tensors: whole.tensors(step),
  });
  const game = await viem.getContractAt("DisputeGame", locked.game.address);
  const parts = { game, networkHelpers, publicClient, bond: challengerBond };
  const sides = playOn({ ...parts, provider: provider.account, challenger: challenger.account });
  return { ...locked, ...sides, game, job, told, sample, stored };
}

describe("a sample that no class fits", async () => {
  const scene = await createScene();
  const { jobs, game, staking, escrow, provider, challenger, consumer, job, told, sample, stored } = scene;

  it("attack: gives a liar no way out, when a friend shows it before an honest challenge is won", async () => {
    await scene.commit(await runOf(told).leaves());
    const honest = await scene.challenge(told, 0, 1n);
    const friend = (await scene.viem.getWalletClients()).at(-1)!;
    const { id } = await scene.challenge(told, 0, 1n, friend.account);
    const label = job.program.target;
    const node = await openedNode(told, step, label);
    const source = new MemoryObjects(
      "stored",
      job.order.objectBytes,
      new Uint8Array(stored.flatMap((each) => [...each])),
    );
    const played = await scene.playOut(id, told, told, {
      account: friend.account,
      async pick(round, stage) {
        if (stage === "Step") return nameStep(told, round, step);
        if (stage === "Node") return towards(told, round, label);
        if (stage !== "Leaf") return undefined;
        const { node: input } = node;
        assert.equal(input.opcode, "INPUT");
        const object = await openObject(source, sample, rawPlace(input as Parameters<typeof rawPlace>[0], 0));
        return { book: "input", name: "ruleInput", args: [node.whole(0), object] };
      },
    });
    assert.equal(played.ending, "convicted");
    assert.equal((await jobs.read.jobOf([1n])).status, failedStatus);
    await jobs.write.settle([1n]);
    const credits = await Promise.all(
      [consumer, provider].map(({ account }) => escrow.read.creditOf([account.address])),
    );
    assert.deepEqual(credits, [deposit + feesOf(0), 0n], "the deposit is the consumer's again");
    assert.equal(await staking.read.lockedBy([provider.account.address, jobs.address]), 0n);
    assert.equal(
      (await staking.read.operatorOf([provider.account.address])).stake,
      stake,
      "all that was locked",
    );
    await game.write.settle([honest.id]);
    const back = await game.read.creditOf([challenger.account.address]);
    assert.ok(back > challengerBond, "who challenged honestly has its bond and its moves paid");
  });
});
