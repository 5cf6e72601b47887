import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { decodeFunctionData, type Hex } from "viem";
import { storageAuditAbi } from "../../../keepers/src/chain/abi/storage-audit.ts";
import { Auditor } from "../../../keepers/src/roles/storage-node/auditor.ts";
import type { Ledger, LedgerHolding } from "../../../keepers/src/roles/storage-node/ledger.ts";
import type { Possession } from "../../../keepers/src/roles/storage-node/possession.ts";
import type { Shelf, ShelvedBundle } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { BlobNotFoundError } from "../../../keepers/src/storage/backends/errors.ts";
import { account, contextOf, proofNumber, refusal, word } from "./doubles.ts";

const operator = account(0xa0d);
const cover = word(0xc0fe);
const dataset = word(0xda7a);
const ended = word(0xe4d);

/** Chain, shelf and prover as tables that a test fills. */
class World {
  now = 1_000n;
  epoch = 5;
  /** Opening and closing of the windows that are open, by epoch. */
  windows = new Map<number, [bigint, bigint]>([[5, [900n, 2_000n]]]);
  answered = new Set<string>();
  graces = new Map<string, bigint>();
  duties = new Map<Hex, Hex>();
  terms = new Map<Hex, [number, number, bigint]>([
    [dataset, [1, 100, 1n]],
    [ended, [1, 5, 1n]],
  ]);
  holdings: LedgerHolding[] = [];
  shelved = new Set<Hex>();
  bytesGone = new Set<Hex>();
  covered = new Map<Hex, Hex[]>();
  proofs: string[] = [];
  /** Epochs whose window was read. */
  asked: number[] = [];
  readonly controller = new AbortController();
  readonly double = contextOf(
    operator,
    {
      StorageAudit: {
        currentEpoch: () => this.epoch,
        windowOf: ([epoch]: [number]) => {
          this.asked.push(epoch);
          return [word(epoch), ...(this.windows.get(epoch) ?? [0n, 0n])];
        },
        isAnswered: ([id, epoch]: [Hex, number]) => this.answered.has(`${id}:${epoch}`),
        graceEndsAt: ([id, epoch]: [Hex, number]) => this.graces.get(`${id}:${epoch}`) ?? 0n,
        epochOf: () => ({ windows: { timeoutWindow: 600, grace: 100 } }),
      },
      BundleRegistry: { dutyOf: ([id]: [Hex]) => this.duties.get(id) ?? id },
      DatasetRegistry: {
        termsOf: ([id]: [Hex]) => this.terms.get(id),
        genesis: () => 0n,
        epochLength: () => 200,
        closeDelay: () => 2_000n,
      },
    },
    () => this.now,
  );

  hold(bundle: number, { datasetId = dataset, since = 0 } = {}): Hex {
    const bundleId = word(bundle);
    this.holdings.push({ bundleId, datasetId, bundleIndex: bundle, operator, since });
    this.shelved.add(bundleId);
    return bundleId;
  }

  auditor(): Auditor {
    const prove = async (duty: Hex, bundles: readonly ShelvedBundle[]) => {
      const lost = bundles.find(({ bundleId }) => this.bytesGone.has(bundleId));
      if (lost !== undefined) throw new BlobNotFoundError(lost.bundleId, "the disk");
      this.proofs.push(duty);
      return { evaluation: 7n, proof: proofNumber(this.proofs.length) };
    };
    return new Auditor({
      ...this.double.context,
      ledger: {
        holdingsOf: () => this.holdings,
        coverBundles: (id: Hex) => this.covered.get(id),
      } as unknown as Ledger,
      shelf: {
        byId: (bundleId: Hex) => (this.shelved.has(bundleId) ? { bundleId, cells: 0x0102 } : undefined),
      } as unknown as Shelf,
      possession: {
        proveBundle: (bundle: ShelvedBundle) => prove(bundle.bundleId, [bundle]),
        proveCover: prove,
      } as unknown as Possession,
    });
  }

  tick(auditor = this.auditor()): Promise<number> {
    return auditor.tick(this.controller.signal);
  }

  /** What was sent: function, duty, epoch. */
  sent(): unknown[][] {
    return this.double.queue.sent.map(({ data }) => {
      const { functionName, args } = decodeFunctionData({ abi: storageAuditAbi, data });
      return [functionName, args![0], args![1]];
    });
  }
}

