import assert from "node:assert/strict";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { checkpointFile, checkpointLeaves } from "../../../../keepers/src/core/exact/result-files.ts";
import { compileJob, openJob } from "../../../../keepers/src/roles/jobs/job-program.ts";
import { fetchResult, publishedState } from "../../../../keepers/src/roles/jobs/result.ts";
import { ExecutedRun } from "../../../../keepers/src/training/dispute/own-run.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { windows } from "./network.ts";
import { limits, Scene } from "./scene.ts";

describe("checkpoints that are stored with a result", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("save whoever checks one interval the steps before it, and wrong ones are found out and passed over", async () => {
    const { network, consumer, storage, owner } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const { result } = await scene.until(described, "Committed", [provider]);
    const posted = consumer.ledger.order(described.orderHash)!;
    const folder = join(network.folder, "checks");
    const stored = storage.of(owner);
    const { compiled, order } = await compileJob(posted, { storage: stored, folder, limits });
    const { program } = compiled;
    const parameters = { storage: stored, program, order, result: result!, folder };
    const { leaves } = await fetchResult(parameters);
    assert.deepEqual(checkpointLeaves(order), [1, 3, 4, 6]);

    const wrong: number[] = [];
    const published = {
      program,
      order,
      folder,
      leaves: leaves!,
      onWrong: (leaf: number) => wrong.push(leaf),
    };
    const stepOf = async (step: number) => (await publishedState(published, step))?.step;
    assert.deepEqual(
      [await stepOf(4), await stepOf(5), await stepOf(29), await stepOf(40)],
      [undefined, 5, 20, 30],
    );

    // The last interval, from the first state and from the checkpoint before it: the same root.
    const job = await openJob(await compileJob(posted, { storage: stored, folder, limits }), {
      storage: stored,
      folder,
      limits,
    });
    const counted = async (nearest: (step: number) => Promise<{ step: number; state: Int32Array[] }>) => {
      let steps = 0;
      const executor: Executor = {
        ...nativeExecutor,
        async open(...args) {
          const session = await nativeExecutor.open(...args);
          const run = session.run.bind(session);
          session.run = (inputs) => {
            steps += inputs.length;
            return run(inputs);
          };
          return session;
        },
      };
      const { source, options } = job;
      const own = new ExecutedRun({ program, order, source, executor, options, nearest });
      const roots = await own.stateRoots([35, 40]);
      await own.close();
      return { roots, steps };
    };
    const first = { step: 0, state: initialState(program, order.seed) };
    const slow = await counted(async () => first);
    const fast = await counted(async (step) => (await publishedState(published, step)) ?? first);
    assert.deepEqual(fast.roots, slow.roots);
    assert.deepEqual([slow.steps, fast.steps], [40, 10]);
    assert.deepEqual(wrong, []);

    // One is swapped for another, one is cut, one is gone.
    const at = (leaf: number) => join(folder, "result", checkpointFile(leaf));
    await rename(at(6), at(4));
    await writeFile(at(3), new Uint8Array(8));
    assert.equal(await stepOf(40), 5);
    assert.deepEqual(wrong, [6, 4, 3]);
    await rm(at(1));
    assert.equal(await stepOf(40), undefined, "from the first state on");
    await job.close();
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
  });
});
