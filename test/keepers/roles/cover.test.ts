import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { decodeFunctionData, type Hex, zeroHash } from "viem";
import { bundleRegistryAbi } from "../../../keepers/src/chain/abi/bundle-registry.ts";
import type { CircuitInput } from "../../../keepers/src/core/groth16/inputs.ts";
import { CoverRegistrar } from "../../../keepers/src/roles/storage-node/cover.ts";
import type { Ledger, LedgerHolding } from "../../../keepers/src/roles/storage-node/ledger.ts";
import type { Shelf } from "../../../keepers/src/roles/storage-node/shelf.ts";
import type { Prover } from "../../../keepers/src/storage/prover/prover.ts";
import { account, contextOf, proofNumber, word } from "./doubles.ts";

const operator = account(0xa0d);
const dataset = word(0xda7a);
const ending = word(0xe4d);

/** A registry as tables that a test fills. */
class World {
  epoch = 5;
  holdings: LedgerHolding[] = [];
  gone = new Set<Hex>();
  taken = new Set<Hex>();
  covers = new Map<Hex, { coverId: Hex; coverSince: number }>();
  /** What the ledger knows of covers. */
  registered = new Map<Hex, Hex[]>();
  bounties = new Set<Hex>();
  tired = new Set<Hex>();
  /** How many covers each bundle has gone through. */
  used = new Map<Hex, number>();
  /** First epochs that nobody pays for; 100 where none is said. */
  ends = new Map<Hex, number>([[ending, 6]]);
  proofs: CircuitInput[] = [];
  looks = 0;
  readonly double = contextOf(operator, {
    StorageAudit: { currentEpoch: () => this.epoch },
    DatasetRegistry: { termsOf: ([id]: [Hex]) => [1, this.ends.get(id) ?? 100, 1n] },
    BundleRegistry: {
      holdingOf: ([id]: [Hex]) => {
        this.looks++;
        const cover = this.covers.get(id) ?? { coverId: zeroHash, coverSince: 0 };
        return { operator: this.taken.has(id) ? account(1) : operator, ...cover };
      },
      bountyOf: ([id]: [Hex]) => (this.bounties.has(id) ? 9n : 0n),
      coversOf: ([id]: [Hex]) => [
        new Array(this.tired.has(id) ? 32 : (this.used.get(id) ?? 0)).fill(zeroHash),
        [],
      ],
    },
  });

  hold(bundle: number, datasetId = dataset): Hex {
    const bundleId = word(bundle);
    this.holdings.push({ bundleId, datasetId, bundleIndex: bundle, operator, since: 0 });
    return bundleId;
  }

  registrar(minimum: number): CoverRegistrar {
    const prover: Prover = {
      prove: async (circuit, input) => {
        assert.equal(circuit, "registration");
        this.proofs.push(input);
        return { proof: proofNumber(this.proofs.length), publicSignals: [] };
      },
      close: async () => {},
    };
    return new CoverRegistrar({
      ...this.double.context,
      ledger: {
        holdingsOf: () => this.holdings,
        coverBundles: (id: Hex) => this.registered.get(id),
      } as unknown as Ledger,
      shelf: {
        byId: (bundleId: Hex) =>
          this.gone.has(bundleId)
            ? undefined
            : { bundleId, poseidonRoot: word(Number(BigInt(bundleId)) + 1000) },
      } as unknown as Shelf,
      prover,
      minimum,
    });
  }

  tick(registrar: CoverRegistrar): Promise<boolean> {
    return registrar.tick(new AbortController().signal);
  }

  /** Has the chain take what was sent since. */
  mine(): void {
    const sent = this.sent();
    for (const bundles of sent.slice(this.registered.size)) {
      const coverId = word(0xc000 + this.registered.size);
      this.registered.set(coverId, [...bundles]);
      for (const id of bundles) {
        this.covers.set(id, { coverId, coverSince: this.epoch + 1 });
        this.used.set(id, (this.used.get(id) ?? 0) + 1);
      }
    }
  }

  /** Bundles of each cover that was sent. */
  sent(): (readonly Hex[])[] {
    return this.double.queue.sent.map(({ data }) => {
      const { functionName, args } = decodeFunctionData({ abi: bundleRegistryAbi, data });
      assert.equal(functionName, "registerCover");
      return args![0] as Hex[];
    });
  }
}

