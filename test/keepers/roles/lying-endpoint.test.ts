import assert from "node:assert/strict";
import { after, beforeEach, describe, it } from "node:test";
import { getAddress, type Hex } from "viem";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import { addressOf, connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { findCause, InconsistentAnswerError } from "../../../keepers/src/chain/rpc/errors.ts";
import { encodeOrder } from "../../../keepers/src/core/exact/order.ts";
import { bundleId as idOfBundle } from "../../../keepers/src/core/ids.ts";
import { Inspector, type InspectorParts } from "../../../keepers/src/roles/challenger/inspector.ts";
import { isTooLateToAsk } from "../../../keepers/src/roles/consumer/result-watch.ts";
import type { OpenRunsParts } from "../../../keepers/src/roles/jobs/open-runs.ts";
import { Paymaster, type PaymasterParts } from "../../../keepers/src/roles/provider/paymaster.ts";
import { Payroll, payrollSchema } from "../../../keepers/src/roles/provider/payroll.ts";
import {
  ResultQuestions,
  type ResultQuestionsParts,
} from "../../../keepers/src/roles/provider/result-questions.ts";
import { WitnessOpener } from "../../../keepers/src/roles/provider/witness-opener.ts";
import { isSurely, surelyNow } from "../../../keepers/src/roles/storage-node/agreement.ts";
import { Auditor, type AuditorParts } from "../../../keepers/src/roles/storage-node/auditor.ts";
import { chainTime, readingAgreed } from "../../../keepers/src/roles/storage-node/context.ts";
import { bookSchema, type SignedTotal, WorkerBook } from "../../../keepers/src/roles/worker/book.ts";
import { Claimer } from "../../../keepers/src/roles/worker/claimer.ts";
import { readAnchor } from "../../../keepers/src/storage/client/dataset.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { ManualClock } from "../chain/fixtures.ts";
import { deployment } from "./dataset.ts";
import { account, LogDouble, proofNumber, QueueDouble, type Reads, word } from "./doubles.ts";
import { TableEndpoint } from "./endpoints.ts";

const operator = account(0xa0d);
const bundleId = word(1);
const windows = { seedDelay: 0, auditWindow: 1_000, timeoutWindow: 600, grace: 100 };

/** What an honest endpoint says of a bundle whose audit of epoch 5 is open until second 2,000. */
const honest: Reads = {
  StorageAudit: {
    currentEpoch: () => 5,
    windowOf: ([epoch]: [number]) => [word(epoch), epoch === 5 ? 900n : 0n, epoch === 5 ? 2_000n : 0n],
    epochOf: () => ({ requestId: 1n, openedAt: 800n, windows }),
    isAnswered: () => false,
    graceEndsAt: () => 0n,
  },
  BundleRegistry: { dutyOf: ([id]: [Hex]) => id },
  DatasetRegistry: {
    termsOf: () => [1, 100, 1n],
    genesis: () => 0n,
    epochLength: () => 200,
    closeDelay: () => 2_000n,
  },
};

/** What contracts say where a test says nothing else. */
const committeeJob = {
  ...{ provider: operator, intervals: 4, size: 9, feePerInterval: 0n, threshold: 5, terms: 0, attempt: 0 },
  ...{ phase: 0, deadline: 0, graceEnds: 0, opened: 0 },
};
const holdingRow = {
  ...{ operator, since: 0, until: 9, cells: 1, bundleIndex: 0, tenure: 1, datasetId: word(7) },
  ...{ poseidonRoot: 0n, coverId: word(0), coverSince: 0 },
};
const challengeRow = {
  isOwners: false,
  ...{ challenger: account(2), deadline: 500n, graceEnds: 0n, operator, cellIndex: 0, cells: 1, tenure: 1 },
  ...{ grace: 100, madeAt: 1, previous: 0n, next: 0n, filler: 0, bundleId: word(1), datasetId: word(7) },
  ...{ transportRoot: word(3), bond: 1n, reporter: account(0) },
};
const datasetRow = {
  ...{ owner: operator, status: 1, bundles: 1, held: 1, shortSegments: 0, filledAt: 0 },
  shape: { objectCount: 1n, objectSize: 1, segmentObjects: 1, k: 1, n: 2, encrypted: false },
  ...{ manifestHash: word(1), objectRoot: word(1), bundlesRoot: word(1), previous: word(0), bond: 1n },
  ...{ bundleStake: 1n, firstEpoch: 1, endEpoch: 9, missPenalty: 1n, surrenderPenalty: 1n, agreedEnd: 9 },
  ...{ feePerAudit: 0n, feeBalance: 0n, policy: account(0) },
};

describe("with three endpoints, of which the one that is asked first lies,", () => {
  let endpoints: TableEndpoint[];
  let liar: TableEndpoint;
  let log: LogDouble;

  beforeEach(() => {
    endpoints = ["liar", "b", "c"].map((name) => new TableEndpoint(name, honest));
    liar = endpoints[0]!;
    log = new LogDouble();
  });

  const lie = (contract: string, says: Reads[string]): void => {
    liar.reads = { ...honest, [contract]: { ...honest[contract], ...says } };
  };

  async function context(used = endpoints) {
    const { chainId } = deployment;
    const client = await connectChain({ chainId, endpoints: used, clock: new ManualClock() });
    const contracts = connectContracts(client.public, deployment);
    const agreed = readingAgreed({ client, contracts, deployment });
    return { operator, client, deployment, contracts, agreed, log: log.logger };
  }

  /** Looks of an auditor that holds one bundle; gives what was sent. */
  async function audited(looks = 1, used = endpoints): Promise<number> {
    const { queue, sent } = new QueueDouble();
    const holding = { bundleId, datasetId: word(0xda), bundleIndex: 0, operator, since: 0 };
    const prove = async () => ({ evaluation: 7n, proof: proofNumber(1) });
    const auditor = new Auditor({
      ...(await context(used)),
      queue,
      ledger: { holdingsOf: () => [holding], coverBundles: () => undefined },
      shelf: { byId: () => ({ bundleId, cells: 1 }) },
      possession: { proveBundle: prove },
    } as unknown as AuditorParts);
    for (let i = 0; i < looks; i++) await auditor.tick(new AbortController().signal);
    return sent.length;
  }

  const lies: [string, string, Reads[string]][] = [
    ["an audit was answered", "StorageAudit", { isAnswered: () => true }],
    ["the window of an audit is over", "StorageAudit", { windowOf: () => [word(5), 900n, 901n] }],
    ["no audit is open", "StorageAudit", { windowOf: () => [word(5), 0n, 0n] }],
    ["it is another epoch", "StorageAudit", { currentEpoch: () => 3 }],
    ["the dataset is over", "DatasetRegistry", { termsOf: () => [3, 100, 1n] }],
    ["the dataset is paid for no longer", "DatasetRegistry", { termsOf: () => [1, 5, 1n] }],
    ["a cover answers for the bundle", "BundleRegistry", { dutyOf: () => word(9) }],
  ];
  for (const [what, contract, says] of lies) {
    it(`attack: an audit is answered although it says that ${what}`, async () => {
      lie(contract, says);
      assert.equal(await audited(), 1);
    });
  }

  it("attack: an audit is answered although its clock is far ahead", async () => {
    liar.now = () => 1_000_000n;
    assert.equal(await audited(), 1);
  });

  it("nothing is answered that all of them say was answered", async () => {
    for (const each of endpoints) {
      each.reads = { ...honest, StorageAudit: { ...honest.StorageAudit, isAnswered: () => true } };
    }
    assert.equal(await audited(3), 0);
  });

  it("of two that contradict each other an audit is answered, once for a while, with a warning", async () => {
    lie("StorageAudit", { isAnswered: () => true });
    assert.equal(await audited(3, endpoints.slice(0, 2)), 1);
    assert.ok(log.lines.some(({ level, msg }) => level === 40 && msg.includes("do not agree")));
  });

  it("one endpoint alone is believed", async () => {
    lie("StorageAudit", { isAnswered: () => true });
    assert.equal(await audited(1, [liar]), 0);
  });

  it("attack: a job is still looked at although its clock says that it cannot be challenged any more", async () => {
    liar.now = () => 1_000_000n;
    const training = encodeOrder({
      ...{ bits: 8, programRoot: word(1), initialRoot: word(1), objectRoot: word(1), seed: word(1) },
      ...{ objects: 64, objectBytes: 65, train: 64, microBatch: 8, microBatches: 1, steps: 12, interval: 4 },
      schedule: { table: [1], every: 1 },
    });
    const job = {
      ...{ jobId: 1n, status: "Committed", provider: account(1), training, checkpoints: [] },
      ...{ graceEnds: 2_000n, result: { challengeUntil: 1_500n } },
      order: { conditions: { committeeSize: 0 } },
    };
    const watched: unknown[] = [];
    const inspector = new Inspector({
      ...(await context()),
      ledger: { openJobs: () => [job], challengesOf: () => [] },
      watched: { add: (jobs: unknown[]) => watched.push(...jobs), verdict: () => "right" },
      ...{ budget: 100, most: 1, lookEvery: 1, isMeant: () => true },
      questions: { isWaiting: () => false, isAnswered: () => false },
    } as unknown as InspectorParts);
    await inspector.tick(new AbortController().signal);
    assert.equal(watched.length, 1);
  });

  it("attack: a provider opens witnesses although it says that nothing is to be opened", async () => {
    const says = (phase: number) => ({ Committee: { jobOf: () => ({ ...committeeJob, phase }) } });
    for (const each of endpoints) each.reads = says(3);
    liar.reads = says(1);
    const job = {
      jobId: 1n,
      provider: operator,
      status: "Committed",
      order: { conditions: { committeeSize: 9 } },
    };
    const opener = new WitnessOpener({
      ...(await context()),
      ledger: { openJobs: () => [job], order: () => undefined },
      folder: "/nowhere",
    } as unknown as OpenRunsParts);
    // It goes on to the run, whose order is not here.
    await assert.rejects(opener.tick(new AbortController().signal), /never published/);
    for (const each of endpoints) each.reads = says(1);
    await opener.tick(new AbortController().signal);
  });

  it("attack: a provider ends what is asked of its result although it says that nothing is", async () => {
    const resultId = word(7);
    const asked = {
      challengeId: 1n,
      bundleId: idOfBundle(resultId, 0),
      operator,
      cellIndex: 0,
      deadline: 500n,
    };
    const says = (since: bigint) => ({
      RetrievalChallenges: {
        askedSince: () => since,
        challengeOf: () => challengeRow,
        questionsOf: () => [],
      },
      BundleRegistry: { holdingOf: () => holdingRow },
      DatasetRegistry: { datasetOf: () => datasetRow, isOver: () => false },
    });
    for (const each of endpoints) each.reads = says(400n);
    liar.reads = says(0n);
    const { queue, sent } = new QueueDouble();
    const job = { provider: operator, status: "Committed", checkpoints: [], result: { resultId } };
    const questions = new ResultQuestions({
      ...(await context()),
      queue,
      ledger: { jobsOfProvider: () => [job] },
      retrievals: { retrievalsOf: () => [asked] },
    } as unknown as ResultQuestionsParts);
    await questions.tick(new AbortController().signal);
    assert.equal(sent.length, 1);
  });

  it("attack: a consumer asks for a result although it says that it is too late", async () => {
    const says = {
      DatasetRegistry: { availabilityOf: () => [true, 0, 100] },
      RetrievalChallenges: { deadlines: () => [600, 100], failedAt: () => 100n },
    };
    for (const each of endpoints) each.reads = says;
    const owed = { resultId: word(7), graceEnds: 1_500n };
    const isLate = async () => await isTooLateToAsk(await context(), owed);
    assert.equal(await isLate(), false);
    liar.now = () => 1_000_000n;
    assert.equal(await isLate(), false);
    for (const each of endpoints) each.now = () => 1_501n;
    assert.equal(await isLate(), true);
    liar.reads = { ...says, DatasetRegistry: { availabilityOf: () => [true, 0, 2] } };
    for (const each of endpoints.slice(1)) {
      each.reads = { ...says, DatasetRegistry: { availabilityOf: () => [true, 0, 1_400] } };
    }
    assert.equal(await isLate(), false);
    for (const each of endpoints.slice(1)) {
      each.reads = { ...says, RetrievalChallenges: { ...says.RetrievalChallenges, failedAt: () => 1_400n } };
    }
    assert.equal(await isLate(), false, "a holder was put out a short time ago");
  });

  it("attack: a dataset's anchor is that of the others, and one endpoint's where no other answers", async () => {
    const says = (k: number) => ({
      DatasetRegistry: { datasetOf: () => ({ ...datasetRow, shape: { ...datasetRow.shape, k } }) },
    });
    for (const each of endpoints) each.reads = says(1);
    liar.reads = says(0);
    const read = async () => {
      const { client, contracts, agreed } = await context();
      const view = { chain: client, contracts, confirmed: agreed.contracts, deployment };
      return (await readAnchor(view, word(7))).layout.k;
    };
    assert.equal(await read(), 1);
    endpoints[2]!.reads = says(3);
    await assert.rejects(read(), (error) => findCause(error, InconsistentAnswerError) !== undefined);
    for (const each of endpoints.slice(1)) each.failure = new Error("connection reset");
    liar.reads = says(1);
    assert.equal(await read(), 1);
  });

  it("the time is that of the one in the middle, and none when too few say any", async () => {
    const chain = await context();
    liar.now = () => 1_000_000n;
    assert.equal(await chainTime(chain.client), 1_000_000n);
    assert.equal(await surelyNow(chain), 1_000n);
    liar.now = () => 1n;
    assert.equal(await surelyNow(chain), 1_000n);
    for (const each of endpoints.slice(1)) each.failure = new Error("connection reset");
    assert.equal(await surelyNow(chain), 0n);
  });

  it("contracts are read at a block that enough of them have, so that one that lags contradicts nobody", async () => {
    const chain = await context();
    endpoints[2]!.block = 90n;
    const isOver = isSurely(chain, "whether it is epoch 5", async ({ contracts }) => {
      return (await contracts.StorageAudit.read.currentEpoch()) === 5;
    });
    assert.equal(await isOver, true);
    assert.deepEqual(
      chain.client.health().map(({ contradictions }) => contradictions),
      [0, 0, 0],
    );
  });

  describe("workers and whoever pays them", () => {
    const jobId = 1n;
    const worker = getAddress(account(0xb0b));
    const provider = getAddress(account(0xcab));
    const rewards = getAddress(addressOf(deployment, "WorkerRewards"));
    const roundRow = {
      ...{ root: word(1), workers: 1, openedAt: 1, forceUntil: 5_000, claimUntil: 9_000, openDemands: 0 },
      ...{ deposit: 10n, surety: 100n },
    };
    const pay: Reads = {
      WorkerRewards: {
        roundOf: () => roundRow,
        paidTo: () => 0n,
        demandOf: () => ({ total: 0n, answerUntil: 0 }),
        creditOf: () => 0n,
        ROUND_TIME: () => 1_000_000,
      },
    };
    const says = (reads: Reads[string]): Reads => ({ WorkerRewards: { ...pay.WorkerRewards, ...reads } });
    const all = (reads: Reads): void => {
      for (const each of endpoints) each.reads = reads;
    };

    /** A worker that is owed 10, all of which the root pays. */
    async function collecting() {
      const { queue, sent } = new QueueDouble();
      const state = openState({ path: ":memory:", schemas: [bookSchema] });
      after(() => state.close());
      const book = new WorkerBook(state);
      book.write({
        rewards,
        jobId,
        provider,
        total: 10n,
        signature: "0x00",
        address: "/ip4/127.0.0.1/tcp/1",
      });
      const share = async () => ({ total: 10n, index: 0, proof: [] });
      const claimer = new Claimer({ ...(await context()), operator: worker, queue, book, share });
      return { claimer, book, sent };
    }

    const denials: [string, Reads[string], bigint?][] = [
      ["it was paid", { paidTo: () => 10n }],
      ["the time for claims is over", {}, 1_000_000n],
      ["its pay is not settled", { roundOf: () => ({ ...roundRow, forceUntil: 0, claimUntil: 0 }) }],
      ["nothing was opened", { roundOf: () => ({ ...roundRow, openedAt: 0, forceUntil: 0, claimUntil: 0 }) }],
      ["a demand of it waits for its answer", { demandOf: () => ({ total: 10n, answerUntil: 2_000 }) }],
    ];
    for (const [what, reads, now = 1_000n] of denials) {
      it(`attack: a worker claims its pay although it says that ${what}`, async () => {
        all(pay);
        liar.reads = says(reads);
        liar.now = () => now;
        const { claimer, book, sent } = await collecting();
        await claimer.tick();
        assert.deepEqual(
          sent.map(({ key }) => key.split(":")[0]),
          ["claim"],
        );
        assert.equal(book.unsettled().length, 1);
      });
    }

    it("a worker writes off what all of them say is paid, or too late, and looks again when it is owed more", async () => {
      const { claimer, book, sent } = await collecting();
      all(says({ paidTo: () => 10n }));
      await claimer.tick();
      assert.deepEqual(book.unsettled(), []);
      const more = {
        rewards,
        jobId,
        provider,
        total: 20n,
        signature: "0x01",
        address: "/ip4/127.0.0.1/tcp/1",
      };
      book.write(more as SignedTotal);
      assert.deepEqual(book.unsettled(), [more]);
      all(pay);
      for (const each of endpoints) each.now = () => 9_001n;
      await claimer.tick();
      assert.deepEqual(book.unsettled(), []);
      assert.deepEqual(sent, []);
    });

    it("a worker writes nothing off while two contradict each other", async () => {
      endpoints.pop();
      all(pay);
      liar.reads = says({ paidTo: () => 10n });
      const { claimer, book } = await collecting();
      await claimer.tick();
      assert.equal(book.unsettled().length, 1);
    });

    /** A provider whose worker has computed for 10. */
    async function paying(status: string) {
      const { queue, sent } = new QueueDouble();
      const state = openState({ path: ":memory:", schemas: [payrollSchema] });
      after(() => state.close());
      const payroll = new Payroll(state);
      payroll.begin(jobId);
      payroll.add(jobId, [worker], 10n, undefined);
      const paymaster = new Paymaster({
        ...(await context()),
        ...{ queue, payroll, desk: { tellShares: () => undefined }, ledger: { job: () => ({ status }) } },
      } as unknown as PaymasterParts);
      return { payroll, paymaster, sent };
    }

    const demanded = {
      roundOf: () => ({ ...roundRow, openDemands: 1 }),
      demandOf: () => ({ total: 10n, answerUntil: 2_000 }),
    };
    const silences: [string, Reads[string]][] = [
      ["nothing is demanded", { roundOf: () => roundRow, demandOf: () => ({ total: 0n, answerUntil: 0 }) }],
      ["its root was never posted", { roundOf: () => ({ ...roundRow, forceUntil: 0, claimUntil: 0 }) }],
      ["nothing was opened", { roundOf: () => ({ ...roundRow, openedAt: 0 }) }],
    ];
    for (const [what, reads] of silences) {
      it(`attack: a provider answers its worker although it says that ${what}`, async () => {
        all(says(demanded));
        liar.reads = says({ ...demanded, ...reads });
        const { paymaster, sent } = await paying("Expired");
        await paymaster.tick();
        assert.deepEqual(
          sent.map(({ key }) => key.split(":")[0]),
          ["answer"],
        );
      });
    }

    it("attack: a provider fixes no totals although it says that a root over them is there", async () => {
      all(says({ roundOf: () => ({ ...roundRow, forceUntil: 0, claimUntil: 0 }) }));
      liar.reads = pay;
      const { payroll, paymaster } = await paying("Training");
      await paymaster.tick();
      assert.equal(payroll.settled(jobId), undefined);
      // Posted by an earlier version of the keeper.
      all(pay);
      await paymaster.tick();
      assert.deepEqual(payroll.settled(jobId), [{ worker, total: 10n }]);
    });

    it("attack: a provider takes back what a round leaves although it says that nothing is left", async () => {
      all(says({ creditOf: () => 90n }));
      liar.reads = pay;
      for (const each of endpoints) each.now = () => 9_001n;
      const { paymaster, sent, payroll } = await paying("Expired");
      await paymaster.tick();
      assert.deepEqual(
        sent.map(({ key }) => key.split(":")[0]),
        ["close-round", "withdraw-round"],
      );
      assert.deepEqual(payroll.rounds(), []);
    });
  });
});
