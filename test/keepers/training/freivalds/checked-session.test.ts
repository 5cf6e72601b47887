import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { nativeEngine, nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { TrainingSession } from "../../../../keepers/src/training/executors/types.ts";
import {
  CheapestWay,
  verificationShare,
  type WayChooser,
} from "../../../../keepers/src/training/freivalds/cheapest-way.ts";
import { openCheckedSession } from "../../../../keepers/src/training/freivalds/checked-session.ts";
import { handedSums } from "../../../../keepers/src/training/freivalds/contractions.ts";
import { openProvider } from "../../../../keepers/src/training/freivalds/provide.ts";
import {
  accumulatorBytes,
  encodeAccumulators,
} from "../../../../keepers/src/training/freivalds/serialize.ts";
import { elementCount } from "../../../../keepers/src/training/onnx/types.ts";
import { fixture } from "../executors/support.ts";
import { changed, seedOf } from "./support.ts";

/** Verifies as long as it is not told to give up. */
class Eager implements WayChooser {
  gaveUp = false;

  next(left: number) {
    return this.gaveUp ? ({ way: "execute", steps: left } as const) : ({ way: "verify", steps: 1 } as const);
  }

  executed(): void {}

  verified(): void {}

  giveUp(): void {
    this.gaveUp = true;
  }
}

describe("a run that is computed again from sums that a stranger hands over", async () => {
  const microBatches = 2;
  const count = 4;
  const { program, objectBytes, state, steps } = fixture("mlp", 8, 8);
  const options = { objectBytes, microBatches };
  const inputs = steps(count, microBatches);

  /** States after each step and witnesses, as the executor gives them; honest sums by step. */
  const right = await (async () => {
    const session = await nativeExecutor.open(program, options);
    const provider = await openProvider(program, options);
    const [states, witnesses, sums] = [[state], [], []] as [Int32Array[][], unknown[], Uint8Array[]];
    await session.setState(state);
    for (const [i, input] of inputs.entries()) {
      sums.push(encodeAccumulators(program, await provider.accumulators(states[i]!, input.objects)));
      witnesses.push(...(await session.run([input])));
      states.push(await session.getState());
    }
    await session.close();
    await provider.close();
    return { states, witnesses, sums };
  })();

  type Told = { ways: string[]; givenUp: string[]; asked: number[]; events: string[]; chooser: Eager };

  async function opened(
    sums: (step: number) => Uint8Array | Promise<Uint8Array>,
    offered = (step: number) => count - step,
    executor = nativeExecutor,
  ): Promise<{ session: TrainingSession; told: Told }> {
    const told: Told = { ways: [], givenUp: [], asked: [], events: [], chooser: new Eager() };
    let drawn = 0;
    const session = await openCheckedSession({
      ...{ program, options, executor, engine: nativeEngine, firstStep: 0, chooser: told.chooser },
      source: {
        offered,
        async sums(step) {
          told.asked.push(step);
          const bytes = await sums(step);
          told.events.push(`sums ${step}`);
          return bytes;
        },
      },
      onSteps: (way, steps) => told.ways.push(`${way} ${steps}`),
      onGivenUp: (step, reason) => told.givenUp.push(`${step}: ${reason}`),
      draw: () => {
        told.events.push("seed");
        return seedOf(drawn++);
      },
    });
    await session.setState(state);
    return { session, told };
  }

  it("has the executor's states and witnesses, without an execution", async () => {
    const { session, told } = await opened((step) => right.sums[step]!);
    const outputs = [...(await session.run(inputs.slice(0, 3))), ...(await session.run(inputs.slice(3)))];
    assert.deepEqual(outputs, right.witnesses);
    assert.deepEqual(await session.getState(), right.states[count]);
    assert.deepEqual(told.ways, Array(count).fill("verified 1"));
    await session.close();
  });

  it("attack: sums made to fit known vectors: they are drawn when the sums are here, new ones for each step", async () => {
    const { session, told } = await opened((step) => right.sums[step]!);
    await session.run(inputs);
    assert.deepEqual(
      told.events,
      inputs.flatMap((_, step) => [`sums ${step}`, "seed"]),
    );
    await session.close();
  });

  it("attack: one wrong sum anywhere is found, the step executed, and nothing more asked for", async () => {
    const provider = await openProvider(program, options);
    const honest = await provider.accumulators(right.states[1]!, inputs[1]!.objects);
    await provider.close();
    for (const [i, { shape, index }] of handedSums(program).entries()) {
      const at = i % 2 === 0 ? elementCount(shape) - 1 : 0;
      const wrong = encodeAccumulators(program, changed(honest, i % microBatches, i, new Map([[at, 1]])));
      const { session, told } = await opened((step) => (step === 1 ? wrong : right.sums[step]!));
      assert.deepEqual(await session.run(inputs), right.witnesses);
      assert.deepEqual(await session.getState(), right.states[count]);
      assert.deepEqual(told.asked, [0, 1]);
      assert.equal(told.givenUp.length, 1);
      assert.match(told.givenUp[0]!, new RegExp(`^1: [A-Z_]+ ${index}: `));
      assert.deepEqual(told.ways, ["verified 1", "executed 1", `executed ${count - 2}`]);
      await session.close();
    }
  });

  for (const [what, sums] of [
    ["too few bytes", (step: number) => right.sums[step]!.subarray(1)],
    ["too many bytes", (step: number) => Uint8Array.of(...right.sums[step]!, 0)],
    ["no bytes", () => new Uint8Array()],
    ["sums beyond what the product can give", (step: number) => right.sums[step]!.map(() => 0x7f)],
    ["the sums of another step", (step: number) => right.sums[(step + 1) % count]!],
    ["no answer", () => Promise.reject(new BadInputError("nobody is there"))],
  ] as const) {
    it(`attack: ${what}: the run comes out the same, by execution`, async () => {
      const { session, told } = await opened(sums);
      assert.deepEqual(await session.run(inputs), right.witnesses);
      assert.deepEqual(await session.getState(), right.states[count]);
      assert.equal(told.givenUp.length, 1);
      assert.deepEqual(told.asked, [0]);
      await session.close();
    });
  }

  it("executes what lies between the steps that are offered", async () => {
    const { session, told } = await opened(
      (step) => right.sums[step]!,
      (step) => (step === 2 ? 1 : 0),
    );
    assert.deepEqual(await session.run(inputs), right.witnesses);
    assert.deepEqual(await session.getState(), right.states[count]);
    assert.deepEqual(told.ways, ["executed 2", "verified 1", "executed 1"]);
    await session.close();
  });

  it("a failure in the middle leaves the state of before", async () => {
    const failing: typeof nativeExecutor = {
      ...nativeExecutor,
      async open(...parameters) {
        const session = await nativeExecutor.open(...parameters);
        return { ...session, run: () => Promise.reject(new Error("the engine broke")) };
      },
    };
    const { session } = await opened(
      (step) => right.sums[step]!,
      (step) => (step < 2 ? 2 - step : 0),
      failing,
    );
    await session.run(inputs.slice(0, 1));
    await assert.rejects(session.run(inputs.slice(1)), /the engine broke/);
    assert.deepEqual(await session.getState(), right.states[1]);
    await session.close();
  });
});

describe("the cheapest way", () => {
  const { program } = fixture("lenet5", 8, 8);
  const share = verificationShare(program);
  const bytes = accumulatorBytes(program);
  const many = 100;

  /** A chooser that has seen steps executed in so many seconds each. */
  function seen(execute: number, bytesPerSecond: number): CheapestWay {
    const chooser = new CheapestWay({ program, microBatches: 1, bytesPerSecond });
    assert.deepEqual(chooser.next(many), { way: "execute", steps: 1 });
    chooser.executed(1, 10 * execute);
    assert.deepEqual(chooser.next(many), { way: "execute", steps: 1 });
    chooser.executed(4, 4 * execute);
    return chooser;
  }

  it("counts what checks of products save: the more, the larger the batch whose rows they combine", () => {
    const larger = verificationShare(fixture("lenet5", 8, 64).program);
    assert.ok(0 < larger && larger < share / 2 && share < 1, `${larger} ${share}`);
  });

  it("tries where transfer and the share of the products stay below an execution, and nowhere else", () => {
    const execute = 1;
    const fits = bytes / (execute * (1 - share));
    assert.equal(seen(execute, 1.01 * fits).next(many).way, "verify");
    assert.deepEqual(seen(execute, 0.99 * fits).next(many), { way: "execute", steps: many });
    assert.deepEqual(seen(execute, Number.POSITIVE_INFINITY).next(3), { way: "execute", steps: 3 });
  });

  it("believes what was measured, transfer included, either way", () => {
    for (const [verify, way] of [
      [2.9, "verify"],
      [3.1, "execute"],
    ] as const) {
      const chooser = seen(4, bytes);
      for (const seconds of [5, verify]) {
        assert.equal(chooser.next(many).way, "verify");
        chooser.verified(seconds);
      }
      assert.equal(chooser.next(1).way, way);
    }
  });

  it("asks for nothing over a link that carries nothing, and for nothing more once it has given up", () => {
    assert.equal(new CheapestWay({ program, microBatches: 1, bytesPerSecond: 0 }).next(many).way, "execute");
    const chooser = seen(1, Number.POSITIVE_INFINITY);
    chooser.giveUp();
    assert.deepEqual(chooser.next(many), { way: "execute", steps: many });
  });
});
