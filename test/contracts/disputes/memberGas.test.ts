import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { intervalsOf } from "../../../keepers/src/core/attestation/statement.ts";
import type { ClaimedRun } from "../../../keepers/src/training/dispute/claimed-run.ts";
import { createCommitteeJob, size } from "../attestation/committee-job.ts";
import { isProduction, matchGas } from "../snapshots.ts";
import { opcodePlaces, storyOf } from "./game/lenet.ts";
import { lenetJob, otherMantissa } from "./game/scenes.ts";
import { nameStep, towards } from "./game/shams.ts";
import { runOf } from "./game/told-run.ts";

const [steps, interval, step] = [9_370, 16, 4_711];
const disputed = Math.floor(step / interval);
/** What no move may exceed, what all of them together may not, and what the slash after them may not. */
const most = 300_000;
const mostInAll = 1_300_000;
const mostOfSlash = 400_000;
const mostTransactions = 12;

describe("a dispute over what a member has signed, for LeNet-5", async () => {
  const [initialRoot] = (await storyOf(lenetJob(steps, 16, interval), step)).roots;
  const scene = await createCommitteeJob((datasetId) =>
    lenetJob(steps, 16, interval, { initialRoot: initialRoot!, datasetId }),
  );
  const { job, networkHelpers, memberGame, challenger } = scene;
  const honest = await storyOf(job, step);

  /** Commits, and draws a committee of which somebody has the interval in question. */
  const drawn = await (async () => {
    const before = await networkHelpers.takeSnapshot();
    for (let tries = 1; ; tries++) {
      await networkHelpers.time.increase(60 * tries);
      await scene.commit(runOf(honest));
      const found = await scene.draw();
      for (let position = 0; position < size; position++) {
        const number = intervalsOf(found, position).indexOf(disputed);
        if (number !== -1) return { draw: found, position, number };
      }
      await before.restore();
    }
  })();
  const snapshot = await networkHelpers.takeSnapshot();
  afterEach(() => snapshot.restore());

  const onRecord: Record<string, number> = {};
  const all = [...opcodePlaces(job)];
  const chosen = isProduction ? all : all.filter(([opcode]) => opcode === "CONV");
  for (const [opcode, place] of chosen) {
    it(`takes at most ${mostTransactions} transactions and ${mostInAll} gas, for a lie in ${opcode}`, async () => {
      const liar = honest.withTensor(step, place, otherMantissa(honest.tensors(step)[place]!));
      const { draw, position, number } = drawn;
      // The member lies by itself: the trace is right.
      const run: ClaimedRun = { ...runOf(liar), leaves: () => runOf(honest).leaves() };
      const runs = Array.from({ length: size }, (_, i) => (i === position ? run : runOf(honest)));
      const leaves = await scene.leavesOf(draw, runs);
      await scene.attest(draw, leaves);
      const { id, step: first } = await scene.accuse(position, number, challenger.account);
      const member = {
        run,
        account: scene.seatAt(draw, position).account,
        signed: scene.siblingsOf(draw, leaves, position, number),
      };
      const accuser = { own: runOf(honest), account: challenger.account };
      const { steps: played, ending } = await scene.play(id, accuser, member, {
        pick(round, stage) {
          if (stage === "Step") return nameStep(liar, round, step % interval);
          return stage === "Node" ? towards(liar, round, place) : undefined;
        },
      });
      // A member that has no answer is convicted by its silence.
      const rest = ending === "stuck" ? await scene.timeOut(id) : [];
      const moves = [first, ...played, ...rest];
      const punishment = await scene.measured("punish", await memberGame.write.punish([id]));
      const total = moves.reduce((sum, { gas }) => sum + gas, 0);
      assert.ok(moves.length <= mostTransactions, `${moves.length} transactions`);
      if (isProduction) {
        for (const { name, gas } of moves) assert.ok(gas <= most, `${name} ${gas}`);
        assert.ok(punishment.gas <= mostOfSlash, `punish ${punishment.gas}`);
        assert.ok(total <= mostInAll, `${total} gas`);
      }
      onRecord[`${opcode}, transactions`] = moves.length;
      onRecord[`${opcode}, total`] = total;
      onRecord[`${opcode}, largest`] = Math.max(...moves.map(({ gas }) => gas));
      onRecord[`${opcode}, accuse`] = first.gas;
      onRecord[`${opcode}, punish`] = punishment.gas;
    });
  }

  it("costs what is on record", { skip: !isProduction }, () => {
    // What was signed names a time, which every move carries.
    matchGas("disputeMember.json", onRecord, 1_000);
  });
});
