import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, decodeFunctionData, type Hex, zeroAddress } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import type { Intent } from "../../../keepers/src/chain/transactions/queue.ts";
import { bundleId } from "../../../keepers/src/core/ids.ts";
import {
  ResultQuestions,
  type ResultQuestionsParts,
} from "../../../keepers/src/roles/provider/result-questions.ts";
import type { DutyContext } from "../../../keepers/src/roles/storage-node/context.ts";
import type { LedgerRetrieval } from "../../../keepers/src/roles/storage-node/ledger.ts";
import {
  heldCells,
  Publisher,
  type PublisherParts,
} from "../../../keepers/src/roles/storage-node/publisher.ts";
import { RetrievalWatcher } from "../../../keepers/src/roles/storage-node/retrieval-watcher.ts";
import { account, contextOf, refusal, word } from "./doubles.ts";

const [hour, minute, second] = [3_600n, 60n, 1n];
/** Of a rollup. */
const blockTime = 2n * second;
const operator = account(1);
const none = new AbortController().signal;

const callOf = ({ data }: Intent) => decodeFunctionData({ abi: abis.RetrievalChallenges, data });

/** What is open: each adds a minute to the next one's six hours, up to four times as much. */
function challenges(bundleIds: readonly number[]): LedgerRetrieval[] {
  return bundleIds.map((bundle, i) => ({
    challengeId: BigInt(i + 1),
    bundleId: word(bundle),
    operator,
    isOwners: false,
    cellIndex: i,
    deadline: 6n * hour + (i < 1_080 ? BigInt(i) * minute : 18n * hour),
  }));
}

/** A node that has every byte, and a chain that takes what was sent into its next block. */
function createPublisher(asked: readonly LedgerRetrieval[], missing: readonly Hex[] = []) {
  let now = 0n;
  let credit = 0n;
  const open = new Map(asked.map((retrieval) => [retrieval.challengeId, retrieval]));
  const published: LedgerRetrieval[] = [];
  const late: LedgerRetrieval[] = [];
  const pending = new Map<string, Intent>();
  let most = 0;
  let withdrawals = 0;
  const reads = {
    RetrievalChallenges: {
      challengeOf: ([id]: [bigint]) => ({
        challenger: open.has(id) ? account(2) : zeroAddress,
        graceEnds: 0n,
      }),
      creditOf: () => credit,
    },
  };
  const { context, queue, log } = contextOf(operator, reads, () => now);
  const mine = () => {
    now += blockTime;
    for (const intent of pending.values()) {
      const { functionName, args } = callOf(intent);
      assert.equal(functionName, "publish");
      const retrieval = open.get(args[0])!;
      open.delete(args[0]);
      credit++;
      published.push(retrieval);
      if (now > retrieval.deadline) late.push(retrieval);
    }
    pending.clear();
  };
  queue.onSend = (intent) => {
    mine();
    assert.equal(callOf(intent).functionName, "withdraw");
    withdrawals++;
    credit = 0n;
  };
  const parts: PublisherParts = {
    ...context,
    queue: {
      ...queue.queue,
      submit: async (intent) => {
        pending.set(intent.key, intent);
        most = Math.max(most, pending.size);
      },
      wait: async (key) => {
        if (pending.has(key)) mine();
        return {} as never;
      },
    },
    ...heldCells(
      operator,
      { openRetrievals: () => [...open.values()] },
      { byId: (id: Hex) => (missing.includes(id) ? undefined : {}) } as never,
      {
        cells: async () => [new Uint8Array(496)],
        commitment: async () => ({ transport: { proof: () => [] } }),
      } as never,
    ),
  };
  return {
    publisher: new Publisher(parts),
    parts,
    published,
    late,
    log,
    counts: () => ({ most, withdrawals, credit, open: open.size }),
  };
}

describe("cells that a node is asked for", () => {
  it("attack: publishes thousands of cells that are asked for at once, each in time, and one of each bundle first", async () => {
    const bundles = 64;
    // Most of them of one bundle, and behind them one of each other.
    const others = Array.from({ length: bundles - 1 }, (_, i) => i + 1);
    const { publisher, published, late, counts } = createPublisher(
      challenges([...Array.from({ length: 6_300 }, () => 0), ...others]),
    );
    assert.equal(await publisher.tick(none), 6_363);
    assert.deepEqual(late, []);
    assert.equal(new Set(published.slice(0, bundles).map(({ bundleId }) => bundleId)).size, bundles);
    const rest = published.slice(bundles).map(({ deadline }) => deadline);
    assert.deepEqual(
      rest,
      [...rest].sort((a, b) => Number(a - b)),
    );
    assert.deepEqual(counts(), { most: 16, withdrawals: 1, credit: 0n, open: 0 });
  });

  it("are published although one of a bundle that is not here, and one that the chain refuses, are among them", async () => {
    const { publisher, parts, published, log } = createPublisher(challenges([1, 2, 3]), [word(1)]);
    const submit = parts.queue.submit;
    parts.queue.submit = async (intent) => {
      if (callOf(intent).args?.[0] === 2n) throw refusal(intent.key);
      await submit(intent);
    };
    assert.equal(await publisher.tick(none), 1);
    assert.deepEqual(
      published.map(({ bundleId }) => bundleId),
      [word(3)],
    );
    const messages = log.lines.map(({ msg }) => msg);
    assert.ok(messages.includes("a cell is asked for of a bundle that is not here"));
    assert.ok(messages.includes("left to others"));
  });

  it("are not published when it stops", async () => {
    const { publisher, published } = createPublisher(challenges([1, 2]));
    assert.equal(await publisher.tick(AbortSignal.abort()), 0);
    assert.deepEqual(published, []);
  });
});