describe("the registrar of covers", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  it("waits for the minimum, then registers all uncovered bundles in the order of their ids", async () => {
    const registrar = world.registrar(3);
    world.hold(30);
    world.hold(10);
    assert.equal(await world.tick(registrar), false);
    world.hold(20);
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.sent(), [[word(10), word(20), word(30)]]);
    const [input] = world.proofs;
    assert.deepEqual((input!.roots as bigint[]).slice(0, 4), [1010n, 1020n, 1030n, 0n]);
  });

  it("takes 64 bundles at most, and the rest next time", async () => {
    const registrar = world.registrar(2);
    for (let bundle = 1; bundle <= 70; bundle++) world.hold(bundle);
    await world.tick(registrar);
    const [first] = world.sent();
    assert.equal(first!.length, 64);
    for (const id of first!) world.covers.set(id, { coverId: word(0xc1), coverSince: 6 });
    world.registered.set(word(0xc1), [...first!]);
    await world.tick(registrar);
    assert.deepEqual(world.sent()[1], [65, 66, 67, 68, 69, 70].map(word));
  });

  it("leaves out what the registry would refuse: unproven repairs, exhausted holdings, bundles of others", async () => {
    const [fine, repaired, tired, taken, absent] = [1, 2, 3, 4, 5].map((bundle) => world.hold(bundle));
    const last = world.hold(6, ending);
    world.bounties.add(repaired!);
    world.tired.add(tired!);
    world.taken.add(taken!);
    world.gone.add(absent!);
    const registrar = world.registrar(1);
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.sent(), [[fine]]);
    assert.notEqual(last, fine);
  });

  it("joins a repaired bundle once it has answered for itself, from the next epoch on", async () => {
    const registrar = world.registrar(2);
    world.hold(1);
    const repaired = world.hold(2);
    world.bounties.add(repaired);
    assert.equal(await world.tick(registrar), false);
    world.bounties.clear();
    world.epoch++;
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.sent(), [[word(1), word(2)]]);
  });

  it("asks the chain once per epoch when there is nothing to do", async () => {
    const registrar = world.registrar(2);
    world.hold(1);
    world.bounties.add(world.hold(2));
    await world.tick(registrar);
    const { looks } = world;
    await world.tick(registrar);
    assert.equal(world.looks, looks);
    world.epoch++;
    await world.tick(registrar);
    assert.ok(world.looks > looks);
  });

  it("leaves covers alone while half of their bundles are held and all are here, and replaces others", async () => {
    const registrar = world.registrar(2);
    const bundles = [1, 2, 3, 4, 5].map((bundle) => world.hold(bundle));
    for (const id of bundles) world.covers.set(id, { coverId: word(0xc1), coverSince: 3 });
    world.registered.set(word(0xc1), bundles);
    assert.equal(await world.tick(registrar), false);
    world.holdings.splice(0, 2);
    assert.equal(await world.tick(registrar), false, "what was released is here still");
    world.gone.add(bundles[0]!);
    world.epoch++;
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.sent(), [[word(3), word(4), word(5)]]);
    world.gone.clear();
    world.holdings.shift();
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.sent()[1], [word(4), word(5)]);
  });

  it("attack: datasets of strangers that end each day use up none of the covers of bundles that stay", async () => {
    const registrar = world.registrar(2);
    const [long, short] = [word(0x1009), (epoch: number) => word(0x50_0000 + epoch)];
    world.ends.set(long, 3000);
    const staying = [1, 2, 3].map((bundle) => world.hold(bundle, long));
    for (; world.epoch < 80; world.epoch++) {
      world.ends.set(short(world.epoch), world.epoch + 4);
      for (const i of [0, 1, 2, 3, 4]) world.hold(1000 + 10 * world.epoch + i, short(world.epoch));
      world.holdings = world.holdings.filter(({ datasetId }) => world.ends.get(datasetId)! > world.epoch);
      while (await world.tick(registrar)) world.mine();
    }
    for (const id of staying) assert.equal(world.used.get(id), 1);
    const last = world.holdings.filter(({ datasetId }) => datasetId !== long);
    assert.ok(last.length > 10);
    assert.ok(
      last.slice(0, -5).every(({ bundleId }) => world.used.has(bundleId)),
      "those are covered, too",
    );
  });

  it("attack: bundles of every length that end as it is worst leave those that stay covers to the end", async () => {
    const registrar = world.registrar(2);
    const long = word(0x1009);
    const end = 1000;
    world.ends.set(long, end);
    const staying = world.hold(1, long);
    // Each is just long enough to share the next cover with what stays, and as short as can be.
    for (let bundle = 10; world.epoch < end - 1; world.epoch++, bundle++) {
      const left = end - world.epoch;
      const other = word(0x50_0000 + bundle);
      world.ends.set(other, world.epoch + (left < 16 ? 2 : Math.ceil(left / 2)));
      if (world.holdings.length < 2) world.hold(bundle, other);
      world.holdings = world.holdings.filter(({ datasetId }) => world.ends.get(datasetId)! > world.epoch);
      // The bytes of what ended are gone as well.
      world.gone = new Set(
        [...world.used.keys()].filter((id) => !world.holdings.some((h) => h.bundleId === id)),
      );
      while (await world.tick(registrar)) world.mine();
    }
    const used = world.used.get(staying) ?? 0;
    assert.ok(used > 5 && used < 32, `${used} covers`);
  });

  it("puts bundles together that end alike, the longest first, and waits for more of the others", async () => {
    const registrar = world.registrar(2);
    for (const [i, end] of [1000, 420, 400, 90, 10, 9].entries()) {
      world.ends.set(word(0x1000 + i), end);
      world.hold(i + 1, word(0x1000 + i));
    }
    while (await world.tick(registrar)) world.mine();
    assert.deepEqual(world.sent(), [
      [word(2), word(3)],
      [word(5), word(6)],
    ]);
  });

  it("does not touch a cover that has just been registered, nor one that the ledger does not know yet", async () => {
    const registrar = world.registrar(1);
    const fresh = world.hold(1);
    world.covers.set(fresh, { coverId: word(0xc1), coverSince: 6 });
    const unheard = world.hold(2);
    world.covers.set(unheard, { coverId: word(0xc2), coverSince: 5 });
    assert.equal(await world.tick(registrar), false);
  });

  it("waits for a registration that was sent before it was killed", async () => {
    const registrar = world.registrar(1);
    world.hold(1);
    world.double.queue.waiting.push("cover:5:0123456789abcdef");
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.double.queue.waited, ["cover:5:0123456789abcdef"]);
    assert.deepEqual(world.proofs, []);
  });

  it("refuses minimums that no cover can have", () => {
    for (const minimum of [0, 65, 1.5]) assert.throws(() => world.registrar(minimum), RangeError);
  });
});
