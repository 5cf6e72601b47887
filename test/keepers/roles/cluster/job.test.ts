import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Registry } from "prom-client";
import type { LocalAccount } from "viem";
import { writeDeployment } from "../../../../keepers/src/chain/deployment.ts";
import { Payroll, payrollSchema } from "../../../../keepers/src/roles/provider/payroll.ts";
import { WorkerDesk } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { bookSchema, WorkerBook } from "../../../../keepers/src/roles/worker/book.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { loadOrCreateIdentity } from "../../../../keepers/src/storage/transport/identity.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { PartsExecutor } from "../../../../keepers/src/training/executors/parts.ts";
import { newRun } from "../../../../keepers/src/training/trainer/new-run.ts";
import { prepare } from "../../../../keepers/src/training/trainer/prepare.ts";
import { readLogs } from "../../../../keepers/src/training/trainer/progress.ts";
import { openRun } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { CliProcess } from "../../cli/cli-process.ts";
import { freePort } from "../../cli/terminal.ts";
import { tokens } from "../jobs/network.ts";
import { digitsConfig, Scene } from "../jobs/scene.ts";
import { log } from "./support.ts";

const perChunk = 10n ** 15n;
const terms = { perChunk, budget: 20n * tokens, copies: 2, checkShare: 0.1, chunks: 8 };
const config = { ...digitsConfig, microBatch: 8, microBatches: 8, steps: 32, interval: 4 };

/** Steps that the provider may make, so that the job lasts while processes are started and killed. */
const pace = { allowed: 0, made: 0 };
const paced: PartsExecutor = {
  ...nativeExecutor,
  async openUpdate(program, options) {
    const update = await nativeExecutor.openUpdate(program, options);
    const next: typeof update.next = async (state, sums, learningRate) => {
      while (pace.made >= pace.allowed) await delay(20);
      pace.made++;
      return await update.next(state, sums, learningRate);
    };
    return { next, close: () => update.close() };
  },
};

