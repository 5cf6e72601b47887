import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import { type Address, getAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { ClusterMetrics } from "../../../../keepers/src/roles/cluster/metrics.ts";
import { clusterProtocol, type PayTerms } from "../../../../keepers/src/roles/cluster/protocol.ts";
import type { JobRun } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { Crew, type CrewParts } from "../../../../keepers/src/roles/provider/crew.ts";
import { jobRecords, Payroll, payrollSchema } from "../../../../keepers/src/roles/provider/payroll.ts";
import type { OfferedJob } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import type { SignedTotal } from "../../../../keepers/src/roles/worker/book.ts";
import { RoundOverError, UnfairProviderError } from "../../../../keepers/src/roles/worker/errors.ts";
import { mostAtRisk } from "../../../../keepers/src/roles/worker/risk.ts";
import type { WorkerOptions } from "../../../../keepers/src/roles/worker/worker.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { TaintedRunError } from "../../../../keepers/src/training/cluster/errors.ts";
import { StateForm } from "../../../../keepers/src/training/cluster/forms.ts";
import { MemoryRecords, type WorkerRecords } from "../../../../keepers/src/training/cluster/records.ts";
import { ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { PartsExecutor } from "../../../../keepers/src/training/executors/parts.ts";
import { intervalHash, traceRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { findResumption, readLogs } from "../../../../keepers/src/training/trainer/progress.ts";
import type { RunFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { bent } from "../../training/cluster/support.ts";
import { digits, newRun } from "../../training/trainer/fixture.ts";
import { log, startDesk, startWorker } from "./support.ts";

const engine = { objectBytes: 65, microBatches: 8 };
const salt = `0x${"5a".repeat(32)}` as const;
const order = { microBatches: 8, steps: 12, interval: 4 };

/** What a run leaves behind: the state's root, the trace's root, every witness commitment. */
async function remains(run: RunFolder, session: Parameters<typeof train>[0]["session"]) {
  const { stateRoot } = await train({ run, session, source: digits.source, checkpoint: { every: 4 } });
  const { witnesses, trace } = await readLogs(run);
  // Each run has a salt of its own: with one and the same, traces must have one root.
  const leaves = trace.map(({ stateRoot }, leaf) => {
    return { stateRoot, h: leaf === 0 ? trace[0]!.h : intervalHash(salt, leaf - 1, witnesses[leaf - 1]!) };
  });
  return { stateRoot, witnesses, traceRoot: traceRootOf(leaves, run.order) };
}

async function alone() {
  const run = await newRun(order);
  const session = await nativeExecutor.open(run.program, engine);
  const result = await remains(run, session);
  await session.close();
  return result;
}

type Setup = {
  copies?: number;
  checkShare?: number;
  records?: WorkerRecords;
  pay?: OfferedJob["pay"];
  executors?: readonly PartsExecutor[];
  mostAtRisk?: WorkerOptions["mostAtRisk"];
  accept?: WorkerOptions["accept"];
};

/** A run whose chunks go over the network to these engines. */
async function together({
  copies = 1,
  checkShare = 0,
  records = new MemoryRecords(),
  pay,
  executors = [nativeExecutor],
  mostAtRisk,
  accept = async () => undefined,
}: Setup) {
  const run = await newRun(order);
  const session = await ClusterSession.open(nativeExecutor, run.program, engine, {
    chunkSize: 1,
    copies,
    checkShare,
    secret: randomBytes(32),
    records,
    firstStep: 0,
    patience: 500,
  });
  const desk = await startDesk({ session, engine, chunkSize: 1, ...(pay !== undefined && { pay }) });
  const workers = await Promise.all(
    executors.map((executor) => startWorker(desk.address, { executor, mostAtRisk, accept })),
  );
  // Chunks of the first step must find their workers there.
  while (desk.desk.members < executors.length) await new Promise((resolve) => setTimeout(resolve, 10));
  try {
    return { result: await remains(run, session), workers };
  } finally {
    desk.desk.withdraw();
    await Promise.all(workers.map((worker) => worker.close()));
    await desk.close();
    await session.close();
  }
}

const expected = await alone();
const liar: PartsExecutor = {
  ...nativeExecutor,
  async openSums(program, options) {
    const honest = await nativeExecutor.openSums(program, options);
    return {
      compute: async (state, objects) => bent(await honest.compute(state, objects)),
      close: () => honest.close(),
    };
  },
};

/** Engines of workers that all tell the same lies from the n-th state on that any of them sees. */
function leagueFrom(n: number): PartsExecutor {
  const seen = new Set<string>();
  return {
    ...nativeExecutor,
    async openSums(program, options) {
      const honest = await nativeExecutor.openSums(program, options);
      const form = new StateForm(program);
      return {
        async compute(state, objects) {
          const part = await honest.compute(state, objects);
          return seen.add(form.digest(state)).size >= n ? bent(part) : part;
        },
        close: () => honest.close(),
      };
    },
  };
}

describe("workers over libp2p", { timeout: 400_000 }, () => {
  for (const count of [1, 2, 4, 8]) {
    it(`${count} of them give the trace of a lone run`, async () => {
      const executors = Array.from({ length: count }, () => nativeExecutor);
      const { result, workers } = await together({ executors });
      assert.deepEqual(result, expected);
      assert.ok(workers.reduce((sum, { worker }) => sum + worker.chunks, 0) > 0);
    });
  }

  it("a liar among them is barred and changes nothing", async () => {
    const records = new MemoryRecords();
    const { result, workers } = await together({ checkShare: 1, records, executors: [nativeExecutor, liar] });
    assert.deepEqual(result, expected);
    const end = await workers[1]!.done;
    assert.ok(end instanceof RefusalError && end.code === "refused", String(end));
    const paid = [...records.taken.keys()].map((worker) => worker.split("/")[0]);
    assert.deepEqual(paid, [workers[0]!.account.address]);
  });

  it("two that agree spare the provider the work, and a liar beside them is barred", async () => {
    const executors = [nativeExecutor, nativeExecutor, liar];
    const records = new MemoryRecords();
    const { result, workers } = await together({ copies: 2, records, executors });
    assert.deepEqual(result, expected);
    const end = await workers[2]!.done;
    assert.ok(end instanceof RefusalError && end.code === "refused", String(end));
    const paid = [...records.taken.values()].reduce((sum, results) => sum + results, 0);
    assert.ok(paid > 0);
  });

  it("a run goes back to the checkpoint before what liars in league agreed on, and ends as if they had never been", async () => {
    const run = await newRun(order);
    const state = openState({ path: ":memory:", schemas: [payrollSchema] });
    const payroll = new Payroll(state);
    const desk = await startDesk(undefined);
    const registry = new Registry();
    // The surety of the round is posted already; nothing else of the chain matters here.
    const contracts = { WorkerRewards: { read: { roundOf: async () => ({ openedAt: 1 }) } } };
    const crew = new Crew({
      payroll,
      desk: desk.desk,
      executor: nativeExecutor,
      account: provider,
      operator: provider.address,
      terms: { perChunk: 5n, budget: 10n ** 6n, copies: 2, checkShare: 0.4, chunks: 8 },
      metrics: new ClusterMetrics(registry, desk.desk),
      contracts,
      agreed: { contracts },
      deployment: { chainId: terms.chainId, addresses: { WorkerRewards: terms.rewards } },
      log,
    } as unknown as CrewParts);
    const league = leagueFrom(5);
    const workers = await Promise.all(
      [league, league].map((executor) => startWorker(desk.address, { executor })),
    );
    const opened = { job: { options: engine }, run } as unknown as JobRun;
    const clock = { secondsPerStep: 0.02, secondsLeft: () => 3_600 };
    let tainted = 0;
    for (let life = 0; life < 3; life++) {
      await crew.prepare(7n, opened);
      const firstStep = (await findResumption(run))?.checkpoint.step ?? 0;
      const session = await crew.open(7n, opened, firstStep, undefined, clock);
      // Only the first life has workers; they must be there for its first step.
      while (life === 0 && desk.desk.members < 2) await new Promise((resolve) => setTimeout(resolve, 10));
      try {
        assert.deepEqual(await remains(run, session), expected);
        break;
      } catch (error) {
        if (!(error instanceof TaintedRunError)) throw error;
        assert.ok((await findResumption(run))!.checkpoint.step >= 4, "lies were found late");
        tainted++;
      } finally {
        await session.close();
      }
    }
    assert.equal(tainted, 1);
    for (const { account } of workers) assert.ok(payroll.isBarred(7n, account.address));
    assert.equal(payroll.tainted(7n), undefined);
    assert.match(await registry.metrics(), /assay_rewinds_total 1\n/);
    await Promise.all(workers.map((worker) => worker.close()));
    await desk.close();
    state.close();
  });

  const provider = privateKeyToAccount(generatePrivateKey());
  const terms: PayTerms = {
    chainId: 31337,
    rewards: getAddress(`0x${"12".repeat(20)}`),
    provider: provider.address,
    jobId: "7",
    perChunk: "5",
  };

  it("each has the provider's signature over all it is owed, and the provider has it on disk", async () => {
    const state = openState({ path: ":memory:", schemas: [payrollSchema] });
    const payroll = new Payroll(state);
    const { result, workers } = await together({
      executors: [nativeExecutor, nativeExecutor],
      records: jobRecords(payroll, 7n, 5n),
      pay: { terms, signer: provider, total: (worker) => payroll.total(7n, worker), affordsMore: () => true },
    });
    assert.deepEqual(result, expected);
    for (const { worker, account } of workers) {
      assert.ok(payroll.total(7n, account.address) >= BigInt(5 * worker.chunks));
    }
    const owed = payroll.contributions(7n).reduce((sum, { total }) => sum + total, 0n);
    assert.ok(owed <= BigInt(5 * 8 * 12) && owed > 0n);
    state.close();
  });

  it("a provider that signs with another key, or for nothing, gets one chunk and no second", async () => {
    const other = privateKeyToAccount(generatePrivateKey());
    for (const pay of [
      { terms, signer: other, total: () => 5n, affordsMore: () => true },
      { terms, signer: provider, total: () => 0n, affordsMore: () => true },
    ]) {
      const { result, workers } = await together({ pay });
      assert.deepEqual(result, expected);
      assert.ok((await workers[0]!.done) instanceof UnfairProviderError);
      assert.ok(workers[0]!.worker.chunks <= 1);
    }
  });

  it("one that comes back while the pay of a job is dealt out stays, and joins again", async () => {
    let looks = 0;
    const accept = async () => {
      if (++looks === 1) throw new RoundOverError("a provider");
    };
    const { result, workers } = await together({ accept });
    assert.deepEqual(result, expected);
    assert.ok(looks > 1, "it looks again");
    assert.equal(await workers[0]!.done, undefined, "it does not give up");
  });

  it("one that is not paid stops at its bound, and the provider goes on alone", async () => {
    const state = openState({ path: ":memory:", schemas: [payrollSchema] });
    const payroll = new Payroll(state);
    const total = (worker: Address) => payroll.total(7n, worker);
    const asked: string[] = [];
    const { result, workers } = await together({
      records: jobRecords(payroll, 7n, 5n),
      pay: { terms, signer: provider, total, affordsMore: () => true },
      mostAtRisk: async ({ jobId }) => {
        asked.push(jobId);
        return 19n;
      },
    });
    assert.deepEqual(result, expected);
    const [worker] = workers;
    assert.ok(asked.length > 1, "it looks again");
    assert.equal(worker!.worker.chunks, 3);
    assert.equal(payroll.total(7n, worker!.account.address), 15n);
    assert.equal(await worker!.done, undefined, "it waits for its pay, and does not give up");
    state.close();
  });

  it("may have at risk what its owner says, for all jobs of a provider, within the surety and before the root", () => {
    const round = { forceUntil: 0, surety: 1_000n };
    const other = "0x00000000000000000000000000000000000000aa";
    const signed = (jobId: bigint, account: Address, address: string, total: bigint): SignedTotal => {
      return { rewards: terms.rewards, jobId, provider: account, address, total, signature: "0x" };
    };
    const standing = { mostUnpaid: 16, address: "/here", round, unsettled: [] };
    assert.equal(mostAtRisk(terms, standing), 80n);
    assert.equal(mostAtRisk(terms, { ...standing, round: { ...round, surety: 30n } }), 30n);
    assert.equal(mostAtRisk(terms, { ...standing, round: { ...round, forceUntil: 1 } }), 0n);
    const unsettled = [
      signed(7n, provider.address, "/here", 40n),
      signed(8n, provider.address, "/there", 10n),
      signed(9n, other, "/here", 20n),
      signed(9n, other, "/there", 25n),
    ];
    assert.equal(mostAtRisk(terms, { ...standing, unsettled }), 50n);
  });

  it("refuses who has not signed, has not joined, sends too much or nonsense", async () => {
    const run = await newRun(order);
    const records = new MemoryRecords();
    const session = await ClusterSession.open(nativeExecutor, run.program, engine, {
      chunkSize: 1,
      copies: 1,
      checkShare: 0,
      secret: randomBytes(32),
      records,
      firstStep: 0,
    });
    const desk = await startDesk({ session, engine, chunkSize: 1 });
    const host = await createHost({ localNetwork: true });
    const client = await RpcClient.connect(host, clusterProtocol, desk.address);
    const unknown = "0".repeat(32);
    const code = (wanted: string) => (error: unknown) =>
      error instanceof RefusalError && error.code === wanted;
    const signature = `0x${"11".repeat(65)}` as const;
    await assert.rejects(client.ask("join", { account: provider.address, signature }), code("refused"));
    await assert.rejects(client.ask("take", { session: unknown, holds: null }), code("not-found"));
    await assert.rejects(
      client.ask("deliver", { session: unknown, chunk: 0, digest: "0".repeat(64) }),
      code("not-found"),
    );
    await assert.rejects(client.ask("share", { jobId: "7", account: provider.address }), code("not-found"));
    // What is no message of the protocol ends the stream.
    await assert.rejects(client.ask("take", { session: "x", holds: null }), { name: "TransportError" });
    await client.close();
    await host.stop();
    await desk.close();
    await session.close();
  });
});
