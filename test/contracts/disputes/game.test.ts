import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { finishOf } from "../../../keepers/src/core/exact/ops/evaluate.ts";
import type { Move, Round, StageName } from "../../../keepers/src/training/dispute/moves.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { createArena, type Step } from "./game/arena.ts";
import { cnnJob, mlpJob, otherExponent, otherMantissa } from "./game/scenes.ts";
import { nameStep, towards } from "./game/shams.ts";
import { type Job, type Lie, Story } from "./game/story.ts";
import { openedNode } from "./game/told-run.ts";

const arena = await createArena();
let jobs = 0n;

/** The lie is challenged in its own step; where it does not reach the state, nobody else would notice it. */
async function dispute(
  honest: Story,
  lie: Lie,
  more: { ask?: boolean; tilt?: bigint } = {},
): Promise<{ steps: Step[]; last: string }> {
  const liar = new Story(honest.job, lie, honest);
  const id = ++jobs;
  await arena.open(liar, id);
  const opened = await arena.challenge(liar, Math.floor(lie.step / honest.job.order.interval), id);
  const pick = async (round: Round, stage: StageName): Promise<Move | undefined> => {
    if (stage === "Step") return nameStep(liar, round, lie.step - Number(round.position.firstStep));
    if (stage === "Node" && "place" in lie) return towards(liar, round, lie.place);
    if (stage !== "Element" || !more.ask || !("place" in lie)) return undefined;
    const { descriptor } = await openedNode(honest, lie.step, lie.place);
    const { mantissas } = liar.tensors(lie.step)[lie.place]!;
    const out = mantissas.findIndex((m, i) => m !== honest.tensors(lie.step)[lie.place]!.mantissas[i]);
    return { book: "range", name: "askSums", args: [descriptor, BigInt(out)] };
  };
  const played = await arena.playOut(opened.id, honest, liar, { pick, tilt: more.tilt });
  const steps = [opened.step, ...played.steps];
  if (played.ending === "stuck") steps.push(...(await arena.timeOut(opened.id)));
  const [, , , count] = await arena.claims.read.convictions([id]);
  const story = steps.map(({ name }) => name).join(", ");
  assert.equal(count, 1, `${story} ended ${played.ending} at ${played.last}`);
  return { steps, last: played.last };
}

const total = (steps: readonly Step[]): number => steps.reduce((sum, { gas }) => sum + gas, 0);

/** The first place of every opcode. */
function opcodePlaces(job: Job): Map<string, number> {
  const places = new Map<string, number>();
  for (const [number, { tape, node }] of job.places.entries()) {
    const { opcode } = job.program.tapes[tape][node]!;
    if (!places.has(opcode)) places.set(opcode, number);
  }
  return places;
}

describe("a lie is convicted", async () => {
  const gas: Record<string, number> = {};
  for (const [name, make] of [
    ["mlp", mlpJob],
    ["residual network", cnnJob],
  ] as const) {
    const job = make();
    const honest = new Story(job);
    const step = job.order.steps - 2;

    it(`in a mantissa of every opcode of a ${name}`, async () => {
      for (const [opcode, place] of opcodePlaces(job)) {
        const { steps } = await dispute(honest, { step, place, change: otherMantissa });
        assert.ok(steps.length <= 12, `${opcode}: ${steps.length} transactions`);
        for (const each of steps) {
          gas[`move ${each.name}`] = Math.max(gas[`move ${each.name}`] ?? 0, each.gas);
        }
        gas[`${name}, ${opcode}, total`] = total(steps);
        gas[`${name}, ${opcode}, transactions`] = steps.length;
      }
    });

    it(`in the exponent of every requantised opcode of a ${name}, both ways`, async () => {
      for (const [opcode, place] of opcodePlaces(job)) {
        const { tape, node } = job.places[place]!;
        if (finishOf(job.program.tapes[tape][node]!).kind !== "requantize") continue;
        const small = await dispute(honest, { step, place, change: otherExponent(-1) });
        assert.equal(small.last, "Leaf", opcode);
        const large = await dispute(honest, { step, place, change: otherExponent(1) });
        assert.equal(large.last, "Witness", opcode);
        gas[`${name}, ${opcode}, exponent too small, total`] = total(small.steps);
      }
    });

    it(`in a sum that the challenger narrows, of a ${name}`, async () => {
      for (const [opcode, place] of opcodePlaces(job)) {
        const node = await openedNode(honest, step, place);
        if (node.node.opcode === "LOAD" || !node.isNarrowed) continue;
        const honestSums = await dispute(honest, { step, place, change: otherMantissa }, { ask: true });
        assert.equal(honestSums.steps.at(-1)!.name, "ruleTotal", opcode);
        const tilted = await dispute(honest, { step, place, change: otherMantissa }, { ask: true, tilt: 1n });
        assert.equal(tilted.steps.at(-1)!.name, "ruleSum", opcode);
      }
    });

    it(`in a state that is not what was stored, of a ${name}`, async () => {
      for (const slot of [0, job.program.state.length - 1]) {
        const { last } = await dispute(honest, {
          step,
          state: (state) =>
            state.map((values, i) => (i === slot ? values.map((v, j) => (j === 0 ? v ^ 1 : v)) : values)),
        });
        assert.equal(last, "StateName");
      }
    });
  }

  it("at a cost that is on record", { skip: !isProduction && "only with --build-profile production" }, () => {
    matchSnapshot("disputeMoves.json", tableOf(gas));
  });
});
