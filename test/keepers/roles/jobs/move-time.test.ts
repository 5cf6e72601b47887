import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { stateFileBytes } from "../../../../keepers/src/core/exact/result-files.ts";
import { mostSecondsOfMove, spacingOf } from "../../../../keepers/src/roles/jobs/move-time.ts";
import type { LoadedConfig } from "../../../../keepers/src/training/config/load-config.ts";
import { checkConfig } from "../../../../keepers/src/training/config/parse.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { listCheckpoints } from "../../../../keepers/src/training/trainer/checkpoint.ts";
import { checkpointFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { digitsModel } from "../../training/trainer/fixture.ts";
import { digitsConfig, Scene } from "./scene.ts";

const { program } = digitsModel();
const clocks = { window: 14_400, extension: 600 };
const plenty = Number.POSITIVE_INFINITY;

describe("the time of a move", () => {
  it("is half of what every other dispute adds to a deadline", () => {
    assert.equal(mostSecondsOfMove(clocks), 300);
    assert.equal(mostSecondsOfMove({ window: 200, extension: 600 }), 100);
  });

  it("is a share of the window where other disputes add nothing", () => {
    assert.equal(mostSecondsOfMove({ window: 14_400, extension: 0 }), 450);
  });
});

describe("checkpoints of a run", () => {
  const order = { steps: 100_000, interval: 50 };

  it("are sixteen where that is enough, each at the end of an interval", () => {
    const spacing = spacingOf({ order, program, secondsPerStep: 0.01, clocks, room: plenty });
    assert.deepEqual(spacing, { every: 6_250, problem: undefined });
  });

  it("attack: lie so close that a move is computed in its time, however long the run is", () => {
    const spacing = spacingOf({ order, program, secondsPerStep: 1, clocks, room: plenty });
    assert.deepEqual(spacing, { every: 300, problem: undefined });
  });

  it("name an interval that takes longer than a move may", () => {
    const { every, problem } = spacingOf({ order, program, secondsPerStep: 7, clocks, room: plenty });
    assert.equal(every, order.interval);
    assert.match(problem!, /an interval takes 350 s here: a move of a dispute is to take 300 s/);
  });

  it("name a disk that has no room for them, and lie as close as it lets them", () => {
    const room = 100 * stateFileBytes(program);
    const { every, problem } = spacingOf({ order, program, secondsPerStep: 1, clocks, room });
    assert.equal(every, 1_000);
    assert.match(problem!, /checkpoints would lie 1000 s apart, for more there is no room/);
  });
});

describe("a provider whose steps take long", { timeout: 120_000 }, () => {
  let scene: Scene;
  /** Seconds that a step seems to take while it is measured. */
  let seconds = 0;

  const executor: Executor = {
    ...nativeExecutor,
    async open(...args) {
      const session = await nativeExecutor.open(...args);
      const run = session.run.bind(session);
      session.run = async (steps) => {
        // Training takes whole intervals.
        if (steps.length <= 3) await delay(steps.length * seconds * 1_000);
        return run(steps);
      };
      return session;
    },
  };
  const config = (steps: number) =>
    checkConfig(
      { ...digitsConfig, model: { kind: "mlp", hidden: [16] }, steps, interval: 5 } as never,
      "the test's configuration",
    ) as LoadedConfig;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: refuses an order whose challenges it could not answer in time, right as its work would be", async () => {
    seconds = 1.2;
    const described = await scene.order(config(10));
    const provider = await scene.provider({ executor });
    await scene.consumer.post(described);
    await scene.settle([provider], 4);
    assert.equal(scene.job(described), undefined);
    seconds = 0;
    await scene.until(described, "Training", [await scene.provider({ executor })]);
    await provider.stop();
  });

  it("keeps more states of a long run, so that a move begins near its step", async () => {
    seconds = 0.8;
    const described = await scene.order(config(200));
    const provider = await scene.provider({ executor });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    const run = join(
      scene.network.folder,
      provider.ledger.job(jobId)!.provider!,
      "jobs",
      String(jobId),
      "run",
    );
    const steps = await listCheckpoints(checkpointFolder({ path: run }));
    assert.equal(steps.length, 200 / 5 + 1);
  });
});
