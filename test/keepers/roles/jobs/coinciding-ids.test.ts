import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { type Hex, zeroHash } from "viem";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { compileJob, openJob } from "../../../../keepers/src/roles/jobs/job-program.ts";
import type { CommittedResult } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { createJobStorage, type JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import type { JobProgram } from "../../../../keepers/src/roles/jobs/published-program.ts";
import { fetchResult } from "../../../../keepers/src/roles/jobs/result.ts";
import { put } from "../../../../keepers/src/storage/client/put.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { startTestNetwork, type TestNetwork } from "../../storage/client/network.ts";
import { digitsConfig, limits } from "./scene.ts";

describe("a dataset that a job is trained on and that something else of the job names, too", () => {
  let network: TestNetwork;
  let storage: JobStorage;
  let datasetId: Hex;
  let program: JobProgram;

  before(async () => {
    network = await startTestNetwork(3);
    const writer = await network.writer();
    ({ datasetId } = await put(writer, {
      ...{ source: await readDigits(), identity: "digits", directory: join(network.folder, "uploads") },
      ...{ commit: async (bytes) => commitBundle(bytes), k: 2, n: 3, feePerAudit: 0n, epochs: 10 },
    }));
    storage = createJobStorage(writer);
    const described = await describeOrder({
      consumer: network.owner.address,
      // A state that is not smaller than the data: results that are larger than they can be are not fetched.
      config: { ...digitsConfig, model: { kind: "mlp", hidden: [128] } },
      dataset: await storage.objects(datasetId, join(network.folder, "described")),
      folder: network.folder,
      executor: nativeExecutor,
      conditions: { maximumPrice: 1n },
      expiry: 1n,
    });
    program = await compileJob(described, { storage, folder: network.folder, limits });
  });

  after(() => network?.close());
  afterEach(() => {
    for (const node of network.nodes) node.misbehave({});
  });

  for (const isFirst of [false, true]) {
    const when = isFirst ? "before" : "after";
    it(`attack: stays here though a provider commits to it as its result, fetched ${when} it`, async () => {
      const folder = join(network.folder, when);
      const { order, compiled } = program;
      const open = async () => (await openJob(program, { storage, folder, limits })).close();
      const roots = { traceRoot: zeroHash, stateRoot: zeroHash, leavesDigest: zeroHash };
      const result: CommittedResult = { ...roots, resultId: datasetId, challengeUntil: 0n };
      const fetch = () => fetchResult({ storage, program: compiled.program, order, result, folder });
      if (isFirst) await fetch();
      await open();
      assert.deepEqual(await fetch(), { state: undefined, leaves: undefined });
      for (const node of network.nodes)
        node.misbehave({
          // biome-ignore lint/correctness/useYield: it refuses before it gives anything
          async *get() {
            throw new RefusalError("refused", "not for you");
          },
        });
      await open();
    });
  }
});
