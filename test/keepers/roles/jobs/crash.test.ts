import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { LocalAccount } from "viem";
import type { ChainClient } from "../../../../keepers/src/chain/client.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import type { SessionWrapper } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { type DeathPoint, Life } from "./mortal.ts";
import { tokens, windows } from "./network.ts";
import { cheat, maximumPrice, Scene, type Ticking } from "./scene.ts";

/** A keeper that dies at every transaction that it sends, and is started again from its disk. */
class MortalKeeper implements Ticking {
  deaths = 0;
  readonly #client: ChainClient;
  readonly #point: DeathPoint;
  readonly #open: (chain: ChainClient) => Promise<JobKeeper>;
  readonly #seen = new Set<unknown>();
  #keeper: JobKeeper | undefined;
  #life: Life;

  constructor(client: ChainClient, point: DeathPoint, open: (chain: ChainClient) => Promise<JobKeeper>) {
    this.#client = client;
    this.#point = point;
    this.#open = open;
    this.#life = new Life(client, point, this.#seen);
  }

  get keeper(): JobKeeper {
    return this.#keeper!;
  }

  async tick(): Promise<void> {
    this.#keeper ??= await this.#open(this.#life.chain);
    const keeper = this.#keeper;
    if ((await this.#life.live(() => keeper.tick())) === "lives") return;
    this.deaths++;
    this.#life = new Life(this.#client, this.#point, this.#seen);
    this.#keeper = await this.#open(this.#life.chain);
  }
}

describe("a keeper that is killed", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  /** An auction, won by this provider, to its end. */
  const auction = async (keeper: Ticking) => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const bond = maximumPrice / 10n;
    await consumer.openAuction(described, { commitWindow: 600, revealWindow: 600, bond });
    await scene.untilHolds("the bid", [keeper], () => scene.job(described)!.auction!.bids.size === 1);
    await network.chain.advance(601);
    await scene.untilHolds("the opening of the bid", [keeper], () =>
      [...scene.job(described)!.auction!.bids.values()].every(({ price }) => price !== undefined),
    );
    await network.chain.advance(601);
    await scene.until(described, "Committed", [keeper]);
    await network.outlast(windows.challenge);
    const job = await scene.until(described, "Finalised", [keeper]);
    await scene.settle([keeper], 12);
    return job;
  };

  /** What an account has in the end, and how often anything happened to its job. */
  const books = async ({ address }: LocalAccount, { jobId }: JobRecord) => {
    const { AssayToken, Staking, DisputeGame, Escrow, Market } = scene.network.contracts;
    const { stake, locked } = await Staking.read.operatorOf([address]);
    return {
      stake,
      locked,
      tokens: await AssayToken.read.balanceOf([address]),
      owed: await Promise.all([DisputeGame, Escrow, Market].map(({ read }) => read.creditOf([address]))),
      events: scene.consumer.ledger.eventsOf(jobId),
    };
  };

  for (const point of ["before sending", "after sending"] as const) {
    it(`at each of its transactions, ${point}, ends as one that never was, and spends nothing twice`, async () => {
      const { network } = scene;
      const [steady, mortal] = [scene.account(), scene.account()];
      await scene.stake(steady);
      await scene.stake(mortal);
      const honest = await scene.openProvider(steady);
      const expected = await auction(honest);
      await honest.stop();
      const killed = new MortalKeeper(network.client, point, (chain) =>
        scene.openProvider(mortal, { chain }),
      );
      const job = await auction(killed);
      assert.ok(killed.deaths >= 8, `${killed.deaths} deaths`);
      assert.equal(job.result!.stateRoot, expected.result!.stateRoot);
      assert.equal(job.price, expected.price);
      assert.deepEqual(await books(mortal, job), await books(steady, expected));
      await killed.keeper.stop();
    });
  }

  it("in the middle of training goes on from its last checkpoint to the same state", async () => {
    const { consumer } = scene;
    const reference = await scene.order();
    const other = await scene.provider();
    await consumer.post(reference);
    const expected = await scene.until(reference, "Committed", [other]);
    await other.stop();

    const account = scene.account();
    await scene.stake(account);
    let left = 5;
    let runs = 0;
    const dying: SessionWrapper = (session) => ({
      program: session.program,
      setState: (state) => session.setState(state),
      getState: () => session.getState(),
      close: () => session.close(),
      async run(steps) {
        runs++;
        if (left-- === 0) throw new Error("killed");
        return await session.run(steps);
      },
    });
    const described = await scene.order();
    await consumer.post(described);
    const first = await scene.openProvider(account, { worker: dying });
    await assert.rejects(scene.until(described, "Committed", [first]), /killed/);
    await first.stop();
    assert.equal(scene.job(described)!.status, "Training");
    const second = await scene.openProvider(account, { worker: dying });
    const job = await scene.until(described, "Committed", [second]);
    await second.stop();
    assert.equal(job.result!.stateRoot, expected.result!.stateRoot);
    // Eight intervals, of which one was run twice.
    assert.equal(runs, 9);
  });

  it("at each move of a dispute, on either side, plays it to the same end", async () => {
    const { network, consumer } = scene;
    const [liar, account] = [scene.account(), scene.account()];
    await scene.stake(liar);
    const described = await scene.order();
    const cheater = new MortalKeeper(network.client, "after sending", (chain) =>
      scene.openProvider(liar, { chain, worker: cheat }),
    );
    const watcher = new MortalKeeper(network.client, "before sending", (chain) =>
      scene.openChallenger(account, { chain }),
    );
    await consumer.post(described);
    const job = await scene.until(described, "Failed", [cheater, watcher]);
    await network.chain.advance(windows.dispute + 1);
    await scene.untilHolds("the reward", [watcher], () => watcher.keeper.ledger.isRewarded(job.jobId));
    await scene.settle([watcher], 6);
    assert.ok(watcher.deaths >= 6, `${watcher.deaths} deaths`);
    const challenges = watcher.keeper.ledger.challengesOf(job.jobId);
    assert.deepEqual(
      challenges.map(({ interval, outcome, isSettled }) => [interval, outcome, isSettled]),
      [[4n, "convicted", true]],
    );
    const { stake } = await network.contracts.Staking.read.operatorOf([liar.address]);
    assert.equal(stake, 900n * tokens);
    assert.equal(await network.contracts.DisputeGame.read.creditOf([account.address]), 0n);
    await cheater.keeper.stop();
    await watcher.keeper.stop();
  });
});
