import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import type { Hex, LocalAccount } from "viem";
import { openChallenger } from "../../../../keepers/src/roles/challenger/challenger.ts";
import { Consumer } from "../../../../keepers/src/roles/consumer/consumer.ts";
import { type DescribedOrder, describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { evaluateModel, fetchModel } from "../../../../keepers/src/roles/consumer/fetch-model.ts";
import { cheatingWorker, type Flip } from "../../../../keepers/src/roles/embedded/cheating-worker.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { SessionWrapper } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { openProvider } from "../../../../keepers/src/roles/provider/provider.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import type { LoadedConfig } from "../../../../keepers/src/training/config/load-config.ts";
import { checkConfig } from "../../../../keepers/src/training/config/parse.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { type JobNetwork, startJobNetwork, tokens, windows } from "./network.ts";
import { StorageDouble } from "./storage-double.ts";

const config = checkConfig(
  {
    dataset: { source: "digits", split: { seed: 1, train: "4/5" } },
    input: { exponent: -4 },
    model: { kind: "mlp", hidden: [16] },
    microBatch: 32,
    steps: 40,
    interval: 5,
    learningRate: 0.1,
    seed: 7,
  },
  "the test's configuration",
) as LoadedConfig;
const limits = { threads: 1, memoryBytes: 2 ** 30 };
const log = pino({ level: process.env.LOG_LEVEL ?? "silent" });

describe("a job on a chain", () => {
  let network: JobNetwork;
  let storage: StorageDouble;
  let datasetId: Hex;
  let consumer: Consumer;
  let owner: LocalAccount;
  let next = 2;

  before(async () => {
    network = await startJobNetwork();
    storage = new StorageDouble(network);
    owner = network.chain.account(1);
    await network.give(owner.address, 10_000n * tokens);
    datasetId = await storage.putObjects(owner, await readDigits());
    consumer = await Consumer.open({ ...keeperOf(owner), dataDirectory: join(network.folder, "consumer") });
  });

  after(async () => {
    await consumer?.stop();
    await network?.close();
  });

  const keeperOf = (account: LocalAccount) => ({
    dataDirectory: join(network.folder, account.address),
    account,
    chain: network.client,
    deployment: network.deployment,
    log: log.child({ account: account.address.slice(0, 6) }),
    interval: 20,
  });

  const order = async (): Promise<DescribedOrder> =>
    describeOrder({
      consumer: owner.address,
      config,
      dataset: await storage.of(owner).objects(datasetId, ""),
      folder: network.folder,
      executor: nativeExecutor,
      conditions: { maximumPrice: 100n * tokens, trainingTime: 3_600 },
      expiry: BigInt(await network.chain.now()) + 7_200n,
    });

  const provider = async (
    perHour: bigint,
    worker?: SessionWrapper,
    takesOrders = true,
  ): Promise<JobKeeper> => {
    const account = network.chain.account(next++);
    await network.stake(account, 1_000n * tokens);
    await network.give(account.address, 100n * tokens);
    return openProvider({
      ...keeperOf(account),
      storage: storage.of(account),
      executor: nativeExecutor,
      limits,
      abilities: { compute: 1, region: 1n, regulations: 0n, privacyTier: 0 },
      costs: { perHour, floor: 10n * tokens },
      takesOrders,
      worker,
    });
  };

  const challenger = (account: LocalAccount): Promise<JobKeeper> =>
    openChallenger({
      ...keeperOf(account),
      storage: storage.of(account),
      executor: nativeExecutor,
      limits,
      budget: 1_000,
    });

  /** Ticks keepers in turn until something holds. */
  const until = async (what: string, keepers: readonly { tick(): Promise<void> }[], holds: () => boolean) => {
    for (let round = 0; round < 60; round++) {
      for (const keeper of keepers) await keeper.tick();
      if (holds()) return;
    }
    assert.fail(`waited in vain for ${what}`);
  };

  it("is posted, taken, trained, committed to, finalised, paid and certified", async () => {
    const described = await order();
    const honest = await provider(tokens);
    await consumer.post(described);
    const job = () => consumer.jobOf(described.orderHash);
    await until("the commitment", [honest, consumer], () => job()?.status === "Committed");
    await network.chain.advance(windows.challenge + 1);
    await until("the end", [honest, consumer], () => job()?.status === "Finalised");
    await until("the pay", [honest], () => true);

    const finished = job()!;
    assert.equal(finished.price, 10n * tokens);
    const certificate = await network.contracts.ModelCertificate.read.certificateOf([
      finished.certificateId!,
    ]);
    assert.equal(certificate.stateRoot, finished.result!.stateRoot);
    const parameters = {
      posted: consumer.ledger.order(described.orderHash)!,
      job: finished,
      certificate,
      storage: storage.of(owner),
      executor: nativeExecutor,
      limits,
      folder: join(network.folder, "model"),
    };
    const model = await fetchModel(parameters);
    const score = await evaluateModel(parameters, model);
    assert.ok(score!.exact.accuracy! > 0.5, `accuracy ${score!.exact.accuracy}`);
    assert.equal(score!.float32.samples, score!.exact.samples);
    await honest.stop();
  });

  it("is challenged, disputed and refunded when the provider flips one bit of one weight", async () => {
    const flip: Flip = { step: 23, slot: 0, element: 101, bit: 13 };
    const cheat: SessionWrapper = (session, firstStep) =>
      cheatingWorker(session, { ...flip, step: flip.step - firstStep });
    const described = await order();
    const cheater = await provider(tokens, cheat);
    const account = network.chain.account(next++);
    const watcher = await challenger(account);
    const before = await network.chain.balanceOf(account.address);
    await consumer.post(described);
    const job = () => consumer.jobOf(described.orderHash);
    await until("the conviction", [cheater, watcher, consumer], () => job()?.status === "Failed");
    await watcher.tick();
    const [challenge] = watcher.ledger.challengesOf(job()!.jobId);
    assert.equal(challenge?.interval, 4n);
    assert.equal(challenge?.outcome, "convicted");
    const { stake } = await network.contracts.Staking.read.operatorOf([
      cheater.ledger.job(job()!.jobId)!.provider!,
    ]);
    assert.equal(stake, 900n * tokens);
    await network.chain.advance(windows.dispute + 1);
    await until("the reward", [watcher, consumer], () => watcher.ledger.isRewarded(job()!.jobId));
    await until("the payment", [watcher, consumer], () => true);
    assert.ok((await network.chain.balanceOf(account.address)) > before, "the challenger gains");
    await cheater.stop();
    await watcher.stop();
  });
});
