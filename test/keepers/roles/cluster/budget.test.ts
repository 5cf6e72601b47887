import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { joiningTypedData } from "../../../../keepers/src/core/market/contributions.ts";
import { clusterProtocol } from "../../../../keepers/src/roles/cluster/protocol.ts";
import type { OfferedJob } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { MemoryRecords } from "../../../../keepers/src/training/cluster/records.ts";
import { ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { digits, newRun } from "../../training/trainer/fixture.ts";
import { startDesk } from "./support.ts";

const engine = { objectBytes: 65, microBatches: 8 };
const perChunk = 5n;

/** A worker that has joined, and does with its chunks what the test says. */
async function join(address: string) {
  const host = await createHost({ localNetwork: true });
  const client = await RpcClient.connect(host, clusterProtocol, address);
  const account = privateKeyToAccount(generatePrivateKey());
  const message = joiningTypedData({ peer: host.peerId.toString(), provider: client.peer });
  const signature = await account.signTypedData(message);
  const { result } = await client.ask("join", { account: account.address, signature });
  return {
    /** Waits for a chunk; what it was given, or why it was not. */
    async take(): Promise<string> {
      try {
        const reply = await client.call("take", { session: result.session, holds: null });
        for await (const _ of reply.body) {
          // It looks at nothing of it.
        }
        return reply.result.kind;
      } catch (error) {
        if (!(error instanceof RefusalError)) throw error;
        return error.code;
      }
    },
    async close() {
      await client.close();
      await host.stop();
    },
  };
}

describe("the pay that is left for a job", { timeout: 120_000 }, () => {
  for (const [affordable, waiting] of [
    [1n, 2],
    [2n, 5],
    [3n, 3],
  ] as const) {
    it(`attack: ${waiting} workers that wait for a step get the ${affordable} chunks that are paid for`, async () => {
      const run = await newRun({ microBatches: 8, steps: 1, interval: 1 });
      const session = await ClusterSession.open(nativeExecutor, run.program, engine, {
        chunkSize: 1,
        copies: 1,
        checkShare: 0,
        secret: randomBytes(32),
        records: new MemoryRecords(),
        firstStep: 0,
        patience: 500,
      });
      const provider = privateKeyToAccount(generatePrivateKey());
      let looks = 0;
      let most = 0;
      const pay: OfferedJob["pay"] = {
        terms: {
          chainId: 31337,
          rewards: provider.address,
          provider: provider.address,
          jobId: "7",
          perChunk: String(perChunk),
        },
        signer: provider,
        total: () => 0n,
        affordsMore: () => {
          looks++;
          return BigInt(session.outstanding + 1) * perChunk <= affordable * perChunk;
        },
      };
      const desk = await startDesk({ session, engine, chunkSize: 1, pay });
      const workers = await Promise.all(Array.from({ length: waiting }, () => join(desk.address)));
      const asked = workers.map((worker) => worker.take());
      while (looks < waiting) await new Promise((resolve) => setTimeout(resolve, 10));
      const training = train({ run, session, source: digits.source, checkpoint: { every: 1 } });
      try {
        const outcomes = await Promise.all(
          asked.map(async (each) => {
            const outcome = await each;
            most = Math.max(most, session.outstanding);
            return outcome;
          }),
        );
        const given = outcomes.filter((each) => each === "chunk");
        assert.equal(BigInt(given.length), affordable);
        assert.equal(outcomes.filter((each) => each === "full").length, waiting - given.length);
        assert.ok(BigInt(most) <= affordable, "no more results are owed for than there is pay");
      } finally {
        await Promise.all(workers.map((worker) => worker.close()));
        await training;
        await desk.close();
        await session.close();
      }
    });
  }
});
