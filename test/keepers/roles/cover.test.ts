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
  proofs: CircuitInput[] = [];
  looks = 0;
  readonly double = contextOf(operator, {
    StorageAudit: { currentEpoch: () => this.epoch },
    DatasetRegistry: { termsOf: ([id]: [Hex]) => [1, id === ending ? 6 : 100, 1n] },
    BundleRegistry: {
      holdingOf: ([id]: [Hex]) => {
        this.looks++;
        const cover = this.covers.get(id) ?? { coverId: zeroHash, coverSince: 0 };
        return { operator: this.taken.has(id) ? account(1) : operator, ...cover };
      },
      bountyOf: ([id]: [Hex]) => (this.bounties.has(id) ? 9n : 0n),
      coversOf: ([id]: [Hex]) => [new Array(this.tired.has(id) ? 32 : 0).fill(zeroHash), []],
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

  it("leaves whole covers alone, and replaces one that has lost a bundle", async () => {
    const registrar = world.registrar(2);
    const bundles = [world.hold(1), world.hold(2), world.hold(3)];
    for (const id of bundles) world.covers.set(id, { coverId: word(0xc1), coverSince: 3 });
    world.registered.set(word(0xc1), bundles);
    assert.equal(await world.tick(registrar), false);
    world.holdings.shift();
    assert.equal(await world.tick(registrar), true);
    assert.deepEqual(world.sent(), [[word(2), word(3)]]);
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
