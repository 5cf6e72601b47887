import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Hex } from "viem";
import { Janitor } from "../../../keepers/src/roles/storage-node/janitor.ts";
import type { Ledger } from "../../../keepers/src/roles/storage-node/ledger.ts";
import { Shelf, type ShelvedBundle, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import type { Vault } from "../../../keepers/src/roles/storage-node/vault.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { account, contextOf, word } from "./doubles.ts";

const operator = account(0xa0d);
const dataset = word(0xda7a);
const day = 24n * 3600n;

class World {
  now = 1_000_000n;
  epoch = 1;
  over = false;
  /** Bundles that ledger and chain say this operator holds. */
  ledger = new Set<Hex>();
  chain = new Set<Hex>();
  dropped: Hex[] = [];
  tidied = 0;
  readonly shelf: Shelf;
  /** First epoch that the operator has not agreed to, and first one that nobody pays for. */
  until = 1_000_000_000;
  endEpoch = 10;
  readonly janitor: Janitor;
  readonly double = contextOf(
    operator,
    {
      StorageAudit: { currentEpoch: () => this.epoch },
      DatasetRegistry: {
        isOver: () => this.over,
        settledAt: ([until]: [number]) => BigInt(until) * 1_000n,
        termsOf: () => [1, this.endEpoch, 5n],
      },
      BundleRegistry: {
        holdingOf: ([id]: [Hex]) => ({
          operator: this.chain.has(id) ? operator : account(0),
          tenure: 3,
          until: this.until,
        }),
      },
    },
    () => this.now,
  );

  constructor() {
    this.shelf = new Shelf(openState({ path: ":memory:", schemas: [shelfSchema] }));
    this.shelf.addManifest(dataset, new Uint8Array(1));
    this.janitor = new Janitor({
      ...this.double.context,
      ledger: {
        holdingsOf: () => [...this.ledger].map((bundleId) => ({ bundleId, datasetId: dataset })),
      } as unknown as Ledger,
      shelf: this.shelf,
      vault: {
        drop: async ({ bundleId }: ShelvedBundle) => {
          this.dropped.push(bundleId);
          this.shelf.remove(bundleId);
        },
      } as unknown as Vault,
      service: {
        forgetAbandoned: async () => {
          this.tidied++;
        },
      },
      asking: { leastFee: 5n, longestTerm: 100 },
    });
  }

  shelve(bundleIndex: number): Hex {
    const roots = { poseidonRoot: word(1), transportRoot: word(2) };
    const bundle = { datasetId: dataset, bundleIndex, cid: "bafy", length: 10, cells: 1, ...roots };
    return this.shelf.add(bundle).bundleId;
  }

  async tickAfter(seconds: bigint): Promise<void> {
    this.now += seconds;
    await this.janitor.tick();
  }
}

describe("the janitor", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  it("keeps held bundles for ever", async () => {
    const id = world.shelve(0);
    world.ledger.add(id);
    for (let i = 0; i < 10; i++) await world.tickAfter(day);
    assert.deepEqual(world.dropped, []);
    assert.equal(world.shelf.all().length, 1);
  });

  it("drops a bundle that was never placed once its receipt is worth nothing", async () => {
    const id = world.shelve(0);
    await world.tickAfter(0n);
    world.shelf.keepUntil(id, world.now + day + 7200n);
    await world.tickAfter(day + 7200n);
    assert.deepEqual(world.dropped, [], "the receipt may still be used in this second");
    await world.tickAfter(1n);
    assert.deepEqual(world.dropped, [id]);
  });

  it("drops a bundle that nobody has signed for after an hour, whether its dataset is anchored or not", async () => {
    const id = world.shelve(0);
    await world.tickAfter(0n);
    await world.tickAfter(3600n);
    assert.deepEqual(world.dropped, []);
    await world.tickAfter(1n);
    assert.deepEqual(world.dropped, [id]);
  });

  it("keeps a bundle for a day after it was lost: a reorganisation may bring it back", async () => {
    const id = world.shelve(0);
    world.ledger.add(id);
    await world.tickAfter(100n * day);
    world.ledger.delete(id);
    await world.tickAfter(22n * 3600n);
    assert.deepEqual(world.dropped, []);
    world.ledger.add(id);
    await world.tickAfter(1n);
    world.ledger.delete(id);
    await world.tickAfter(22n * 3600n);
    assert.deepEqual(world.dropped, []);
    await world.tickAfter(3n * 3600n);
    assert.deepEqual(world.dropped, [id]);
  });

  it("counts what was promised for a bundle anew once it is lost", async () => {
    const id = world.shelve(0);
    assert.equal(world.shelf.promisedSince(id, world.now), world.now);
    world.ledger.add(id);
    await world.tickAfter(100n * day);
    world.ledger.delete(id);
    await world.tickAfter(1n);
    assert.equal(world.shelf.promisedSince(id, world.now), world.now);
    await world.tickAfter(5n);
    assert.equal(world.shelf.promisedSince(id, world.now), world.now - 5n, "of a bundle that is not placed");
  });

  it("believes the chain and not a ledger that is behind", async () => {
    const id = world.shelve(0);
    world.chain.add(id);
    await world.tickAfter(0n);
    await world.tickAfter(10n * day);
    assert.deepEqual(world.dropped, []);
    world.chain.clear();
    await world.tickAfter(1n);
    assert.deepEqual(world.dropped, [id]);
  });

  it("releases bundles of datasets that are over, and looks for them once an epoch", async () => {
    world.ledger.add(world.shelve(0));
    await world.tickAfter(0n);
    world.over = true;
    await world.tickAfter(0n);
    assert.equal(world.double.queue.sent.length, 0);
    world.epoch++;
    await world.tickAfter(0n);
    assert.equal(world.double.queue.sent.length, 1);
    assert.equal(world.tidied, 3);
  });
});
