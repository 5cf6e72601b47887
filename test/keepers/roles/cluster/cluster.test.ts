import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { getAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { clusterProtocol, type PayTerms } from "../../../../keepers/src/roles/cluster/protocol.ts";
import { jobRecords, Payroll, payrollSchema } from "../../../../keepers/src/roles/provider/payroll.ts";
import type { OfferedJob } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { UnfairProviderError } from "../../../../keepers/src/roles/worker/errors.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { MemoryRecords, type WorkerRecords } from "../../../../keepers/src/training/cluster/records.ts";
import { ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { PartsExecutor } from "../../../../keepers/src/training/executors/parts.ts";
import { intervalHash, traceRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { readLogs } from "../../../../keepers/src/training/trainer/progress.ts";
import type { RunFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { bent } from "../../training/cluster/support.ts";
import { digits, newRun } from "../../training/trainer/fixture.ts";
import { startDesk, startWorker } from "./support.ts";

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
  checkShare?: number;
  records?: WorkerRecords;
  pay?: OfferedJob["pay"];
  executors?: readonly PartsExecutor[];
};

/** A run whose chunks go over the network to these engines. */
async function together({
  checkShare = 0,
  records = new MemoryRecords(),
  pay,
  executors = [nativeExecutor],
}: Setup) {
  const run = await newRun(order);
  const session = await ClusterSession.open(nativeExecutor, run.program, engine, {
    chunkSize: 1,
    checkShare,
    secret: randomBytes(32),
    records,
    firstStep: 0,
    patience: 500,
  });
  const desk = await startDesk({ session, engine, chunkSize: 1, ...(pay !== undefined && { pay }) });
  const workers = await Promise.all(executors.map((executor) => startWorker(desk.address, { executor })));
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

describe("workers over libp2p", { timeout: 120_000 }, () => {
  for (const count of [1, 2, 4, 8]) {
    it(`${count} of them give the trace of a lone run`, async () => {
      const executors = Array.from({ length: count }, () => nativeExecutor);
      const { result, workers } = await together({ executors });
      assert.deepEqual(result, expected);
      assert.ok(workers.reduce((sum, { worker }) => sum + worker.chunks, 0) > 0);
    });
  }

  it("a liar among them is barred and changes nothing", async () => {
    const { result, workers } = await together({ checkShare: 1, executors: [nativeExecutor, liar] });
    assert.deepEqual(result, expected);
    const end = await workers[1]!.done;
    assert.ok(end instanceof RefusalError && end.code === "refused", String(end));
    assert.equal(workers[1]!.worker.chunks, 0);
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

  it("refuses who has not signed, has not joined, sends too much or nonsense", async () => {
    const run = await newRun(order);
    const records = new MemoryRecords();
    const session = await ClusterSession.open(nativeExecutor, run.program, engine, {
      chunkSize: 1,
      checkShare: 0,
      secret: randomBytes(32),
      records,
      firstStep: 0,
    });
    const desk = await startDesk({ session, engine, chunkSize: 1 });
    const host = await createHost({});
    const client = await RpcClient.connect(host, clusterProtocol, desk.address);
    const unknown = "0".repeat(32);
    const code = (wanted: string) => (error: unknown) =>
      error instanceof RefusalError && error.code === wanted;
    const signature = `0x${"11".repeat(65)}` as const;
    await assert.rejects(client.ask("join", { account: provider.address, signature }), code("refused"));
    await assert.rejects(client.ask("take", { session: unknown, holds: null }), code("not-found"));
    await assert.rejects(client.ask("deliver", { session: unknown, chunk: 0 }), code("not-found"));
    await assert.rejects(client.ask("share", { jobId: "7", account: provider.address }), code("not-found"));
    // What is no message of the protocol ends the stream.
    await assert.rejects(client.ask("take", { session: "x", holds: null }), { name: "TransportError" });
    await client.close();
    await host.stop();
    await desk.close();
    await session.close();
  });
});