describe("a job that worker processes train, on a chain", { timeout: 600_000 }, () => {
  let scene: Scene;
  const workers = new Set<CliProcess>();

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    for (const worker of workers) await worker.kill();
    await scene?.close();
  });

  const until = async (what: string, holds: () => boolean | Promise<boolean>) => {
    const end = Date.now() + 240_000;
    while (!(await holds())) {
      assert.ok(Date.now() < end, `waited in vain for ${what}`);
      await scene.consumer.tick();
      await delay(200);
    }
  };

  const folderOf = ({ address }: LocalAccount) => join(scene.network.folder, address);

  /** A provider with a desk at this port, at work. */
  async function startProvider(account: LocalAccount, port: number) {
    const host = await createHost({
      localNetwork: true,
      privateKey: await loadOrCreateIdentity(folderOf(account)),
      listen: [`/ip4/127.0.0.1/tcp/${port}`],
    });
    const desk = await WorkerDesk.open({ host, log });
    const metrics = new Registry();
    const crew = { desk, terms, executor: paced };
    const keeper = await scene.openProvider(account, { crew, metrics, interval: 200 });
    keeper.run();
    return {
      desk,
      address: host.getMultiaddrs()[0]!.toString(),
      /** Results that were paid for since it was started. */
      async paid(): Promise<number> {
        const { values } = (await metrics.getSingleMetric("assay_worker_results_total")!.get()) as {
          values: { value: number; labels: { outcome?: string } }[];
        };
        const paid = values.filter(({ labels }) => ["agreed", "checked"].includes(labels.outcome!));
        return paid.reduce((sum, { value }) => sum + value, 0);
      },
      async stop() {
        await keeper.stop();
        await desk.close();
        await host.stop();
      },
    };
  }

  /** Looks at what a keeper that is stopped has on disk. */
  function inspect<T>(
    path: string,
    schema: typeof payrollSchema | typeof bookSchema,
    look: (state: State) => T,
  ): T {
    const state = openState({ path: join(path, "state.sqlite"), schemas: [schema] });
    try {
      return look(state);
    } finally {
      state.close();
    }
  }

  /** Roots and witnesses of the same training by one engine. */
  async function alone() {
    const dataset = await scene.storage.of(scene.owner).objects(scene.datasetId, "");
    const folder = join(scene.network.folder, "alone");
    const prepared = await prepare({ config, folder, open: async () => dataset });
    const session = await nativeExecutor.open(prepared.compiled.program, prepared.options);
    try {
      const run = await newRun({ path: join(folder, "run"), config, prepared, session });
      await train({ run, session, source: prepared.source, checkpoint: { every: 32 } });
      const { trace, witnesses } = await readLogs(run);
      return { roots: trace.map(({ stateRoot }) => stateRoot), witnesses };
    } finally {
      await session.close();
      await prepared.close();
    }
  }

  it("outlives kill -9 of a worker and a restart of the provider, gives the trace of a lone run, pays whom it left out", async () => {
    const { network, consumer } = scene;
    const { chain, contracts } = network;
    const [provider, kept, shunned] = [scene.account(), scene.account(), scene.account()];
    await scene.stake(provider);
    const described = await scene.order(config);
    await consumer.post(described);
    const port = await freePort();
    const first = await startProvider(provider, port);
    await until("the job to train", () => scene.job(described)?.status === "Training");
    const jobId = scene.job(described)!.jobId;
    const hash = `0x${"00".repeat(32)}` as const;
    const keyHashes = { possession: hash, covering: hash, registration: hash };
    const deployment = writeDeployment({ ...network.deployment, keyHashes }, join(network.folder, "cli"));
    const file = join(network.folder, "worker.yaml");
    await writeFile(file, "least-pay: 0.001\nmost-unpaid: 10000\nthreads: 1\nmetrics-port: 0\n");
    const start = async (account: LocalAccount) => {
      const index = [provider, kept, shunned].indexOf(account) + 2;
      const worker = await CliProcess.start({
        rpcUrl: chain.rpcUrl,
        deployment,
        home: folderOf(account),
        privateKey: chain.privateKey(index),
        command: ["worker", "run", first.address, "--config", file],
      });
      workers.add(worker);
      return worker;
    };
    const [before, other] = await Promise.all([start(kept), start(shunned)]);
    const done = async (provider: typeof first, results: number) => {
      const already = await provider.paid();
      await until("results of workers", async () => {
        if (pace.made === pace.allowed) pace.allowed++;
        return (await provider.paid()) >= already + results;
      });
    };
    await until("both workers", () => first.desk.members === 2);
    await done(first, 16);
    await before!.kill();
    await until("the desk to miss it", () => first.desk.members === 1);
    const again = await start(kept);
    await until("the worker to come back", () => first.desk.members === 2);
    await done(first, 16);
    const served = async (path: string) => (await fetch(`${again!.ready.telemetry}${path}`)).text();
    assert.match(await served("/metrics"), /assay_delivered_chunks_total\{verdict="\w+"\} [1-9]/);
    assert.match(await served("/healthz"), /"provider":\{"ok":true/);

    // The provider goes in the middle of the job, and forgets what it owes to one of its workers.
    await other!.kill();
    const stopped = first.stop();
    pace.allowed = Number.POSITIVE_INFINITY;
    await stopped;
    assert.equal(scene.job(described)!.status, "Training");
    const owed = inspect(folderOf(provider), payrollSchema, (state) => {
      const totals = new Payroll(state).contributions(jobId);
      state.run("DELETE FROM payroll WHERE worker = ?", shunned.address);
      return totals.reduce((sum, { total }) => sum + total, 0n);
    });
    assert.equal(owed, BigInt(await first.paid()) * perChunk, "each result was paid once");

    const second = await startProvider(provider, port);
    await until("the result", () => scene.job(described)?.status === "Committed");
    const run = await openRun(join(folderOf(provider), "jobs", String(jobId), "run"));
    const { trace, witnesses } = await readLogs(run);
    assert.deepEqual({ roots: trace.map(({ stateRoot }) => stateRoot), witnesses }, await alone());

    const { AssayToken, WorkerRewards } = contracts;
    const round = () => WorkerRewards.read.roundOf([jobId, provider.address]);
    await until("the root of the pay", async () => (await round()).forceUntil > 0);
    await start(shunned);
    await until("its demand", async () => (await round()).openDemands === 1);
    await until("the pay of the other", async () => (await AssayToken.read.balanceOf([kept.address])) > 0n);
    await chain.advance(86_400 + 1);
    await until(
      "pay out of the surety",
      async () => (await AssayToken.read.balanceOf([shunned.address])) > 0n,
    );
    for (const worker of workers) await worker.stop();
    await second.stop();
    const book = (account: LocalAccount) =>
      inspect(join(folderOf(account), "worker"), bookSchema, (state) =>
        new WorkerBook(state).find({ rewards: WorkerRewards.address, jobId, provider: provider.address }),
      )!;
    const { total } = book(shunned);
    assert.equal(await AssayToken.read.balanceOf([shunned.address]), total + total / 20n);
    const keptTotal = inspect(folderOf(provider), payrollSchema, (state) =>
      new Payroll(state).total(jobId, kept.address),
    );
    assert.equal(await AssayToken.read.balanceOf([kept.address]), keptTotal);
    assert.ok(book(kept).total <= keptTotal);
  });
});
