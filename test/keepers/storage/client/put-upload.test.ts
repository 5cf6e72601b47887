import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Address, getAddress, type Hex } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { signReceipt } from "../../../../keepers/src/chain/receipt.ts";
import { datasetLayout } from "../../../../keepers/src/core/dataset/layout.ts";
import type { Manifest } from "../../../../keepers/src/core/dataset/manifest.ts";
import type {
  UploadAllParameters,
  UploadingClient,
} from "../../../../keepers/src/storage/client/put-upload.ts";
import { uploadAll } from "../../../../keepers/src/storage/client/put-upload.ts";
import { UploadTime } from "../../../../keepers/src/storage/client/upload-time.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import type { CommitRequest } from "../../../../keepers/src/storage/transport/shard-service.ts";

const operators = [1, 2, 3].map((each) => `0x${`${each}`.padStart(40, "0")}` as Address);
/** One object in each segment. */
const layoutOf = (segments: number, k: number, n: number) =>
  datasetLayout({ objectCount: segments, objectSize: 100, segmentObjects: 1, k, n, encrypted: false });
const hash = (byte: string) => `0x${byte.repeat(32)}` as Hex;
/** What backs one bundle. */
const bundleStake = 10n;

/** A chain with three operators, whose nodes take every offer and say nothing after it. */
function world(free: bigint) {
  const asked: Address[] = [];
  const state = { active: true, roles: 1, stake: free, locked: 0n };
  const contracts = {
    DatasetRegistry: {
      read: {
        parameters: async () => ({ bundleStake }),
        termsOf: async () => [1, 30, 0n],
      },
    },
    Staking: {
      read: {
        operatorCount: async () => BigInt(operators.length),
        operators: async () => operators,
        operatorOf: async () => state,
        lockable: async () => free,
      },
    },
    BundleRegistry: { read: { receiptFloorOf: async () => 0n } },
  };
  const shards = {
    offer: async () => ({ accepted: [0], refused: [] }),
    put: async () => {
      throw new Error("the line is dead");
    },
  };
  const peers = {
    connect: async (operator: Address) => {
      asked.push(operator);
      return shards;
    },
  };
  const client = {
    contracts,
    peers,
    deployment: { chainId: 1, addresses: { BundleRegistry: operators[0] } },
    chain: { public: { getBlock: async () => ({ timestamp: 1_000_000n }) } },
  } as unknown as UploadingClient;
  return { asked, client };
}

function upload(readBundle: () => Promise<Uint8Array>, more: Partial<UploadAllParameters> = {}) {
  const facts: Record<string, string> = { seed: hash("07"), seedSource: "a test" };
  const roots = { poseidonRoot: hash("01"), transportRoot: hash("02"), cid: "" };
  return {
    memory: {
      fact: (name: string) => facts[name],
      remember: () => {},
      keepReceipt: () => assert.fail("nobody has signed"),
      readBundle,
    },
    datasetId: hash("05"),
    owner: operators[0]!,
    manifest: { k: 1, n: 2, bundles: [roots, roots] },
    manifestBytes: new Uint8Array(),
    manifestCid: "",
    layout: layoutOf(1, 1, 2),
    bundles: [0],
    holders: new Map(),
    ...more,
  } as unknown as UploadAllParameters;
}

