import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createInstance } from "../zk/trapdoor.ts";
import { createWorld } from "./deployment.ts";
import { buildDataset } from "./reference.ts";

const tokens = 10n ** 18n;
const shape = { objectCount: 4n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };

describe("storage with the real beacon, verifier and staking", async () => {
  it("anchor, place, audit, miss, slash, repair, release, close: everyone is paid and nothing is left", async () => {
    const world = await createWorld();
    const { datasets, bundles, audit, staking, token, operators, networkHelpers } = world;
    const [one, two, three, four] = operators as [
      (typeof operators)[0],
      (typeof operators)[0],
      (typeof operators)[0],
      (typeof operators)[0],
    ];
    const dataset = buildDataset(shape, 5n);
    const { id } = await world.anchor(dataset, 3);
    const signed = await Promise.all([one, two, three].map((each, i) => world.sign(dataset, id, i, each)));
    await bundles.write.place([signed]);
    const ids = [0, 1, 2].map((i) => world.bundleId(id, i));
    const answer = async (bundle: `0x${string}`, epoch: number) => {
      const { evaluation, proof } = await world.proveBundle(bundle, epoch);
      await audit.write.answer([bundle, epoch, evaluation, proof]);
    };

    // Operators two and three answer, one does not.
    const first = await world.nextEpoch();
    await answer(ids[1]!, first);
    await answer(ids[2]!, first);
    const [, , closesAt] = await audit.read.windowOf([first]);
    await networkHelpers.time.increaseTo(closesAt + 1n);
    await audit.write.callTimeout([ids[0]!, first], { account: three.account });
    await networkHelpers.time.increaseTo(closesAt + 3_700n);
    await audit.write.slashMissed([ids[0]!, first]);
    const { stake, locked } = await staking.read.operatorOf([one.account.address]);
    assert.deepEqual([stake, locked], [49_920n * tokens, 0n]);

    // Operator four restores the bundle, proves it under the next seed, and is paid after its first answer.
    const fresh = await world.nextEpoch();
    await bundles.write.placeProven(await world.placeProven(dataset, id, 0, four, fresh));
    const second = await world.nextEpoch();
    for (const each of ids) await answer(each, second);
    for (const each of ids) await audit.write.claim([each]);
    const { reporterShare } = { reporterShare: (await staking.read.parameters())[1] };
    const unburnt = (80n * tokens * BigInt(reporterShare)) / 10_000n;
    assert.equal(await bundles.read.creditOf([three.account.address]), unburnt / 10n);
    assert.equal(await bundles.read.creditOf([four.account.address]), unburnt - unburnt / 10n);
    assert.deepEqual(
      await Promise.all(
        [one, two, three, four].map((each) => datasets.read.creditOf([each.account.address])),
      ),
      [0n, 2n * tokens, 2n * tokens, tokens],
    );

    // The end: released by anyone, closed by the owner; unspent fees and the bond go back.
    const { endEpoch } = await datasets.read.datasetOf([id]);
    await networkHelpers.time.increaseTo(await datasets.read.settledAt([endEpoch]));
    for (const each of ids) await bundles.write.release([each]);
    await datasets.write.close([id]);
    assert.equal(await datasets.read.creditOf([world.owner.account.address]), 64n * tokens);
    for (const { account } of [two, three, four]) {
      await datasets.write.withdrawCredit([account.address], { account });
    }
    await datasets.write.withdrawCredit([world.owner.account.address]);
    for (const { account } of [three, four]) {
      await bundles.write.withdrawBounty([account.address], { account });
    }
    assert.equal(await token.read.balanceOf([datasets.address]), 0n);
    assert.equal(await token.read.balanceOf([bundles.address]), 0n);
  });

  it("attack 14, 16: proofs of another epoch, bundle or key do not count", async () => {
    const world = await createWorld();
    const { bundles, audit, operators } = world;
    const dataset = buildDataset(shape, 5n);
    const { id } = await world.anchor(dataset, 3);
    const signed = await Promise.all([0, 1, 2].map((i) => world.sign(dataset, id, i, operators[i]!)));
    await bundles.write.place([signed]);
    const [a, b] = [world.bundleId(id, 0), world.bundleId(id, 1)];
    const first = await world.nextEpoch();
    const old = await world.proveBundle(a, first);
    const forged = await world.proveBundle(a, first, 7n, createInstance(4, 1_234n));
    await assert.rejects(audit.write.answer([a, first, 7n, forged.proof]), /WrongProof/);
    await assert.rejects(audit.write.answer([b, first, 7n, old.proof]), /WrongProof/);
    await assert.rejects(audit.write.answer([a, first, 8n, old.proof]), /WrongProof/);
    const second = await world.nextEpoch();
    await assert.rejects(audit.write.answer([a, second, 7n, old.proof]), /WrongProof/);
  });

  it("a cover of three bundles is registered and answered with real proofs", async () => {
    const world = await createWorld();
    const { bundles, audit, datasets, operators } = world;
    const wide = { objectCount: 3n, objectSize: 900, segmentObjects: 1, k: 2, n: 3, encrypted: false };
    const dataset = buildDataset(wide, 6n);
    const { id } = await world.anchor(dataset, 3);
    const [holder] = operators;
    const signed = await Promise.all([0, 3, 6].map((i) => world.sign(dataset, id, i, holder!)));
    await bundles.write.place([signed]);
    const ids = [0, 3, 6].map((i) => world.bundleId(id, i));
    const registration = await world.proveRegistration(ids, 42n);
    await bundles.write.registerCover([ids, 42n, registration], { account: holder!.account });
    const { coverId } = await bundles.read.holdingOf([ids[0]!]);
    const epoch = await world.nextEpoch();
    const { evaluation, cells, proof } = await world.proveCover(coverId, ids, epoch);
    await audit.write.answerCover([coverId, epoch, evaluation, cells, proof]);
    for (const each of ids) await audit.write.claim([each]);
    assert.equal(await datasets.read.creditOf([holder!.account.address]), 3n * tokens);
  });
});
