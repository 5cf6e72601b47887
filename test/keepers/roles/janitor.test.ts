import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { Hex } from "viem";
import { Janitor } from "../../../keepers/src/roles/storage-node/janitor.ts";
import type { Ledger } from "../../../keepers/src/roles/storage-node/ledger.ts";
import { Shelf, type ShelvedBundle, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import type { Vault } from "../../../keepers/src/roles/storage-node/vault.ts";
import { openState, type SqlValue } from "../../../keepers/src/storage/state/state.ts";
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
  /** Bundles that one cover was registered for. */
  covers = new Set<Hex>();
  dropped: Hex[] = [];
  tidied = 0;
  version = 0n;
  /** Rows that were read of the shelf. */
  rows = 0;
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
          coverId: this.covers.has(id) ? word(0xc1) : word(0),
        }),
      },
    },
    () => this.now,
  );

  constructor() {
    const state = openState({ path: ":memory:", schemas: [shelfSchema] });
    const all = (sql: string, ...values: SqlValue[]) => {
      const rows = state.all(sql, ...values);
      this.rows += rows.length;
      return rows;
    };
    this.shelf = new Shelf({ ...state, all });
    this.shelf.addManifest(dataset, new Uint8Array(1));
    this.janitor = new Janitor({
      ...this.double.context,
      ledger: this.#ledgerDouble(),
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

  #ledgerDouble(): Ledger {
    const version = () => this.version;
    return {
      get version() {
        return version();
      },
      coverBundles: (id: Hex) => (id === word(0xc1) ? [...this.covers] : undefined),
      holdingsOf: () => [...this.ledger].map((bundleId) => ({ bundleId, datasetId: dataset })),
    } as unknown as Ledger;
  }

  shelve(bundleIndex: number): Hex {
    const roots = { poseidonRoot: word(1), transportRoot: word(2) };
    const bundle = { datasetId: dataset, bundleIndex, cid: "bafy", length: 10, cells: 1, ...roots };
    return this.shelf.add(bundle).bundleId;
  }

  async tickAfter(seconds: bigint): Promise<void> {
    this.now += seconds;
    // Something may have happened to a bundle.
    this.version++;
    await this.quietTickAfter(0n);
  }

  /** As {@link tickAfter}, when nothing has happened on chain since. */
  async quietTickAfter(seconds: bigint): Promise<void> {
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

  it("keeps what a cover of held bundles names, for it can be answered, until they have another one", async () => {
    const ids = [0, 1, 2].map((index) => world.shelve(index));
    for (const id of ids) world.ledger.add(id);
    for (const id of ids.slice(0, 2)) world.covers.add(id);
    await world.tickAfter(0n);
    for (const id of [ids[1]!, ids[2]!]) world.ledger.delete(id);
    for (let days = 0; days < 10; days++) {
      world.epoch++;
      await world.tickAfter(day);
    }
    assert.deepEqual(world.dropped, [ids[2]]);
    world.covers.clear();
    world.epoch++;
    await world.tickAfter(day);
    assert.deepEqual(world.dropped, [ids[2], ids[1]]);
    assert.equal(world.shelf.all().length, 1);
  });

  it("attack: looks at nothing that needs nothing, however many bundles there are", async () => {
    for (let i = 0; i < 3000; i++) {
      const id = world.shelve(i);
      if (i < 1000) world.ledger.add(id);
    }
    await world.tickAfter(0n);
    world.rows = 0;
    for (let i = 0; i < 10; i++) await world.quietTickAfter(2n);
    assert.equal(world.rows, 0);
    assert.deepEqual(world.dropped, []);
  });

  it("attack: drops 64 bundles in a tick at most, and those that it must not drop keep no other one here", async () => {
    for (let i = 0; i < 300; i++) world.shelve(i);
    await world.tickAfter(0n);
    // The ledger is behind for some: the chain alone has them held.
    for (const { bundleId } of world.shelf.all().slice(0, 100)) world.chain.add(bundleId);
    const counts: number[] = [];
    for (let i = 0; i < 6; i++) {
      await world.tickAfter(i === 0 ? 3601n : 2n);
      counts.push(world.dropped.length);
    }
    const most = counts.map((count, i) => count - (counts[i - 1] ?? 0));
    assert.ok(Math.max(...most) <= 64, String(most));
    assert.equal(world.dropped.length, 200);
    assert.ok(world.dropped.every((id) => !world.chain.has(id)));
  });
});