describe("bringing bundles to operators", () => {
  it("asks the next one when one fails, and says of each why", async () => {
    const { asked, client } = world(bundleStake);
    const { failures, unplaced } = await uploadAll(
      client,
      upload(async () => new Uint8Array(1)),
    );
    assert.deepEqual(new Set(asked), new Set(operators));
    assert.deepEqual(
      failures.map(({ reason }) => reason),
      Array(3).fill("the line is dead"),
    );
    assert.deepEqual(unplaced, [0]);
  });

  it("blames no operator for a bundle that cannot be read here", async () => {
    const { asked, client } = world(bundleStake);
    const gone = new Error("the bundles are gone");
    await assert.rejects(
      uploadAll(
        client,
        upload(async () => {
          throw gone;
        }),
      ),
      gone,
    );
    assert.equal(asked.length, 1);
  });

  it("counts the stake that receipts stand for which are not on chain yet", async () => {
    const promised = new Map([[1, operators[1]!]]);
    const more = {
      bundles: [0],
      promised,
      layout: { ...layoutOf(2, 1, 2), n: 1, bundles: 2 },
      manifest: { k: 1, n: 1, bundles: [{}, {}] },
    };
    const scarce = world(bundleStake);
    await uploadAll(
      scarce.client,
      upload(async () => new Uint8Array(1), more as unknown as Partial<UploadAllParameters>),
    );
    assert.deepEqual(new Set(scarce.asked), new Set([operators[0], operators[2]]));
    const ample = world(2n * bundleStake);
    await uploadAll(
      ample.client,
      upload(async () => new Uint8Array(1), more as unknown as Partial<UploadAllParameters>),
    );
    assert.deepEqual(new Set(ample.asked), new Set(operators));
  });

  it("attack: remembers an operator that holds it up and refuses in the end, and none that refuses at once", async () => {
    for (const [pause, remembered] of [
      [700, operators.map((operator) => operator.toLowerCase())],
      [0, []],
    ] as const) {
      const facts: Record<string, string> = {};
      const { client } = world(bundleStake);
      const given = upload(async () => new Uint8Array(1), { time: new UploadTime(0, { patience: 4 }) });
      const refusing = {
        offer: async () => {
          await delay(pause);
          throw new RefusalError("refused", "not this one");
        },
      };
      const { failures } = await uploadAll(
        { ...client, peers: { connect: async () => refusing } } as unknown as UploadingClient,
        {
          ...given,
          memory: {
            ...given.memory,
            fact: (name) => facts[name] ?? given.memory.fact(name),
            remember: (name, value) => {
              facts[name] = value;
            },
          },
        },
      );
      assert.deepEqual(
        failures.map(({ reason }) => reason),
        Array(3).fill("not this one"),
      );
      assert.deepEqual(facts.stalled?.split(",").sort() ?? [], remembered);
    }
  });

  /** A chain with so many operators, of whom those serve, and sign, of whom it is said so when they are asked. */
  function signing(count: number, serves: (operator: Address) => boolean) {
    const accounts = Array.from({ length: count }, (_, addressIndex) =>
      mnemonicToAccount("test test test test test test test test test test test junk", { addressIndex }),
    );
    const { asked, client } = world(10n * bundleStake);
    const staking = client.contracts.Staking.read as unknown as Record<string, unknown>;
    Object.assign(staking, {
      operatorCount: async () => BigInt(count),
      operators: async () => accounts.map(({ address }) => address),
    });
    const peers = {
      connect: async (operator: Address) => {
        asked.push(operator);
        const account = accounts.find(({ address }) => address === getAddress(operator))!;
        const isServing = serves(operator);
        return {
          offer: async () => ({ accepted: [0], refused: [] }),
          put: async (_: unknown, { signal }: { signal: AbortSignal }) => {
            if (!isServing) await delay(60_000, undefined, { signal });
          },
          commit: async (request: CommitRequest) => {
            const { datasetId, bundleIndex, poseidonRoot, transportRoot, latestEnd } = request;
            const roots = { poseidonRoot, transportRoot };
            const receipt = { datasetId, bundleIndex, ...roots, operator: account.address, latestEnd };
            const validUntil = BigInt(request.validUntil);
            const signature = await signReceipt(
              account,
              { ...receipt, validUntil },
              { chainId: 1, bundleRegistry: operators[0]! },
            );
            return { operator: account.address, validUntil: request.validUntil, signature };
          },
        };
      },
    };
    return { asked, client: { ...client, peers } as unknown as UploadingClient };
  }

  const wide = (more: Partial<UploadAllParameters>, facts: Record<string, string> = {}) => {
    const given = upload(async () => new Uint8Array(1));
    const roots = given.manifest.bundles[0]!;
    return {
      ...given,
      memory: {
        ...given.memory,
        fact: (name: string) => facts[name] ?? (name === "seed" ? hash("07") : undefined),
        remember: (name: string, value: string) => {
          facts[name] = value;
        },
        keepReceipt: () => {},
      },
      layout: layoutOf(1, 3, 5),
      manifest: { k: 3, n: 5, bundles: Array(5).fill(roots) } as unknown as Manifest,
      bundles: [0, 1, 2, 3, 4],
      ...more,
    } as UploadAllParameters;
  };

  it("attack: waits no longer for one operator after another where enough bundles are held", async () => {
    let served = 0;
    const { asked, client } = signing(20, () => ++served <= 4);
    const begun = performance.now();
    const { failures, unplaced } = await uploadAll(
      client,
      wide({ parallel: 1, time: new UploadTime(0, { patience: 0.5 }) }),
    );
    const seconds = (performance.now() - begun) / 1000;
    assert.deepEqual(unplaced, [4]);
    assert.ok(asked.length <= 6, `${asked.length} asked`);
    assert.ok(failures.every(({ reason }) => reason.startsWith("it stalled")));
    assert.ok(seconds < 5, `${seconds} s`);
  });

  it("asks and blames nobody for whom too little time is left", async () => {
    const facts: Record<string, string> = {};
    const { asked, client } = signing(12, () => false);
    const time = new UploadTime(0, { patience: 0.4, seconds: 0.42 });
    const { unplaced } = await uploadAll(client, wide({ parallel: 1, time }, facts));
    assert.deepEqual(unplaced, [0, 1, 2, 3, 4]);
    assert.equal(asked.length, 1);
    assert.deepEqual(facts.stalled!.split(","), [asked[0]!.toLowerCase()]);
  });

  it("attack: asks those that stalled last when it goes on", async () => {
    const facts: Record<string, string> = {};
    const first = signing(12, () => false);
    const time = () => new UploadTime(0, { patience: 0.2, seconds: 0.3 });
    const { unplaced } = await uploadAll(first.client, wide({ time: time() }, facts));
    assert.deepEqual(unplaced, [0, 1, 2, 3, 4]);
    const stalled = new Set(first.asked);
    assert.ok(stalled.size >= 5 && stalled.size < 12, `${stalled.size} asked`);
    const second = signing(12, () => true);
    const { failures } = await uploadAll(second.client, wide({ parallel: 1, time: time() }, facts));
    assert.deepEqual(failures, []);
    const others = Math.min(5, 12 - stalled.size);
    assert.ok(second.asked.slice(0, others).every((operator) => !stalled.has(operator)));
  });
});
