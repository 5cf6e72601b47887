import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import { claimIdOf } from "../../../../keepers/src/core/market/instalments.ts";
import type { DescribedOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { fetchModel, originsOf } from "../../../../keepers/src/roles/consumer/fetch-model.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { JobStatus } from "../../../../keepers/src/roles/jobs/job-record.ts";
import type { SessionWrapper } from "../../../../keepers/src/roles/jobs/job-run.ts";
import type { JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { keptLeaves } from "../../../../keepers/src/roles/jobs/result.ts";
import { TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import { noInterval } from "../../../../keepers/src/training/dispute/moves.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { tokens, windows } from "./network.ts";
import { cheat, digitsConfig, floor, limits, Scene, type Ticking } from "./scene.ts";

/** 8 intervals of 5 steps: checkpoints after 10, 20 and 30 of 40 steps. */
const instalments = 4;

/** A machine that does not come further than a step until it is let. */
class Halting {
  #steps: number;
  #inner: SessionWrapper;

  constructor(steps: number, inner: SessionWrapper = (session) => session) {
    this.#steps = steps;
    this.#inner = inner;
  }

  release(): void {
    this.#steps = Number.POSITIVE_INFINITY;
  }

  readonly worker: SessionWrapper = (session, firstStep) => {
    const inner = this.#inner(session, firstStep);
    let step = firstStep;
    return {
      program: inner.program,
      setState: (state) => inner.setState(state),
      getState: () => inner.getState(),
      close: () => inner.close(),
      run: async (inputs) => {
        if (step + inputs.length > this.#steps) throw new Error("the machine is at rest");
        step += inputs.length;
        return await inner.run(inputs);
      },
    };
  };
}

/** A keeper whose duties fail now and then goes on with the next, as in its own loops. */
const patient = (keeper: JobKeeper): Ticking => ({
  async tick() {
    await keeper.tick().catch(() => undefined);
  },
});

describe("a job that is paid in instalments", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  const order = () => scene.order(digitsConfig, { instalments, trainingTime: 100_000 });

  it("pays for the newest checkpoint that nobody has shown wrong, and the rest at the end", async () => {
    const { network, consumer } = scene;
    const described = await order();
    const machine = new Halting(25);
    const provider = await scene.provider({ worker: machine.worker });
    const watcher = await scene.challenger();
    const keepers = [patient(provider), watcher];
    await consumer.post(described);
    const posted = () => scene.job(described)?.checkpoints ?? [];
    await scene.untilHolds("a checkpoint", keepers, () => posted().length > 0);
    await scene.settle(keepers);
    const { jobId, provider: account } = scene.job(described)!;
    assert.deepEqual(
      posted().map(({ number, steps, paid }) => [number, steps, paid]),
      [[2, 20, undefined]],
    );
    assert.deepEqual(watcher.ledger.challengesOf(jobId), [], "it is right");
    await assert.rejects(fetched(described), /no state that was verified/, "not paid yet");
    const { AssayToken, DisputeGame, Escrow } = network.contracts;
    const before = await AssayToken.read.balanceOf([account!]);
    await network.outlast(windows.challenge);
    await scene.untilHolds("the instalment", keepers, () => posted()[0]!.paid !== undefined);
    await scene.settle(keepers);
    assert.equal(scene.job(described)!.status, "Training");
    assert.equal(posted()[0]!.paid, floor / 2n);
    assert.equal((await AssayToken.read.balanceOf([account!])) - before, floor / 2n, "collected at once");
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), floor / 2n);

    // What was paid for is the consumer's, whatever becomes of the rest.
    const { origin, state } = await fetched(described);
    assert.deepEqual([origin.checkpoint, origin.steps], [2, 20]);
    assert.ok(state.length > 0 && state.some((slot) => slot.some((mantissa) => mantissa !== 0)));
    scene.storage.withheld.add(origin.result.resultId);
    await assert.rejects(fetched(described), /bundles/);
    scene.storage.withheld.clear();

    machine.release();
    await scene.until(described, "Committed", keepers);
    await network.outlast(windows.challenge);
    await scene.until(described, "Finalised", keepers);
    await scene.settle(keepers);
    assert.equal((await fetched(described)).origin.checkpoint, undefined, "the result");
    assert.equal((await AssayToken.read.balanceOf([account!])) - before, floor, "the whole price");
    const { bond } = await gameJob(claimIdOf({ jobId, checkpoint: 2 }));
    assert.equal(bond, 0n);
    assert.deepEqual(provider.ledger.boundClaims(jobId), []);
    assert.equal(await DisputeGame.read.openChallenges([jobId]), 0n);
    await watcher.stop();
    await provider.stop();
  });

  it("attack 24: ends with the first false checkpoint, in the middle of training", async () => {
    const { network, consumer } = scene;
    const described = await order();
    const cheater = await scene.provider({ worker: new Halting(35, cheat).worker });
    const account = scene.account();
    const watcher = await scene.challenger(account);
    const keepers = [patient(cheater), watcher];
    await consumer.post(described);
    const job = await scene.until(described, "Failed", keepers);
    await scene.settle(keepers);
    const [challenge] = watcher.ledger.challengesOf(job.jobId);
    assert.deepEqual([challenge?.checkpoint, challenge?.outcome], [3, "convicted"]);
    assert.notEqual(challenge!.interval, noInterval);
    assert.equal(challenge!.interval, 4n);
    assert.equal(challenge!.claim.steps, 30n);
    const { AssayToken, Escrow, Staking } = network.contracts;
    const { stake, locked } = await Staking.read.operatorOf([job.provider!]);
    // The stake of the job, and the performance bond: a tenth of the deposit.
    assert.deepEqual([stake, locked], [890n * tokens, 0n]);
    assert.equal(job.result, undefined, "nothing was committed to");
    await assert.rejects(fetched(described), /no state that was verified/, "none of it was paid");
    await network.chain.advance(windows.dispute + 1);
    await scene.untilHolds("the reward", keepers, () => watcher.ledger.isRewarded(job.jobId));
    await scene.settle(keepers);
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), 0n);
    assert.deepEqual(watcher.ledger.boundClaims(job.jobId), [], "the job's own bond is back");
  });

  it("attack: has the leaves of its result stay with a challenger though a checkpoint's are served after them", async () => {
    const described = await order();
    const machine = new Halting(25);
    const provider = await scene.provider({ worker: machine.worker });
    await scene.consumer.post(described);
    const posted = () => scene.job(described)?.checkpoints[0]?.resultId;
    await scene.untilHolds("a checkpoint", [patient(provider)], () => posted() !== undefined);
    machine.release();
    const { jobId, result } = await scene.until(described, "Committed", [patient(provider)]);
    const account = scene.account();
    const real = scene.storage.of(account);
    const fetched: Hex[] = [];
    let refusals = 0;
    const storage: JobStorage = {
      ...real,
      async folder(parameters) {
        const { datasetId } = parameters;
        if (datasetId === posted() && refusals++ === 0) throw new TransportError("not yet");
        await real.folder(parameters);
        fetched.push(datasetId);
      },
    };
    const watcher = await scene.challenger(account, { storage, fetchTime: 60 });
    await scene.untilHolds("both to be fetched", [watcher], async () => {
      await delay(200);
      return fetched.length === 2;
    });
    await scene.settle([watcher]);
    assert.deepEqual(fetched, [result!.resultId, posted()]);
    const folder = join(scene.network.folder, account.address, "jobs", String(jobId));
    const kept = await keptLeaves({ order: described.trainingOrder, result: result!, folder });
    assert.equal(kept?.length, 9);
    await watcher.stop();
    await provider.stop();
  });

  it("has the rest of the deposit back while a late provider's checkpoint waits for its payment", async () => {
    const { network, consumer } = scene;
    const described = await scene.order(digitsConfig, { instalments, trainingTime: 1_000 });
    const provider = await scene.provider({ worker: new Halting(25).worker });
    const janitor = await scene.janitor();
    await consumer.post(described);
    const posted = () => scene.job(described)?.checkpoints ?? [];
    await scene.untilHolds("a checkpoint", [patient(provider)], () => posted().length > 0);
    await provider.stop();
    const { jobId, order } = scene.job(described)!;
    const { Escrow } = network.contracts;
    const price = async () => (await Escrow.read.pursesOf([jobId]))[0];
    const credit = () => Escrow.read.creditOf([order.consumer]);
    const [full, before] = [await price(), await credit()];
    await network.chain.advance(1_001);
    await scene.settle([janitor]);
    assert.equal(await price(), full, "its grace is not over");
    await network.chain.advance(windows.grace + 1);
    await scene.settle([janitor]);
    assert.equal(await price(), floor / 2n, "what the checkpoint may earn");
    assert.equal(scene.job(described)!.status, "Training");
    assert.equal((await credit()) - before, full - floor / 2n);
    await network.outlast(windows.challenge);
    await scene.until(described, "Failed", [janitor]);
    assert.equal(posted()[0]!.paid, floor / 2n);
    assert.equal(await price(), 0n);
    await janitor.stop();
  });

  it("offers no state that was convicted or was not paid, and the newest first", () => {
    const { orderHash } = scene.consumer.ledger.jobsOfConsumer(scene.owner.address)[0]!;
    const job = scene.consumer.jobOf(orderHash)!;
    const [checkpoint] = job.checkpoints;
    const of = (number: number, paid: bigint | undefined) => ({ ...checkpoint!, number, paid });
    const checkpoints = [of(1, 5n), of(2, 5n), of(3, undefined), of(4, 0n)];
    const numbers = (status: JobStatus) =>
      originsOf({ ...job, status, checkpoints }).map((origin) => origin.checkpoint);
    assert.deepEqual(numbers("Failed"), [2, 1]);
    assert.deepEqual(numbers("Void"), [2, 1]);
    assert.deepEqual(numbers("Committed"), [undefined]);
    assert.deepEqual(originsOf({ ...job, status: "Failed", checkpoints: [] }), []);
  });

  /** The consumer fetches what there is of its order. */
  const fetched = async (described: DescribedOrder) =>
    await fetchModel({
      posted: scene.consumer.ledger.order(described.orderHash)!,
      job: scene.job(described)!,
      storage: scene.storage.of(scene.owner),
      executor: nativeExecutor,
      limits,
      folder: join(scene.network.folder, "parts"),
    });

  const gameJob = async (claimId: bigint) => {
    const [, , , , bond] = await scene.network.contracts.DisputeGame.read.jobs([claimId]);
    return { bond };
  };
});
