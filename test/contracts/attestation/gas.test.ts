import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, size as sizeOf } from "viem";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { createWorld } from "./world.ts";

describe("gas of an attestation", () => {
  const recorded: Record<string, number> = {};
  for (const [size, threshold] of [
    [9, 5],
    [64, 64],
  ] as const) {
    it(`${threshold} of ${size}`, async () => {
      const world = await createWorld(size === 9 ? 12 : 70);
      const { committee, gasOf } = world;
      const gas: Record<string, number> = {};
      const note = async (name: string, hash: Hex): Promise<void> => {
        gas[name] = await gasOf(hash);
        const { input } = await world.publicClient.getTransaction({ hash });
        recorded[`${threshold} of ${size}, ${name}, bytes`] = sizeOf(input);
      };
      await note("enrol", await world.enrol(await world.enlist(900)));
      await world.commit(1n, size, threshold);
      await world.deliver(1n);
      await note("draw", await committee.write.draw([1n]));
      const drawn = await world.drawnOf(1n);
      const leaves = world.leavesOf(
        drawn,
        Array.from({ length: threshold }, (_, i) => i),
      );
      await note("attest", await committee.write.attest([1n, world.statementOf(drawn, leaves)]));
      const openings = world.openingsOf(leaves);
      await note("openWitnesses", await committee.write.openWitnesses([1n, openings]));
      await note("reveal", await committee.write.reveal([1n, world.hashesOf(leaves), []]));
      // The map to the curve takes two to six exponentiations, by the message.
      const jobs = size === 9 ? [2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n] : [];
      for (const jobId of jobs) {
        await world.commit(jobId, size, threshold);
        const again = await world.draw(jobId);
        const others = world.leavesOf(again, [0, 1, 2, 3, 4]);
        const used = await gasOf(await committee.write.attest([jobId, world.statementOf(again, others)]));
        gas.attest = Math.max(gas.attest!, used);
      }
      for (const [name, used] of Object.entries(gas)) recorded[`${threshold} of ${size}, ${name}`] = used;
      if (size === 9) assert.ok(gas.attest! <= 300_000, `posting costs ${gas.attest}`);
      assert.ok(isProduction || Object.values(gas).every((each) => each < 30_000_000));
    });
  }

  it("is what is on record", { skip: !isProduction && "only with --build-profile production" }, () => {
    matchSnapshot("attestationGas.json", tableOf(recorded));
  });
});
