import assert from "node:assert/strict";
import { beforeEach, describe, it, type TestContext } from "node:test";
import { decodeFunctionData, type Hex } from "viem";
import { storageAuditAbi } from "../../../keepers/src/chain/abi/storage-audit.ts";
import { connectChain } from "../../../keepers/src/chain/client.ts";
import { connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { createTransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { isSurely } from "../../../keepers/src/roles/storage-node/agreement.ts";
import { Auditor, type AuditorParts } from "../../../keepers/src/roles/storage-node/auditor.ts";
import { readingAgreed } from "../../../keepers/src/roles/storage-node/context.ts";
import type { ShelvedBundle } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { ByzantineChain } from "../chain/byzantine-chain.ts";
import { ManualClock, OrderedClock } from "../chain/fixtures.ts";
import { intent, account as sender } from "../chain/queue-world.ts";
import { deployment } from "./dataset.ts";
import { account, LogDouble, proofNumber, QueueDouble, type Reads, word } from "./doubles.ts";
import { TableEndpoint } from "./endpoints.ts";

const operator = account(0xa0d);
const timeout = 15_000;
const minute = 60_000;

/** An endpoint that can be made to take requests and say nothing to them. */
class MuteEndpoint extends TableEndpoint {
  /** Requests to which it said nothing. */
  unanswered = 0;
  isMute = false;

  override request(request: { method: string; params?: unknown }): Promise<unknown> {
    if (!this.isMute) return super.request(request);
    this.unanswered++;
    return new Promise(() => {});
  }
}

describe("with two endpoints, of which one says nothing any more,", () => {
  let answered: Set<string>;
  let closing: Map<number, bigint>;
  let endpoints: [MuteEndpoint, MuteEndpoint];
  let clock: ManualClock;
  let log: LogDouble;

  beforeEach(() => {
    answered = new Set();
    closing = new Map([[5, 2_000n]]);
    const reads: Reads = {
      StorageAudit: {
        currentEpoch: () => 5,
        windowOf: ([epoch]: [number]) => {
          const closesAt = closing.get(epoch) ?? 0n;
          return [word(epoch), closesAt === 0n ? 0n : 900n, closesAt];
        },
        epochOf: () => ({
          ...{ requestId: 1n, openedAt: 800n },
          windows: { seedDelay: 0, auditWindow: 1_000, timeoutWindow: 600, grace: 100 },
        }),
        isAnswered: ([id, epoch]: [Hex, number]) => answered.has(`${id}:${epoch}`),
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
    endpoints = [new MuteEndpoint("up", reads), new MuteEndpoint("mute", reads)];
    clock = new ManualClock();
    log = new LogDouble();
  });

  async function context() {
    const { chainId } = deployment;
    const client = await connectChain({ chainId, endpoints, clock, timeout });
    const contracts = connectContracts(client.public, deployment);
    const agreed = readingAgreed({ client, contracts, deployment });
    return { operator, client, deployment, contracts, agreed, log: log.logger };
  }

  /** An auditor that holds so many bundles; the proofs that it makes are for bundle and epoch. */
  async function holding(bundles: number) {
    const chain = await context();
    const queue = new QueueDouble();
    const proofs: string[] = [];
    const held = Array.from({ length: bundles }, (_, i) => ({ bundleId: word(i + 1), bundleIndex: i }));
    const auditor = new Auditor({
      ...chain,
      queue: queue.queue,
      ledger: {
        holdingsOf: () => held.map((each) => ({ ...each, datasetId: word(0xda), operator, since: 0 })),
        coverBundles: () => undefined,
      },
      shelf: { byId: (bundleId: Hex) => ({ bundleId, cells: 1 }) },
      possession: {
        proveBundle: async ({ bundleId }: ShelvedBundle, _seed: Hex, epoch: bigint) => {
          proofs.push(`${Number(bundleId)} in ${epoch}`);
          return { evaluation: 7n, proof: proofNumber(proofs.length) };
        },
      },
    } as unknown as AuditorParts);
    queue.onSend = ({ data }) => {
      const { args } = decodeFunctionData({ abi: storageAuditAbi, data });
      answered.add(`${args![0]}:${args![1]}`);
    };
    return { chain, proofs, tick: () => auditor.tick(new AbortController().signal) };
  }

  /** Makes the time of this process pass as the test says. */
  function timeOf(test: TestContext) {
    const begun = performance.now();
    let passed = 0;
    test.mock.method(performance, "now", () => begun + passed);
    return (milliseconds: number) => {
      passed += milliseconds;
      clock.time += milliseconds;
    };
  }

  it("the one audit that is due is answered before ten that are answered, after one timeout at most", async () => {
    const { proofs, tick } = await holding(11);
    for (let i = 1; i <= 10; i++) answered.add(`${word(i)}:5`);
    endpoints[1].isMute = true;
    const begun = clock.time;
    await tick();
    assert.equal(proofs[0], "11 in 5");
    assert.ok(clock.time - begun <= timeout, `${clock.time - begun} ms were waited`);
  });

  it("no proof is made again of what was answered, for as long as that lasts", async (test) => {
    const { proofs, tick } = await holding(3);
    const pass = timeOf(test);
    await tick();
    assert.equal(proofs.length, 3);
    endpoints[1].isMute = true;
    for (let passed = 0; passed < 180; passed += 11) {
      await tick();
      pass(11 * minute);
    }
    assert.equal(proofs.length, 3);
  });

  it("attack: an audit is answered of which the other one alone says that it was, and not soon again", async (test) => {
    const { proofs, tick } = await holding(1);
    const pass = timeOf(test);
    answered.add(`${word(1)}:5`);
    endpoints[1].isMute = true;
    for (let i = 0; i < 4; i++) {
      await tick();
      pass(11 * minute);
    }
    assert.deepEqual(proofs, ["1 in 5"]);
  });

  it("nothing that ends a duty is concluded, and it is asked again after its rest", async () => {
    const chain = await context();
    const isOver = () =>
      isSurely(chain, "whether it is epoch 5", async ({ contracts }) => {
        return (await contracts.StorageAudit.read.currentEpoch()) === 5;
      });
    assert.equal(await isOver(), true);
    endpoints[1].isMute = true;
    assert.equal(await isOver(), false);
    const unanswered = endpoints[1].unanswered;
    assert.equal(await isOver(), false);
    assert.equal(endpoints[1].unanswered, unanswered, "it rests");
    endpoints[1].isMute = false;
    clock.time += 2 * minute;
    assert.equal(await isOver(), true);
  });

  it("the audit whose window ends first is answered first, whatever its epoch", async () => {
    closing = new Map([
      [4, 2_400n],
      [5, 2_000n],
    ]);
    const { proofs, tick } = await holding(1);
    endpoints[1].isMute = true;
    await tick();
    assert.deepEqual(proofs, ["1 in 5", "1 in 4"]);
  });
});

describe("with three endpoints, of which one answers just before its timeout,", () => {
  /** Milliseconds that sending each of so many transactions takes, until it is mined. */
  async function sending(transactions: number, delays: readonly number[]): Promise<number[]> {
    const clock = new OrderedClock();
    const chain = new ByzantineChain(sender, 1);
    const endpoints = delays.map((delay, i) => {
      const honest = chain.endpoint(`n${i}`, () => ({}), i);
      return {
        ...honest,
        request: async (...asked: Parameters<typeof honest.request>) => {
          await clock.sleep(delay);
          return honest.request(...asked);
        },
      };
    });
    const client = await connectChain({ chainId: 1, endpoints, clock, timeout });
    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    const queue = createTransactionQueue({ client, state, account: sender, clock });
    const times: number[] = [];
    for (let i = 0; i < transactions; i++) {
      const begun = clock.time;
      await queue.submit(intent(`k${i}`));
      times.push(clock.time - begun);
      chain.mine();
      await queue.wait(`k${i}`);
    }
    state.close();
    return times;
  }

  it("attack: a transaction is sent within two seconds more than without it, and the next ones at once", async () => {
    const usual = await sending(3, [50, 50, 50]);
    const slowed = await sending(3, [timeout - 100, 50, 50]);
    const longer = slowed.map((each, i) => each - usual[i]!);
    assert.ok(longer[0]! <= 2_000, `${longer} ms more`);
    assert.ok(
      longer.slice(1).every((each) => each <= 100),
      `${longer} ms more`,
    );
  });
});
