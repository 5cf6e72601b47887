import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ShelfMemory } from "../../dapp/src/engine/shelf-memory.ts";
import { leastOfSegment } from "../../dapp/src/upload/read-store.ts";

const datasetId = `0x${"5a".repeat(32)}` as const;
const receipt = (bundleIndex: number) => ({
  bundleIndex,
  operator: `0x${"0b".repeat(20)}` as const,
  validUntil: 2n ** 60n,
  signature: `0x${"0c".repeat(65)}` as const,
});

/** A shelf whose notes are here to be looked at, and damaged; a write takes as long as it is told. */
function shelfOf(notes = new Map<string, string>(), pause = async () => {}) {
  return {
    notes,
    note: async (name: string) => notes.get(name),
    writeNote: async (name: string, text: string) => {
      await pause();
      notes.set(name, text);
    },
    bundle: async () => new File([new Uint8Array([1, 2, 3])], "bundle"),
  };
}

describe("what an upload from a page remembers", () => {
  it("is there again when the page was closed, without the receipts that were dropped", async () => {
    const shelf = shelfOf();
    const first = await ShelfMemory.open(shelf, datasetId);
    await first.remember("seed", "0x12");
    await first.keepReceipt(receipt(2));
    await first.keepReceipt(receipt(0));
    await first.keepReceipt(receipt(1));
    await first.dropReceipt(1);
    const again = await ShelfMemory.open(shelf, datasetId);
    assert.equal(again.fact("seed"), "0x12");
    assert.deepEqual(again.receipts(), [receipt(0), receipt(2)]);
    assert.deepEqual(await again.readBundle(0), new Uint8Array([1, 2, 3]));
  });

  it("belongs to one dataset: an owner's receipts are not another's", async () => {
    const shelf = shelfOf();
    await (await ShelfMemory.open(shelf, datasetId)).keepReceipt(receipt(0));
    assert.deepEqual((await ShelfMemory.open(shelf, `0x${"6b".repeat(32)}`)).receipts(), []);
  });

  it("ends as the last state when writes overlap, the first being the slowest", async () => {
    const waits = [20, 10, 0];
    const shelf = shelfOf(new Map(), async () => delay(waits.shift()));
    const memory = await ShelfMemory.open(shelf, datasetId);
    await Promise.all([0, 1, 2].map((index) => memory.keepReceipt(receipt(index))));
    assert.equal((await ShelfMemory.open(shelf, datasetId)).receipts().length, 3);
  });

  it("counts as none when its file is damaged, cut off, or not of its form", async () => {
    const shelf = shelfOf();
    await (await ShelfMemory.open(shelf, datasetId)).keepReceipt(receipt(0));
    const [[name, text]] = [...shelf.notes] as [[string, string]];
    const damaged = [text.slice(0, -2), "", "null", "[]", text.replace("0c0c", "zz"), '{"facts":{}}'];
    for (const each of damaged) {
      shelf.notes.set(name, each);
      assert.deepEqual((await ShelfMemory.open(shelf, datasetId)).receipts(), [], each);
    }
  });
});

describe("whether enough of a dataset is with storage nodes", () => {
  const manifest = { n: 3 } as Parameters<typeof leastOfSegment>[0];

  it("is decided by the segment with the fewest bundles", () => {
    assert.equal(leastOfSegment(manifest, 2, new Set([0, 1, 2, 3])), 1);
    assert.equal(leastOfSegment(manifest, 2, new Set([0, 1, 2])), 0);
    assert.equal(leastOfSegment(manifest, 2, new Set([0, 2, 3, 5])), 2);
  });
});
