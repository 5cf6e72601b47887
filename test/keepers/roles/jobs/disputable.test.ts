import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Logger, pino } from "pino";
import { describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { cheat, digitsConfig, maximumPrice, Scene } from "./scene.ts";
import { tightFor } from "./tight-machine.ts";

/** A log, and the reasons that it gives. */
function listening(): { log: Logger; reasons: string[] } {
  const reasons: string[] = [];
  const write = (line: string) => {
    const { msg, reason } = JSON.parse(line) as { msg: string; reason?: string };
    reasons.push(`${msg}: ${reason}`);
  };
  return { log: pino({ level: "info" }, { write }), reasons };
}

const tooLarge =
  /a dispute takes \d+ MiB of memory here, of \d+ micro-batches a step: it may take \d+ MiB; with fewer/;

describe("a job whose disputes a machine has no memory for", { timeout: 300_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: is bid for by no provider with that machine, and by another one", async () => {
    const described = await scene.order();
    const { log, reasons } = listening();
    const tight = await scene.provider({ limits: await tightFor(described), log });
    await scene.consumer.post(described);
    await scene.settle([tight], 3);
    assert.equal(scene.job(described), undefined);
    assert.match(reasons.find((each) => each.startsWith("order refused"))!, tooLarge);
    await tight.stop();
    const able = await scene.provider();
    await scene.until(described, "Training", [able]);
    await able.stop();
  });

  it("attack: has no challenger with that machine put up a bond for it, whatever was committed to", async () => {
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [cheater]);
    const { log, reasons } = listening();
    const tight = await scene.challenger(scene.account(), { limits: await tightFor(described), log });
    const found = () => reasons.find((each) => each.startsWith("the result is wrong, and is not challenged"));
    await scene.untilHolds("its look at the job", [tight], () => found() !== undefined);
    assert.match(found()!, tooLarge);
    await scene.settle([tight], 2);
    assert.deepEqual(tight.ledger.challengesOf(jobId), []);
    const able = await scene.challenger();
    await scene.until(described, "Failed", [able, cheater]);
    await cheater.stop();
  });
});

describe("an order that is described", { timeout: 120_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  /** What the consumer is told of an order, where moves have this window. */
  async function problemsOf(window: number): Promise<string[]> {
    const problems: string[] = [];
    await describeOrder({
      consumer: scene.owner.address,
      config: digitsConfig,
      dataset: await scene.storage.of(scene.owner).objects(scene.datasetId, ""),
      folder: scene.network.folder,
      executor: nativeExecutor,
      conditions: { maximumPrice, trainingTime: 3_600 },
      expiry: BigInt(await scene.network.chain.now()) + 7_200n,
      disputes: { clocks: { window, extension: window }, onProblem: (each) => problems.push(each) },
    });
    return problems;
  }

  it("attack: is said to be one that nobody could dispute, with the number and what to do", async () => {
    const [problem, ...others] = await problemsOf(0.001);
    assert.deepEqual(others, []);
    assert.match(problem!, /takes \d+ s here.*: a move of a dispute is to take 0 s; (with fewer|a smaller)/);
    assert.deepEqual(await problemsOf(14_400), []);
  });
});
