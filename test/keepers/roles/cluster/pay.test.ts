import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Registry } from "prom-client";
import type { Address, LocalAccount } from "viem";
import { connectContracts, encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../../keepers/src/chain/deployment.ts";
import {
  createTransactionQueue,
  type Intent,
  type TransactionQueue,
} from "../../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../../keepers/src/chain/transactions/store.ts";
import { runningTotalTypedData } from "../../../../keepers/src/core/market/contributions.ts";
import { ClusterMetrics } from "../../../../keepers/src/roles/cluster/metrics.ts";
import { JobLedger, jobLedgerSchema } from "../../../../keepers/src/roles/jobs/job-ledger.ts";
import { JobMetrics } from "../../../../keepers/src/roles/jobs/job-metrics.ts";
import type { JobStatus } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { Crew } from "../../../../keepers/src/roles/provider/crew.ts";
import { Paymaster } from "../../../../keepers/src/roles/provider/paymaster.ts";
import { Payroll, payrollSchema } from "../../../../keepers/src/roles/provider/payroll.ts";
import type { ShareFinder } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { bookSchema, type SignedTotal, WorkerBook } from "../../../../keepers/src/roles/worker/book.ts";
import { Claimer, type Share } from "../../../../keepers/src/roles/worker/claimer.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { type JobNetwork, startJobNetwork } from "../jobs/network.ts";
import { log } from "./support.ts";

const jobId = 7n;
const surety = 1_000n;

describe("pay of workers, on the real contract", { timeout: 240_000 }, () => {
  let network: JobNetwork;
  let deployment: Deployment;
  before(async () => {
    network = await startJobNetwork();
    ({ deployment } = network);
  });
  after(() => network.close());

  function context(account: LocalAccount) {
    const { client } = network;
    const schemas = [transactionSchema, jobLedgerSchema, payrollSchema, bookSchema];
    const state = openState({ path: ":memory:", schemas });
    after(() => state.close());
    return {
      state,
      operator: account.address,
      client,
      deployment,
      contracts: connectContracts(client.public, deployment),
      agreed: { client, contracts: connectContracts(client.public, deployment) },
      queue: createTransactionQueue({ client, state, account, pollInterval: 20 }),
      log,
      ledger: new JobLedger(state),
      metrics: new JobMetrics(new Registry()),
    };
  }

  type Signed = Pick<SignedTotal, "jobId" | "total"> & {
    readonly provider: LocalAccount;
    share(): Promise<Share | undefined>;
  };

  /** A worker with a total that its provider has countersigned. */
  async function claimerOf(account: LocalAccount, { provider, jobId, total, share }: Signed) {
    const theirs = context(account);
    const book = new WorkerBook(theirs.state);
    const name = { rewards: deployment.addresses.WorkerRewards!, jobId, provider: provider.address };
    const message = { jobId, worker: account.address, total };
    const domain = { chainId: deployment.chainId, rewards: name.rewards };
    const signature = await provider.signTypedData(runningTotalTypedData(message, domain));
    book.write({ ...name, total, signature, address: "/ip4/127.0.0.1/tcp/1" });
    return { claimer: new Claimer({ ...theirs, book, share }), book };
  }

  it("claims, answers, includes and forces out of the surety: everybody has what was countersigned", async () => {
    const { chain } = network;
    const provider = chain.account(1);
    const [paid, short, shunned, leftOut] = [
      chain.account(2),
      chain.account(3),
      chain.account(4),
      chain.account(5),
    ] as const;
    await network.give(provider.address, 10_000n);
    const own = context(provider);
    const payroll = new Payroll(own.state);
    let find: ShareFinder | undefined;
    const desk = { tellShares: (told: ShareFinder) => (find = told) };
    const crew = new Crew({
      ...own,
      account: provider,
      executor: nativeExecutor,
      metrics: new ClusterMetrics(new Registry(), { members: 0 }),
      payroll,
      desk: desk as never,
      terms: { perChunk: 10n, budget: surety, copies: 2, checkShare: 1, chunks: 8 },
    });
    const run = { run: undefined } as never;
    await crew.prepare(jobId, run);
    await crew.prepare(jobId, run);
    const { WorkerRewards: rewards } = own.contracts;
    assert.equal((await rewards.read.roundOf([jobId, provider.address])).surety, surety, "opened once");

    // A worker, and what it has signed; the payroll has forgotten some of it.
    payroll.add(jobId, [paid.address], 30n, undefined);
    payroll.add(jobId, [short.address], 20n, undefined);
    payroll.add(jobId, [shunned.address], 25n, undefined);
    const share = async (worker: Address) => find!(jobId, worker);
    const signed = (account: LocalAccount, total: bigint, asks = share) =>
      claimerOf(account, { provider, jobId, total, share: () => asks(account.address) });
    const all = [
      await signed(paid, 30n),
      await signed(short, 28n),
      await signed(shunned, 25n, async () => undefined),
      await signed(leftOut, 40n),
    ];
    const tick = async () => {
      for (const { claimer } of all) await claimer.tick();
    };
    const paymaster = new Paymaster({ ...own, payroll, desk });
    await tick();
    payroll.trained(jobId);
    await paymaster.tick();
    assert.equal((await rewards.read.roundOf([jobId, provider.address])).deposit, 75n);
    await tick();
    assert.equal((await rewards.read.roundOf([jobId, provider.address])).openDemands, 3);
    await paymaster.tick();
    assert.equal(
      (await rewards.read.roundOf([jobId, provider.address])).openDemands,
      1,
      "one nobody knows of",
    );
    await chain.advance(86_400 + 1);
    await tick();
    await tick();
    const balances: bigint[] = [];
    for (const { address } of [paid, short, shunned, leftOut]) {
      balances.push(await own.contracts.AssayToken.read.balanceOf([address as Address]));
    }
    // A tenth of what was not answered goes on top, half of it burnt.
    assert.deepEqual(balances, [30n, 28n, 25n, 42n]);
    assert.deepEqual(
      all.map(({ book }) => book.unsettled().length),
      [0, 0, 0, 0],
    );

    await chain.advance(31 * 86_400);
    await paymaster.tick();
    assert.deepEqual(payroll.rounds(), []);
    const left = await own.contracts.AssayToken.read.balanceOf([provider.address]);
    assert.equal(left, 10_000n - 75n - 8n - 40n - 4n, "the rest of the surety came back");
  });

  it("ends the round of a provider that has vanished without a root, and takes the pay out of its surety", async () => {
    const { chain } = network;
    const [provider, worker] = [chain.account(8), chain.account(9)];
    await network.give(provider.address, 10_000n);
    const own = context(provider);
    const payroll = new Payroll(own.state);
    const crew = new Crew({
      ...own,
      account: provider,
      executor: nativeExecutor,
      metrics: new ClusterMetrics(new Registry(), { members: 0 }),
      payroll,
      desk: { tellShares: () => undefined } as never,
      terms: { perChunk: 10n, budget: surety, copies: 2, checkShare: 1, chunks: 8 },
    });
    await crew.prepare(21n, { run: undefined } as never);

    const share = async () => undefined;
    const { claimer, book } = await claimerOf(worker, { provider, jobId: 21n, total: 40n, share });
    const { WorkerRewards: rewards } = own.contracts;
    const forceUntil = async () => (await rewards.read.roundOf([21n, provider.address])).forceUntil;

    await claimer.tick();
    assert.equal(await forceUntil(), 0, "the provider still has time");
    await chain.advance(90 * 86_400);
    await claimer.tick();
    assert.notEqual(await forceUntil(), 0, "a root over nobody is posted");
    await claimer.tick();
    await chain.advance(86_400 + 1);
    for (let i = 0; i < 3; i++) await claimer.tick();
    // Half of the tenth that an unanswered demand costs on top goes to the worker.
    assert.equal(await own.contracts.AssayToken.read.balanceOf([worker.address]), 42n);
    assert.deepEqual(book.unsettled(), []);
  });

  it("attack: a round is opened although one endpoint says that it is there, and one that is there is no failure", async () => {
    const provider = network.chain.account(21);
    await network.give(provider.address, 10_000n);
    const own = context(provider);
    const { roundOf } = own.contracts.WorkerRewards.read;
    const openedAt = async () => (await roundOf([51n, provider.address])).openedAt;
    const lying = (openedAt: number) => {
      const read = { roundOf: async () => ({ openedAt }) };
      const { AssayToken } = own.contracts;
      return { AssayToken, WorkerRewards: { read } } as unknown as typeof own.contracts;
    };
    const prepare = async (budget: bigint, changes: Partial<typeof own>) => {
      const crew = new Crew({
        ...{ ...own, ...changes, account: provider, executor: nativeExecutor },
        ...{ payroll: new Payroll(own.state), desk: {} as never },
        metrics: new ClusterMetrics(new Registry(), { members: 0 }),
        terms: { perChunk: 10n, budget, copies: 2, checkShare: 1, chunks: 8 },
      });
      await crew.prepare(51n, { run: undefined } as never);
    };
    await prepare(surety, { contracts: lying(1) });
    const opened = await openedAt();
    assert.notEqual(opened, 0);
    // All of them are behind, and the terms have changed: the contract refuses it.
    const behind = lying(0);
    await prepare(surety + 1n, { contracts: behind, agreed: { client: own.client, contracts: behind } });
    assert.equal(await openedAt(), opened);
  });

  it("opens and settles rounds side by side: none of them uses up what another may pull", async () => {
    const provider = network.chain.account(6);
    await network.give(provider.address, 10_000n);
    const own = context(provider);
    const payroll = new Payroll(own.state);
    const desk = { tellShares: () => undefined };
    let isCutOff = false;
    const queue = {
      address: own.queue.address,
      isBegun: (key: string) => own.queue.isBegun(key),
      pending: () => own.queue.pending(),
      wait: (key: string) => own.queue.wait(key),
      async send(intent: Intent) {
        if (isCutOff && intent.key.startsWith("open-round")) throw new Error("no endpoint answers");
        return own.queue.send(intent);
      },
    } as TransactionQueue;
    const parts = { ...own, queue, payroll };
    const crew = new Crew({
      ...parts,
      account: provider,
      executor: nativeExecutor,
      metrics: new ClusterMetrics(new Registry(), { members: 0 }),
      desk: desk as never,
      terms: { perChunk: 10n, budget: surety, copies: 2, checkShare: 1, chunks: 8 },
    });
    const paymaster = new Paymaster({ ...parts, desk });
    const run = { run: undefined } as never;
    const depositOf = async (id: bigint) =>
      (await own.contracts.WorkerRewards.read.roundOf([id, provider.address])).deposit;
    const suretyOf = async (id: bigint) =>
      (await own.contracts.WorkerRewards.read.roundOf([id, provider.address])).surety;

    await crew.prepare(11n, run);
    payroll.add(11n, [network.chain.account(7).address], 30n, undefined);
    payroll.trained(11n);
    // What was approved for the second round is used up by the pay of the first.
    isCutOff = true;
    await assert.rejects(crew.prepare(12n, run), /no endpoint answers/);
    await paymaster.tick();
    assert.equal(await depositOf(11n), 30n);
    await own.queue.send({
      ...encodeCall(deployment, "AssayToken", "approve", [deployment.addresses.WorkerRewards!, 0n]),
      key: "another program",
    });
    isCutOff = false;
    await crew.prepare(12n, run);
    assert.equal(await suretyOf(12n), surety);

    payroll.add(12n, [network.chain.account(7).address], 50n, undefined);
    payroll.trained(12n);
    await Promise.all([crew.prepare(13n, run), paymaster.tick(), crew.prepare(14n, run)]);
    assert.deepEqual([await suretyOf(13n), await depositOf(12n), await suretyOf(14n)], [surety, 50n, surety]);
    const rewards = deployment.addresses.WorkerRewards!;
    assert.equal(await own.contracts.AssayToken.read.allowance([provider.address, rewards]), 0n);
  });

  /** A provider with a round that is open on chain, and a desk that tells what the newest paymaster has it tell. */
  async function openRound(provider: LocalAccount, jobId: bigint) {
    await network.give(provider.address, 10_000n);
    const own = context(provider);
    let find: ShareFinder | undefined;
    const desk = { tellShares: (told: ShareFinder) => (find = told) };
    const crew = new Crew({
      ...own,
      account: provider,
      executor: nativeExecutor,
      metrics: new ClusterMetrics(new Registry(), { members: 0 }),
      payroll: new Payroll(own.state),
      desk: desk as never,
      terms: { perChunk: 10n, budget: surety, copies: 2, checkShare: 1, chunks: 8 },
    });
    await crew.prepare(jobId, { run: undefined } as never);
    let status: JobStatus = "Training";
    const ledger = { job: () => ({ status }) } as unknown as JobLedger;
    return {
      own,
      round: () => own.contracts.WorkerRewards.read.roundOf([jobId, provider.address]),
      /** The job ends, though it is not trained. */
      expire: () => (status = "Expired"),
      find: (worker: Address) => find!(jobId, worker),
      /** A keeper that was started on what is on disk. */
      start(queue = own.queue) {
        const payroll = new Payroll(own.state);
        return { payroll, paymaster: new Paymaster({ ...own, ledger, queue, payroll, desk }) };
      },
    };
  }

  it("settles a job that ends while it trains by the root that was posted, whatever is added to it, and after a restart", async () => {
    const { chain } = network;
    const provider = chain.account(10);
    const [early, late, last] = [chain.account(11), chain.account(12), chain.account(13)];
    const { own, round, expire, find, start } = await openRound(provider, 31n);
    const { payroll, paymaster } = start();
    payroll.add(31n, [early.address], 30n, undefined);
    payroll.add(31n, [late.address], 20n, undefined);
    await paymaster.tick();
    assert.equal(find(early.address), undefined, "nothing is settled while it trains");
    expire();
    await paymaster.tick();
    assert.equal((await round()).deposit, 50n);
    // What was under way is taken and signed for until the workers notice the root.
    payroll.add(31n, [late.address], 10n, undefined);
    payroll.add(31n, [last.address], 10n, undefined);

    const again = start();
    assert.deepEqual(
      [early, late, last].map(({ address }) => find(address)?.total),
      [30n, 20n, undefined],
    );
    const all: { readonly claimer: Claimer }[] = [];
    for (const [account, total] of [
      [early, 30n],
      [late, 30n],
      [last, 10n],
    ] as const) {
      const share = async () => find(account.address);
      all.push(await claimerOf(account, { provider, jobId: 31n, total, share }));
    }
    const tick = async () => {
      for (const { claimer } of all) await claimer.tick();
    };
    await tick();
    assert.equal((await round()).deposit, 0n, "the root is claimed from");
    assert.equal((await round()).openDemands, 2);
    await again.paymaster.tick();
    assert.equal((await round()).openDemands, 0);
    await tick();
    const balances: bigint[] = [];
    for (const { address } of [early, late, last]) {
      balances.push(await own.contracts.AssayToken.read.balanceOf([address]));
    }
    assert.deepEqual(balances, [30n, 30n, 10n]);
    assert.equal((await round()).surety, surety, "no demand had to be forced");
    await chain.advance(31 * 86_400);
    await again.paymaster.tick();
    assert.deepEqual(again.payroll.rounds(), []);
    assert.equal(await own.contracts.AssayToken.read.balanceOf([provider.address]), 10_000n - 70n);
  });

  it("answers a demand under a root by that root, although more was added since", async () => {
    const { chain } = network;
    const [provider, worker, other] = [chain.account(14), chain.account(15), chain.account(16)];
    const { own, round, expire, start } = await openRound(provider, 32n);
    const { payroll, paymaster } = start();
    payroll.add(32n, [worker.address], 30n, undefined);
    payroll.add(32n, [other.address], 20n, undefined);
    expire();
    await paymaster.tick();
    payroll.add(32n, [other.address], 10n, undefined);
    const share = async () => undefined;
    const { claimer } = await claimerOf(worker, { provider, jobId: 32n, total: 30n, share });
    await claimer.tick();
    assert.equal((await round()).openDemands, 1);
    await paymaster.tick();
    const { openDemands, deposit } = await round();
    assert.deepEqual({ openDemands, deposit }, { openDemands: 0, deposit: 20n }, "out of what was paid in");
    assert.equal(await own.contracts.AssayToken.read.balanceOf([provider.address]), 10_000n - surety - 50n);
  });

  it("closes a round whose opening the provider never heard of, and forgets one that was never opened", async () => {
    const { chain } = network;
    for (const [id, isSent] of [
      [35n, true],
      [36n, false],
    ] as const) {
      const provider = chain.account(20);
      await network.give(provider.address, 10_000n);
      const own = context(provider);
      const killed = {
        address: own.queue.address,
        isBegun: (key: string) => own.queue.isBegun(key),
        pending: () => own.queue.pending(),
        wait: (key: string) => own.queue.wait(key),
        async send(intent: Intent) {
          if (!intent.key.startsWith("open-round")) return own.queue.send(intent);
          if (isSent) await own.queue.send(intent);
          throw new Error("killed");
        },
      } as TransactionQueue;
      const crew = new Crew({
        ...{ ...own, queue: killed },
        account: provider,
        executor: nativeExecutor,
        metrics: new ClusterMetrics(new Registry(), { members: 0 }),
        payroll: new Payroll(own.state),
        desk: { tellShares: () => undefined } as never,
        terms: { perChunk: 10n, budget: surety, copies: 2, checkShare: 1, chunks: 8 },
      });
      await assert.rejects(crew.prepare(id, { run: undefined } as never), /killed/);

      let status: JobStatus = "Training";
      const ledger = { job: () => ({ status }) } as unknown as JobLedger;
      const payroll = new Payroll(own.state);
      const desk = { tellShares: () => undefined };
      const paymaster = new Paymaster({ ...own, ledger, payroll, desk });
      await paymaster.tick();
      assert.deepEqual(payroll.rounds(), [{ jobId: id, trained: false }], "it may train yet");
      status = "Expired";
      await paymaster.tick();
      const { forceUntil } = await own.contracts.WorkerRewards.read.roundOf([id, provider.address]);
      assert.equal(forceUntil !== 0, isSent, "a root is posted where a surety lies");
      if (isSent) await chain.advance(31 * 86_400);
      await paymaster.tick();
      assert.deepEqual(payroll.rounds(), []);
      assert.equal(
        await own.contracts.AssayToken.read.balanceOf([provider.address]),
        id === 35n ? 10_000n : 20_000n,
      );
    }
  });

  it("posts after a kill the root that it was about to post, and no other", async () => {
    const { chain } = network;
    const [provider, worker, other] = [chain.account(17), chain.account(18), chain.account(19)];
    for (const [jobId, isSent] of [
      [33n, false],
      [34n, true],
    ] as const) {
      const { own, round, expire, find, start } = await openRound(provider, jobId);
      const killed = {
        address: own.queue.address,
        isBegun: (key: string) => own.queue.isBegun(key),
        pending: () => own.queue.pending(),
        async send(intent: Intent) {
          if (!intent.key.startsWith("pay:")) return own.queue.send(intent);
          if (isSent) await own.queue.submit(intent);
          throw new Error("killed");
        },
      } as TransactionQueue;
      const { payroll, paymaster } = start(killed);
      payroll.add(jobId, [worker.address], 30n, undefined);
      payroll.add(jobId, [other.address], 20n, undefined);
      expire();
      await assert.rejects(paymaster.tick(), /killed/);
      payroll.add(jobId, [other.address], 10n, undefined);
      await start().paymaster.tick();
      const { deposit, workers } = await round();
      assert.deepEqual({ deposit, workers }, { deposit: 50n, workers: 2 });
      assert.equal(find(other.address)?.total, 20n);
      const { claimer, book } = await claimerOf(worker, {
        ...{ provider, jobId, total: 30n },
        share: async () => find(worker.address),
      });
      await claimer.tick();
      await claimer.tick();
      assert.deepEqual(book.unsettled(), [], "its share is proven");
    }
  });
});