/** A chain of open challenges, which those that hold their bundles let pass, and who moves them on. */
class Asked {
  now = 6n * hour + 1n;
  readonly open: LedgerRetrieval[];
  /** Who holds each bundle, and for the how manyeth time. */
  readonly holders = new Map<Hex, { operator: Address; tenure: number }>();
  readonly over = new Set<Hex>();
  /** Transactions of each block: what was sent before the first of them was waited for. */
  readonly blocks: string[][] = [];
  reads = 0;
  readonly context: DutyContext;
  readonly #called = new Map<bigint, bigint>();
  #pending: string[] = [];

  constructor(open: readonly LedgerRetrieval[]) {
    this.open = [...open];
    for (const { bundleId, operator: holder } of open)
      this.holders.set(bundleId, { operator: holder, tenure: 1 });
    const reads = {
      RetrievalChallenges: {
        challengeOf: ([id]: [bigint]) => {
          this.reads++;
          const found = this.open.find(({ challengeId }) => challengeId === id);
          return {
            challenger: found === undefined ? zeroAddress : account(2),
            tenure: 1,
            deadline: found?.deadline,
            datasetId: found?.bundleId,
            graceEnds: this.#called.get(id) ?? 0n,
          };
        },
        askedSince: ([id]: [Hex]) => (id === word(500) && this.open.length > 0 ? 1n : 0n),
        questionsOf: () => [],
      },
      BundleRegistry: { holdingOf: ([id]: [Hex]) => this.holders.get(id)! },
      DatasetRegistry: { isOver: ([id]: [Hex]) => this.over.has(id), datasetOf: () => ({ bundles: 2 }) },
    };
    const { context, queue } = contextOf(operator, reads, () => this.now);
    queue.onSend = (intent) => {
      const { functionName, args } = callOf(intent);
      this.#pending.push(`${functionName} ${args![0]}`);
      this.#carryOut(functionName, args![0] as bigint);
    };
    const wait = async (): Promise<never> => {
      if (this.#pending.length > 0) this.blocks.push(this.#pending);
      this.#pending = [];
      return {} as never;
    };
    this.context = { ...context, queue: { ...queue.queue, wait } };
  }

  #carryOut(functionName: string, id: bigint): void {
    if (functionName === "callTimeout") {
      this.#called.set(id, this.now + hour);
      return;
    }
    const [{ bundleId, operator: holder }] = this.open.splice(
      this.open.findIndex(({ challengeId }) => challengeId === id),
      1,
    ) as [LedgerRetrieval];
    const isVoid = this.holders.get(bundleId)!.operator !== holder || this.over.has(bundleId);
    if (!isVoid) this.holders.set(bundleId, { operator: zeroAddress, tenure: 1 });
  }

  /** Has a storage node look so many times, an hour apart. */
  async watch(looks: number): Promise<string[]> {
    const ledger = {
      lateRetrievals: (now: bigint) => this.open.filter(({ deadline }) => deadline < now),
      holders: () => [operator],
    };
    const watcher = new RetrievalWatcher({ ...this.context, ledger, stagger: 60n });
    for (let look = 0; look < looks; look++) {
      await watcher.tick(none);
      this.now += hour + 1n;
    }
    return this.blocks.flat();
  }
}

/** Challenges of a bundle that others hold, from `first` on. */
function others(count: number, bundle: number, first = 1): LedgerRetrieval[] {
  return Array.from({ length: count }, (_, i) => ({
    challengeId: BigInt(first + i),
    bundleId: word(bundle),
    operator: account(100 + bundle),
    isOwners: false,
    cellIndex: i,
    deadline: 6n * hour,
  }));
}