describe("the auditor", () => {
  let world: World;

  beforeEach(() => {
    world = new World();
  });

  it("answers for each bundle that its operator holds, once", async () => {
    const [one, two] = [world.hold(1), world.hold(2)];
    world.double.queue.onSend = ({ key }) => world.answered.add(`${key.split(":")[2]}:5`);
    const auditor = world.auditor();
    assert.equal(await world.tick(auditor), 2);
    assert.deepEqual(world.sent(), [
      ["answer", one, 5],
      ["answer", two, 5],
    ]);
    assert.equal(await world.tick(auditor), 0);
    assert.equal(world.proofs.length, 2, "no proof is made for what is answered");
  });

  it("answers the oldest open epoch first, and no epoch before it held the bundle", async () => {
    world.windows = new Map([
      [3, [500n, 1_500n]],
      [4, [700n, 1_700n]],
      [5, [900n, 2_000n]],
    ]);
    const [old, young] = [world.hold(1), world.hold(2, { since: 5 })];
    await world.tick();
    assert.deepEqual(world.sent(), [
      ["answer", old, 3],
      ["answer", old, 4],
      ["answer", old, 5],
      ["answer", young, 5],
    ]);
  });

  it("answers in the grace of epochs long past: a chain that stood still leaves several to be answered", async () => {
    // Epochs of 200 s each; the chain stands still from second 700 to 1500, when the first timeouts are called.
    world.epoch = 7;
    world.now = 1_500n;
    for (const epoch of [3, 4, 5])
      world.windows.set(epoch, [BigInt(200 * epoch + 10), BigInt(1_300 + epoch)]);
    const id = world.hold(1);
    for (const epoch of [3, 4, 5]) world.graces.set(`${id}:${epoch}`, 1_550n);
    assert.equal(await world.tick(), 3);
    assert.deepEqual(
      world.sent().map(([, , epoch]) => epoch),
      [3, 4, 5],
    );
  });

  it("asks nothing about epochs that nobody can be slashed for any more", async () => {
    world.epoch = 1_000;
    world.now = 200_100n;
    world.windows = new Map([[3, [500n, 1_500n]]]);
    world.hold(1);
    assert.equal(await world.tick(), 0);
    assert.ok(world.asked.length < 15, "a few epochs back, not a thousand");
  });

  it("spends no proof on datasets that are not paid any more, or have ended", async () => {
    const closed = word(0xc105ed);
    world.terms.set(closed, [3, 100, 1n]);
    world.hold(1, { datasetId: ended });
    world.hold(2, { datasetId: closed });
    assert.equal(await world.tick(), 0);
    assert.deepEqual(world.proofs, []);
  });

  it("sends nothing after the window, unless a timeout was called and its grace still runs", async () => {
    const id = world.hold(1);
    world.now = 2_000n;
    assert.equal(await world.tick(), 0);
    world.graces.set(`${id}:5`, 2_100n);
    assert.equal(await world.tick(), 1);
    world.now = 2_100n;
    assert.equal(await world.tick(), 0);
    assert.equal(world.proofs.length, 1);
  });

  it("answers for the other bundles when one is lost, fails, or is refused by the chain", async () => {
    const [gone, unknown, unlucky, fine] = [world.hold(1), world.hold(2), world.hold(3), world.hold(4)];
    world.bytesGone.add(gone);
    world.shelved.delete(unknown);
    world.double.queue.onSend = ({ key }) => {
      if (key.includes(unlucky)) throw refusal(key);
    };
    assert.equal(await world.tick(), 1);
    assert.deepEqual(world.sent().at(-1), ["answer", fine, 5]);
    const errors = world.double.log.lines.filter(({ level }) => level === 50);
    assert.equal(errors.length, 3);
  });

  it("names each proof's transaction anew, so that one can follow another that failed on chain", async () => {
    world.hold(1);
    const auditor = world.auditor();
    await world.tick(auditor);
    await world.tick(auditor);
    const keys = world.double.queue.sent.map(({ key }) => key);
    assert.equal(new Set(keys).size, 2);
  });

  it("waits for an answer that was sent before it was killed, and makes no other proof", async () => {
    const id = world.hold(1);
    world.double.queue.waiting.push(`answer:5:${id}:0123456789abcdef`, `answer:4:${id}:0123456789abcdef`);
    assert.equal(await world.tick(), 1);
    assert.deepEqual(world.double.queue.waited, [`answer:5:${id}:0123456789abcdef`]);
    assert.deepEqual([world.proofs, world.sent()], [[], []]);
  });

  it("stops between two bundles when it is told to", async () => {
    world.hold(1);
    world.hold(2);
    world.double.queue.onSend = () => world.controller.abort(new Error("stop"));
    assert.equal(await world.tick(), 1);
  });

  describe("of a cover", () => {
    let bundles: Hex[];

    beforeEach(() => {
      bundles = [world.hold(1), world.hold(2), world.hold(3)];
      for (const id of bundles) world.duties.set(id, cover);
      world.covered.set(cover, bundles);
    });

    it("answers once for all its bundles, with their cell counts in order", async () => {
      assert.equal(await world.tick(), 1);
      assert.deepEqual(world.sent(), [["answerCover", cover, 5]]);
      const { args } = decodeFunctionData({ abi: storageAuditAbi, data: world.double.queue.sent[0]!.data });
      assert.equal(args![3], "0x010201020102");
    });

    it("answers for what is left when a covered bundle is not here", async () => {
      world.shelved.delete(bundles[1]!);
      assert.equal(await world.tick(), 2);
      assert.deepEqual(world.sent(), [
        ["answer", bundles[0], 5],
        ["answer", bundles[2], 5],
      ]);
    });

    it("answers for what is left once it has found that a covered bundle's bytes are gone", async () => {
      world.bytesGone.add(bundles[1]!);
      world.double.queue.onSend = ({ key }) => world.answered.add(`${key.split(":")[2]}:5`);
      const auditor = world.auditor();
      await world.tick(auditor);
      await world.tick(auditor);
      assert.deepEqual(world.sent().sort(), [
        ["answer", bundles[0], 5],
        ["answer", bundles[2], 5],
      ]);
    });

    it("does not answer for single bundles that their cover has answered for", async () => {
      world.answered.add(`${cover}:5`);
      world.shelved.delete(bundles[1]!);
      assert.equal(await world.tick(), 0);
      assert.deepEqual(world.proofs, []);
    });

    it("uses the grace that was called for the cover", async () => {
      world.shelved.delete(bundles[1]!);
      world.now = 2_500n;
      world.graces.set(`${cover}:5`, 2_600n);
      assert.equal(await world.tick(), 2);
    });

    it("still answers while one of its datasets is not paid any more", async () => {
      world.holdings[0]!.datasetId = ended;
      assert.equal(await world.tick(), 1);
      assert.deepEqual(world.sent(), [["answerCover", cover, 5]]);
    });
  });
});
