import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Address, type Hex, keccak256, numberToHex, zeroAddress, zeroHash } from "viem";
import { bundleId } from "../../../keepers/src/core/ids.ts";
import type { Ledger, LedgerVacancy } from "../../../keepers/src/roles/storage-node/ledger.ts";
import type { Possession } from "../../../keepers/src/roles/storage-node/possession.ts";
import { type Candidate, RepairList } from "../../../keepers/src/roles/storage-node/repair-list.ts";
import { Repairer } from "../../../keepers/src/roles/storage-node/repairer.ts";
import { Shelf, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import type { Vault } from "../../../keepers/src/roles/storage-node/vault.ts";
import { datasetStatus } from "../../../keepers/src/storage/client/anchor.ts";
import type { StorageWriter } from "../../../keepers/src/storage/client/client.ts";
import { manifestTree } from "../../../keepers/src/storage/client/roots.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { type TinyDataset, tinyDataset } from "./dataset.ts";
import { account, contextOf, word } from "./doubles.ts";

const operator = account(0xa0d);
const day = 24n * 3600n;

const ownerOf = (n: number): Address => account(0xfe00 + n);

type Terms = { isEndless?: boolean; owner?: number; fee?: bigint; isOver?: boolean; provableFrom?: number };

/** Datasets of which bundle 0 has no holder; those of the others answer, or never end their answer. */
class World {
  readonly stop = new AbortController();
  readonly restored: Hex[] = [];
  /** Holders that were asked for anything. */
  readonly asked: Address[] = [];
  /** Reads of the chain. */
  reads = 0;
  /** Chain seconds. */
  now = 1_000n;
  readonly shelf = new Shelf(openState({ path: ":memory:", schemas: [shelfSchema] }));
  readonly repairer: Repairer;
  readonly #datasets = new Map<Hex, { dataset: TinyDataset; terms: Terms }>();
  readonly #holders = new Map<Address, { dataset: TinyDataset; terms: Terms }>();
  readonly #held = new Map<Hex, Address>();
  #vacancies: LedgerVacancy[] = [];
  #unplaced: LedgerVacancy[] = [];

  constructor({ fetchTime = 60, leastFee = 0n, patience = 200, keepsRestored = false } = {}) {
    const counted =
      <Args, T>(read: (args: Args) => T) =>
      (args: Args): T => {
        this.reads++;
        return read(args);
      };
    const reads = {
      BundleRegistry: {
        bountyOf: counted(() => 0n),
        provableFrom: counted(([id]: [Hex]) => this.#datasets.get(id)!.terms.provableFrom ?? 1),
        holdingOf: counted(([id]: [Hex]) => {
          return { operator: this.#held.get(id) ?? zeroAddress, tenure: 1, since: 1, coverId: zeroHash };
        }),
      },
      DatasetRegistry: {
        epochLength: counted(() => 3_600),
        isOver: counted(([id]: [Hex]) => this.#datasets.get(id)!.terms.isOver === true),
        datasetOf: counted(([id]: [Hex]) => this.#anchor(this.#datasets.get(id)!)),
      },
      // No seed is known yet: what is restored waits for one.
      StorageAudit: { currentEpoch: counted(() => 1), windowOf: counted(() => [zeroHash, 0n]) },
      Staking: { lockable: counted(() => 1_000n), isEligible: counted(() => true) },
    };
    const { context } = contextOf(operator, reads, () => this.now);
    this.repairer = new Repairer({
      ...context,
      ledger: {
        vacancies: () => this.#vacancies,
        unplaced: () => this.#unplaced,
        holders: () => [],
        dataset: (id: Hex) => ({ owner: ownerOf(this.#datasets.get(id)!.terms.owner ?? 0) }),
      } as unknown as Ledger,
      shelf: this.shelf,
      vault: {
        admit: async (datasetId: Hex) => {
          this.restored.push(datasetId);
          if (keepsRestored) this.#shelve(datasetId);
        },
      } as unknown as Vault,
      possession: {} as Possession,
      storage: {
        ...context,
        peers: { connect: (holder: Address, signal: AbortSignal) => this.#connect(holder, signal) },
      } as unknown as StorageWriter,
      capacity: 1_000_000,
      asking: { leastFee, longestTerm: 100 },
      stagger: 1n,
      fetchTime,
      patience,
    });
  }

  tick(): Promise<void> {
    return this.repairer.tick(this.stop.signal);
  }

  async add(seed: number, terms: Terms = {}): Promise<Hex> {
    const dataset = await tinyDataset(seed);
    const { datasetId } = dataset;
    this.#datasets.set(datasetId, { dataset, terms });
    for (let index = 1; index < dataset.bundles.length; index++) {
      const holder = account(100 * seed + index);
      this.#holders.set(holder, { dataset, terms });
      this.#held.set(bundleId(datasetId, index), holder);
    }
    const vacancy = { bundleId: bundleId(datasetId, 0), datasetId, bundleIndex: 0 };
    if (terms.provableFrom === undefined) this.#vacancies = [...this.#vacancies, vacancy];
    else this.#unplaced = [...this.#unplaced, vacancy];
    return datasetId;
  }

  /** Has somebody take over what is vacant, or gives it up again. */
  setVacancies(vacancies: readonly Hex[]): void {
    this.#vacancies = vacancies.map((datasetId) => ({
      ...{ bundleId: bundleId(datasetId, 0), datasetId, bundleIndex: 0 },
    }));
  }

  #shelve(datasetId: Hex): void {
    this.shelf.addManifest(datasetId, this.#datasets.get(datasetId)!.dataset.manifestBytes);
    const facts = { datasetId, bundleIndex: 0, cid: "bafy", length: 10, cells: 1 };
    this.shelf.add({ ...facts, poseidonRoot: word(1), transportRoot: word(2) });
  }

  /** Drops what is to be kept no longer. */
  tidy(): void {
    for (const { bundleId: id } of this.shelf.due(this.now, "0x", 100)) this.shelf.remove(id);
  }

  /** Leaves so many bundles of one dataset that ended long ago without a holder, of which only the ids are there. */
  async addOver(seed: number, count: number): Promise<void> {
    const dataset = await tinyDataset(seed);
    for (let i = 0; i < count; i++) {
      const datasetId = numberToHex(1_000_000 * seed + i, { size: 32 });
      this.#datasets.set(datasetId, { dataset, terms: { isOver: true } });
      const vacancy = { bundleId: bundleId(datasetId, 0), datasetId, bundleIndex: 0 };
      this.#vacancies = [...this.#vacancies, vacancy];
    }
  }

  /** Datasets of which a holder was asked, each once, in the order in which that was first done. */
  order(): Hex[] {
    return [...new Set(this.asked.map((holder) => this.#holders.get(holder)!.dataset.datasetId))];
  }

  #anchor({ dataset: { manifest, manifestBytes }, terms }: { dataset: TinyDataset; terms: Terms }) {
    const { k, n, objectCount, objectSize, segmentObjects, objectRoot } = manifest;
    return {
      status: datasetStatus.active,
      shape: { k, n, objectCount: BigInt(objectCount), objectSize, segmentObjects, encrypted: false },
      objectRoot,
      bundlesRoot: manifestTree(manifest).root,
      manifestHash: keccak256(manifestBytes),
      endEpoch: 30,
      bundleStake: 100n,
      feePerAudit: terms.fee ?? 1n,
    };
  }

  async #connect(holder: Address, signal: AbortSignal) {
    this.asked.push(holder);
    const { dataset, terms } = this.#holders.get(holder)!;
    if (terms.isEndless === true) {
      await once(signal, "abort");
      throw signal.reason;
    }
    return {
      manifest: async () => dataset.manifestBytes,
      async *get({ bundleIndex }: { bundleIndex: number }) {
        yield dataset.bundles[bundleIndex]!;
      },
    };
  }
}

describe("a storage node that repairs", { timeout: 120_000 }, () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  afterEach(async () => {
    world.stop.abort(new Error("the test is over"));
    await world.repairer.close();
  });

  it("attack: restores what it can while the holders of other datasets never end their answer", async () => {
    for (const seed of [1, 2, 3]) await world.add(seed, { isEndless: true });
    const good = await world.add(4);
    await world.tick();
    assert.deepEqual(world.restored, [good]);
  });

  it("attack: gives up holders that take too long, so that each dataset has its turn however many are held up", async () => {
    world = new World({ fetchTime: 0.3 });
    for (const seed of [1, 2, 3, 4, 5, 6]) await world.add(seed, { isEndless: true });
    const good = await world.add(7);
    for (let tick = 0; tick < 100 && world.restored.length === 0; tick++) await world.tick();
    assert.deepEqual(world.restored, [good]);
  });

  it("attack: restores another owner's bundle next, however many of one owner are held up by their holders", async () => {
    const fetchTime = 1;
    world = new World({ fetchTime, patience: 50 });
    for (let seed = 1; seed <= 48; seed++) await world.add(seed, { isEndless: true, fee: 1_000n });
    await world.tick();
    const good = await world.add(49, { owner: 1 });
    const from = performance.now();
    while (world.restored.length === 0) await world.tick();
    assert.deepEqual(world.restored, [good]);
    const waited = (performance.now() - from) / 1000 / fetchTime;
    assert.ok(waited < 3, `it waited as long as ${waited} of them may take`);
  });

  it("takes up what was never placed, once its owner has had the epochs in which it alone may do so", async () => {
    const good = await world.add(1, { provableFrom: 1 });
    await world.add(2, { provableFrom: 8 });
    await world.tick();
    assert.deepEqual(world.restored, [good]);
    assert.deepEqual(world.order(), [good]);
  });

  it("attack: begins with what is worth most, so that who would be first pays more than others", async () => {
    const cheap: Hex[] = [];
    for (let seed = 1; seed <= 6; seed++) cheap.push(await world.add(seed, { owner: seed, fee: 1n }));
    const dear = await world.add(7, { owner: 7, fee: 2n });
    await world.tick();
    assert.equal(world.order()[0], dear);
    assert.deepEqual(new Set(world.restored), new Set([...cheap, dear]));
  });

  it("attack: asks nobody for anything of datasets that are over or pay too little, and reads nothing of them again", async () => {
    world = new World({ leastFee: 2n });
    await world.add(1, { fee: 1n });
    await world.addOver(2, 1_000);
    for (let tick = 0; tick < 20; tick++) await world.tick();
    assert.ok(world.reads < 20 * 64 * 5, `${world.reads} reads`);
    const before = world.reads;
    await world.tick();
    assert.ok(world.reads - before < 10, `${world.reads - before} reads in a tick`);
    assert.deepEqual(world.asked, []);
    const good = await world.add(3, { fee: 2n });
    await world.tick();
    assert.deepEqual(world.restored, [good]);
  });

  it("attack: restores what no seed comes for once, and not again and again", async () => {
    world = new World({ keepsRestored: true });
    const endless = await world.add(1);
    const waitsUntil = world.now + 3_600n + day;
    await world.tick();
    await world.tick();
    assert.equal(world.shelf.get(endless, 0)!.keepUntil, waitsUntil);
    for (let hours = 0; hours < 24 * 7; hours++) {
      world.now += 3_601n;
      for (let looks = 0; looks < 3; looks++) await world.tick();
      world.tidy();
    }
    assert.deepEqual(world.restored, [endless]);
    assert.deepEqual(world.shelf.all(), []);
  });

  it("waits anew for the seed of a bundle that somebody had in the meantime", async () => {
    world = new World({ keepsRestored: true });
    const again = await world.add(1);
    for (let looks = 0; looks < 2; looks++) await world.tick();
    world.setVacancies([]);
    world.now += 10n * day;
    world.tidy();
    await world.tick();
    world.setVacancies([again]);
    for (let looks = 0; looks < 2; looks++) await world.tick();
    assert.deepEqual(world.restored, [again, again]);
    assert.equal(world.shelf.get(again, 0)!.keepUntil, world.now + 3_600n + day);
  });

  it("attack: looks at another owner's bundle at once, although one owner leaves a thousand that were never looked at", async () => {
    await world.addOver(1, 1_000);
    const good = await world.add(2, { owner: 1 });
    await world.tick();
    assert.deepEqual(world.restored, [good]);
  });
});

describe("the vacancies that a node would take", () => {
  const candidate = (n: number, owner: number, worth: number): Candidate => ({
    vacancy: { bundleId: word(n), datasetId: word(n), bundleIndex: 0 },
    owner: account(owner),
    worth: BigInt(worth),
    segment: 0,
    bytes: 1,
    stake: 1n,
    provableFrom: 1,
    turn: 0n,
  });
  const numbers = (list: RepairList, count: number, isReady = (_: Candidate) => true): number[] =>
    Array.from({ length: count }, () => {
      const next = list.next(isReady)!;
      list.failed(next.vacancy.bundleId);
      return Number(next.vacancy.bundleId);
    });

  it("are looked at owner by owner, of each what was looked at least often and is worth most", () => {
    const list = new RepairList({ most: 10, pause: 0 });
    for (const one of [candidate(1, 1, 5), candidate(2, 1, 9), candidate(3, 1, 7), candidate(4, 2, 1)])
      list.set(one);
    assert.deepEqual(numbers(list, 7), [2, 4, 3, 4, 1, 4, 2]);
    // Who comes in later is not before those that have waited.
    list.set(candidate(5, 3, 2));
    assert.deepEqual(numbers(list, 3), [5, 4, 3]);
    list.delete(word(4));
    assert.deepEqual(
      numbers(list, 2, ({ worth }) => worth > 5n),
      [2, 3],
    );
  });

  it("wait for longer after each look, and keep that when what is known of them changes", () => {
    const list = new RepairList({ most: 10, pause: 60_000 });
    list.set(candidate(1, 1, 1));
    assert.ok(list.isRested(word(1)));
    numbers(list, 1);
    list.set(candidate(1, 1, 2));
    assert.ok(!list.isRested(word(1)));
    assert.equal(
      list.next(() => true),
      undefined,
    );
  });

  it("attack: make room by what is worth least to the owner that has most of them", () => {
    const list = new RepairList({ most: 3, pause: 0 });
    assert.equal(list.set(candidate(1, 1, 1)), undefined);
    for (const one of [candidate(2, 2, 50), candidate(3, 2, 40)]) assert.equal(list.set(one), undefined);
    assert.equal(list.set(candidate(4, 2, 60)), word(3));
    assert.deepEqual(
      list.candidates().map(({ vacancy }) => Number(vacancy.bundleId)),
      [1, 2, 4],
    );
  });
});