describe("cells that another node is asked for", () => {
  it("have their timeout called after the deadline, and who still withholds them is slashed after the grace", async () => {
    const asked = new Asked(others(1, 1));
    asked.now = 6n * hour;
    assert.deepEqual(await asked.watch(1), []);
    asked.now = 6n * hour + 1n;
    assert.deepEqual(await asked.watch(1), ["callTimeout 1"]);
    asked.now -= 1n;
    assert.deepEqual(await asked.watch(1), ["callTimeout 1"]);
    asked.now -= hour;
    assert.deepEqual(await asked.watch(1), ["callTimeout 1", "slashFailed 1"]);
  });

  it("are none of an operator's business that is asked for them itself", async () => {
    const asked = new Asked(others(1, 1).map((retrieval) => ({ ...retrieval, operator })));
    assert.deepEqual(await asked.watch(2), []);
  });

  it("attack: a stranger that asks its own bundle for thousands has few of them called, after others' and beside them", async () => {
    const asked = new Asked([...others(2_000, 1), ...others(1, 2, 2_001)]);
    await asked.watch(2);
    const [first, ...more] = asked.blocks;
    assert.deepEqual(first!.slice(0, 2), ["callTimeout 1", "callTimeout 2001"]);
    assert.deepEqual(more.at(-1), ["slashFailed 1", "slashFailed 2001"]);
    assert.equal(asked.blocks.flat().length, 17 + 2);
    assert.ok(asked.reads < 50, `${asked.reads} reads`);
  });

  it("attack: are left alone where the holder is gone or the dataset is over, which pays nobody", async () => {
    const asked = new Asked([...others(50, 1), ...others(50, 2, 51), ...others(50, 3, 101)]);
    asked.holders.set(word(1), { operator: account(77), tenure: 1 });
    asked.holders.set(word(2), { operator: account(102), tenure: 2 });
    asked.over.add(word(3));
    assert.deepEqual(await asked.watch(3), []);
    assert.equal(asked.reads, 100, "and not looked at in each look");
  });
});

describe("cells of a provider's result", () => {
  it("attack: have challenges closed that slash nobody any more, so that it is paid", async () => {
    const bundles = [0, 1].map((index) => bundleId(word(500), index));
    const [gone, held] = bundles as [Hex, Hex];
    const asked = new Asked([
      ...others(40, 1).map((retrieval) => ({ ...retrieval, bundleId: gone })),
      ...others(1, 2, 41).map((retrieval) => ({ ...retrieval, bundleId: held })),
      // Of a dataset that is none of its results.
      ...others(5, 3, 42),
    ]);
    asked.holders.set(gone, { operator: account(77), tenure: 1 });
    const job = { jobId: 1n, provider: operator, status: "Committed", checkpoints: [] };
    const questions = new ResultQuestions({
      ...asked.context,
      ledger: { jobsOfProvider: () => [{ ...job, result: { resultId: word(500) } }] },
      retrievals: { retrievalsOf: (id: Hex) => asked.open.filter((each) => each.bundleId === id) },
    } as unknown as ResultQuestionsParts);
    await questions.tick(none);
    assert.deepEqual(
      asked.blocks.map(({ length }) => length),
      [16, 16, 9],
    );
    assert.deepEqual(asked.blocks.flat().slice(0, 3), ["slashFailed 1", "callTimeout 41", "slashFailed 2"]);
    asked.now += hour + 1n;
    await questions.tick(none);
    assert.deepEqual(asked.blocks.at(-1), ["slashFailed 41"]);
    assert.equal(asked.open.length, 5);
  });

  it("attack: are released under another name where an endpoint that is behind gives another list, and beside a result that cannot be looked at", async () => {
    const lists = [
      [1n, 2n, 3n],
      [1n, 3n],
    ];
    const reads = {
      RetrievalChallenges: {
        askedSince: ([id]: [Hex]) => {
          if (id === word(400)) throw new Error("no answer");
          return 1n;
        },
        questionsOf: () => lists.shift() ?? [],
        challengeOf: () => ({ datasetId: word(500), challenger: zeroAddress, deadline: 1n }),
      },
      DatasetRegistry: { datasetOf: () => ({ bundles: 0 }) },
    };
    const { context, queue } = contextOf(operator, reads);
    const job = { provider: operator, status: "Committed", checkpoints: [] };
    const jobs = [400, 500].map((id) => ({ ...job, jobId: BigInt(id), result: { resultId: word(id) } }));
    const questions = new ResultQuestions({
      ...context,
      ledger: { jobsOfProvider: () => jobs },
      retrievals: { retrievalsOf: () => [] },
    } as unknown as ResultQuestionsParts);
    for (let tick = 0; tick < 2; tick++) await assert.rejects(questions.tick(none), /no answer/);
    assert.deepEqual(
      queue.sent.map((intent) => callOf(intent).args?.[0]),
      [
        [1n, 2n, 3n],
        [1n, 3n],
      ],
    );
    assert.equal(new Set(queue.sent.map(({ key }) => key)).size, 2);
  });
});
