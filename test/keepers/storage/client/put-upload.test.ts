import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Address, Hex } from "viem";
import type {
  UploadAllParameters,
  UploadingClient,
} from "../../../../keepers/src/storage/client/put-upload.ts";
import { uploadAll } from "../../../../keepers/src/storage/client/put-upload.ts";

const operators = [1, 2, 3].map((each) => `0x${`${each}`.padStart(40, "0")}` as Address);
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
    layout: { segments: 1, n: 2, bundles: 2 },
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
    const dataset = (segments: number) => ({ segments, n: 1, bundles: segments });
    const more = { bundles: [0], promised, layout: dataset(2), manifest: { k: 1, n: 1, bundles: [{}, {}] } };
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
});
