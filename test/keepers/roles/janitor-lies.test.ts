import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { decodeFunctionData } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { Janitor, type JanitorParts } from "../../../keepers/src/roles/storage-node/janitor.ts";
import { Shelf, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { type Reads, word } from "./doubles.ts";
import { LiedTo } from "./lied-to.ts";

const active = 1;
const leastFee = 5n;
const longestTerm = 100;

describe("epochs that were added to a dataset, of which the endpoint that is asked first lies,", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo({
      StorageAudit: { currentEpoch: () => 5 },
      DatasetRegistry: {
        isOver: () => false,
        settledAt: () => 10n ** 12n,
        termsOf: () => [active, 20, leastFee],
      },
      BundleRegistry: {
        holdingOf: () => ({
          ...{ operator: scene.operator, since: 1, until: 9, cells: 1, bundleIndex: 0, tenure: 3 },
          ...{ datasetId: word(2), poseidonRoot: 1n, coverId: word(0), coverSince: 0 },
        }),
      },
    });
  });

  /** Ends that are agreed to in two looks at one and the same epoch. */
  async function extended(): Promise<unknown[]> {
    const context = await scene.context();
    const state = openState({ path: ":memory:", schemas: [shelfSchema] });
    const janitor = new Janitor({
      ...context,
      ledger: {
        version: 0n,
        coverBundles: () => undefined,
        holdingsOf: () => [{ bundleId: word(1), datasetId: word(2) }],
      },
      shelf: new Shelf(state),
      vault: {},
      service: { forgetAbandoned: async () => undefined },
      asking: { leastFee, longestTerm },
    } as unknown as JanitorParts);
    await janitor.tick();
    await janitor.tick();
    state.close();
    return scene.double.sent.map(({ data }) => {
      const { functionName, args } = decodeFunctionData({ abi: abis.BundleRegistry, data });
      assert.equal(functionName, "extend");
      return args[1];
    });
  }

  it("are agreed to where they are good enough", async () => {
    assert.deepEqual(await extended(), [20]);
  });

  /** What is so, which this node would refuse, and what the liar says instead. */
  const lies: [string, Reads, Reads][] = [
    [
      "it pays enough",
      { DatasetRegistry: { termsOf: () => [active, 20, leastFee - 1n] } },
      { DatasetRegistry: { termsOf: () => [active, 20, leastFee] } },
    ],
    [
      "the epoch is a later one, so that it would serve for as long as it likes",
      { DatasetRegistry: { termsOf: () => [active, 5_000, leastFee] } },
      { StorageAudit: { currentEpoch: () => 4_990 } },
    ],
    [
      "there are more of them",
      { DatasetRegistry: { termsOf: () => [active, 9, leastFee] } },
      { DatasetRegistry: { termsOf: () => [active, 90, leastFee] } },
    ],
  ];
  for (const [what, so, says] of lies) {
    it(`attack: are not agreed to because it says that ${what}`, async () => {
      scene.tell(so);
      scene.lie(says);
      assert.deepEqual(await extended(), []);
    });

    it(`attack: are not agreed to because one of only two says that ${what}`, async () => {
      scene.tell(so);
      scene.lie(says);
      scene.leaveTwo();
      assert.deepEqual(await extended(), []);
    });
  }

  it("attack: are agreed to as the others name them, although it names another end", async () => {
    scene.lie({ DatasetRegistry: { termsOf: () => [active, 30, leastFee] } });
    assert.deepEqual(await extended(), [20]);
  });

  it("are looked at again in the same epoch where the endpoints did not agree", async () => {
    scene.lie({ DatasetRegistry: { termsOf: () => [active, 30, leastFee] } });
    scene.leaveTwo();
    assert.deepEqual(await extended(), []);
    const warned = scene.log.lines.filter(({ msg }) => /do not agree/.test(msg));
    assert.equal(warned.length, 2);
  });
});
