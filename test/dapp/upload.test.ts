import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Address, encodeErrorResult, type Hex } from "viem";
import { isGoodFor } from "../../dapp/src/engine/receipt-term.ts";
import { ShelfMemory } from "../../dapp/src/engine/shelf-memory.ts";
import { earlierTerms, offeredNow } from "../../dapp/src/upload/earlier-terms.ts";
import { leastOfSegment, standingOf } from "../../dapp/src/upload/read-store.ts";
import { sortForPlacing } from "../../dapp/src/upload/sort-for-placing.ts";
import { readTerms } from "../../dapp/src/upload/terms.ts";
import { abis } from "../../keepers/src/chain/abi/index.ts";
import { datasetStatus } from "../../keepers/src/storage/client/anchor.ts";
import { type OfferedTerms, writeTerms } from "../../keepers/src/storage/client/terms.ts";

const datasetId = `0x${"5a".repeat(32)}` as const;
const receipt = (bundleIndex: number) => ({
  bundleIndex,
  operator: `0x${"0b".repeat(20)}` as const,
  validUntil: 2n ** 60n,
  latestEnd: 40,
  signature: `0x${"0c".repeat(65)}` as const,
});

/** A shelf whose notes are here to be looked at, and damaged; a write takes as long as it is told. */
function shelfOf(notes = new Map<string, string>(), pause = async () => {}) {
  return {
    notes,
    uploadNote: async (name: string) => notes.get(name),
    writeUploadNote: async (name: string, text: string) => {
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

describe("the terms under which a dataset was sent before", () => {
  const own = { feePerAudit: 10n ** 15n, epochs: 2, previous: `0x${"00".repeat(32)}` } as const;
  const parameters = {
    bondPerBundle: 1n,
    bundleStake: 2n,
    missPenalty: 3n,
    surrenderPenalty: 4n,
    policy: `0x${"00".repeat(20)}`,
  } as const;
  const terms: OfferedTerms = { ...own, parameters };
  const idOf = ({ epochs, parameters: { bundleStake } }: OfferedTerms): Hex =>
    `0x${String(epochs).padStart(2, "0")}${String(bundleStake).padStart(62, "0")}`;

  /** A shelf with the notes of two uploads of the same bundles, and a chain that knows one of them. */
  async function sent(...all: OfferedTerms[]) {
    const shelf = shelfOf();
    for (const each of all)
      await (await ShelfMemory.open(shelf, idOf(each))).remember("terms", JSON.stringify(writeTerms(each)));
    return { ...shelf, uploads: async () => [...shelf.notes.keys()].reverse() };
  }
  const chain = (status: number) =>
    ({ DatasetRegistry: { read: { termsOf: async () => [status, 40] } } }) as unknown as Parameters<
      typeof earlierTerms
    >[0];

  it("are those of the last upload, and nothing of another owner's or another manifest's", async () => {
    const last = { ...terms, epochs: 3 };
    const shelf = await sent(terms, last);
    assert.deepEqual(await earlierTerms(chain(datasetStatus.none), shelf, idOf), {
      terms: last,
      isAnchored: false,
    });
    assert.equal(await earlierTerms(chain(datasetStatus.none), shelf, () => datasetId), undefined);
  });

  it("count as none when their note is damaged", async () => {
    const shelf = await sent(terms);
    const text = shelf.notes.get(idOf(terms))!;
    for (const each of ["", text.slice(0, -2), text.replace('\\"epochs\\":2', '\\"epochs\\":-2')]) {
      assert.notEqual(each, text);
      shelf.notes.set(idOf(terms), each);
      assert.equal(await earlierTerms(chain(datasetStatus.none), shelf, idOf), undefined, each);
    }
  });

  it("go on once they are anchored, also when the registry has changed its parameters since", async () => {
    const wanted = { ...own, parameters: { ...parameters, bundleStake: 9n } };
    assert.equal(offeredNow(wanted, { terms, isAnchored: true }), terms);
    assert.equal(
      offeredNow(wanted, { terms, isAnchored: false }),
      wanted,
      "nodes would sign for what is not",
    );
    const longer = { ...wanted, epochs: 3 };
    assert.equal(offeredNow(longer, { terms, isAnchored: true }), longer, "another dataset");
    assert.equal(offeredNow(wanted, undefined), wanted);
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

describe("which receipts are brought on chain", () => {
  type Placed = { receipt: { bundleIndex: number } };
  const roots = { poseidonRoot: `0x${"01".repeat(32)}`, transportRoot: `0x${"02".repeat(32)}` };
  const bundles = Array.from({ length: 200 }, () => roots);
  const dataset = {
    datasetId,
    manifest: { bundles },
    tree: { proof: () => [] },
  } as unknown as Parameters<typeof sortForPlacing>[1];
  const abi = abis.BundleRegistry;

  /** A chain that refuses transactions as it is told. */
  function chain(refuse: (bundles: readonly number[]) => Hex | undefined) {
    const asked: number[] = [];
    const simulateContract = async ({ args }: { args: [Placed[]] }) => {
      const indices = args[0].map(({ receipt }) => receipt.bundleIndex);
      asked.push(indices.length);
      const data = refuse(indices);
      if (data !== undefined) throw Object.assign(new Error("execution reverted"), { code: 3, data });
    };
    const contracts = { BundleRegistry: { address: datasetId.slice(0, 42), abi } };
    const account: Address = `0x${"0a".repeat(20)}`;
    const parts = { contracts, client: { simulateContract }, account };
    return { asked, parts: parts as unknown as Parameters<typeof sortForPlacing>[0] };
  }

  const receipts = (count: number) => Array.from({ length: count }, (_, index) => receipt(index));
  const { operator } = receipt(0);

  it("are asked about in the transactions that they would be sent in, however many they are", async () => {
    const { asked, parts } = chain((indices) => (indices.length > 11 ? "0xdeadbeef" : undefined));
    const { batches, lost, notNow } = await sortForPlacing(parts, dataset, receipts(200));
    assert.deepEqual([batches.flat().length, lost, notNow], [200, [], undefined]);
    assert.equal(Math.max(...asked), 11);
    assert.equal(asked.length, 19);
  });

  it("are lost when their operator or their term is at fault, and the others go on", async () => {
    const notEligible = encodeErrorResult({ abi, errorName: "NotEligible", args: [operator, 5n] });
    const expired = encodeErrorResult({ abi, errorName: "ReceiptNotValid", args: [10n, 20n, 30n] });
    const { parts } = chain((indices) =>
      indices.includes(1) ? notEligible : indices.includes(3) ? expired : undefined,
    );
    const { batches, lost, notNow } = await sortForPlacing(parts, dataset, receipts(5));
    assert.deepEqual(
      batches.flat().map(({ bundleIndex }) => bundleIndex),
      [0, 2, 4],
    );
    assert.deepEqual(
      lost.map(({ bundleIndex, fault }) => [bundleIndex, fault]),
      [
        [1, "operator"],
        [3, "receipt"],
      ],
    );
    assert.equal(notNow, undefined);
  });

  it("are kept, and nobody is blamed, when the dataset or an endpoint that is behind is at fault", async () => {
    const early = encodeErrorResult({ abi, errorName: "ReceiptNotValid", args: [100n, 20n, 30n] });
    const nothing = encodeErrorResult({ abi, errorName: "NothingToHold", args: [datasetId, 3, 3] });
    for (const data of [early, nothing, "0x" as const]) {
      const { parts } = chain(() => data);
      const { batches, lost, notNow } = await sortForPlacing(parts, dataset, receipts(2));
      assert.deepEqual([batches, lost], [[], []]);
      assert.ok(notNow !== undefined && notNow.length > 0);
    }
  });

  it("are nobody's loss when their bundles are held already", async () => {
    const held = encodeErrorResult({ abi, errorName: "AlreadyHeld", args: [datasetId, operator] });
    const { parts } = chain(() => held);
    assert.deepEqual(await sortForPlacing(parts, dataset, receipts(2)), {
      batches: [],
      lost: [],
      notNow: undefined,
    });
  });

  it("count only while there is time to bring them there", () => {
    assert.ok(isGoodFor({ validUntil: 5_000n }, 3_200n));
    assert.ok(!isGoodFor({ validUntil: 5_000n }, 3_201n));
  });
});

describe("what may be paid for", () => {
  it("is read from its fields, or they say what is wrong with them", () => {
    assert.deepEqual(readTerms("0.001", "30"), { terms: { feePerAudit: 10n ** 15n, epochs: 30 } });
    for (const epochs of ["0", "none", "1.5", "16385", "", "-1"])
      assert.deepEqual(readTerms("1", epochs), { problems: { epochs: "a whole number from 1 to 16,384" } });
    assert.deepEqual(readTerms("99999999999", "16384"), { problems: { fee: "a smaller fee" } });
  });

  it("is nothing that was closed, is fraudulent, or ends before it could be held", () => {
    assert.equal(standingOf(datasetStatus.none, 0, 7), "new");
    assert.equal(standingOf(datasetStatus.active, 9, 7), "anchored");
    assert.equal(standingOf(datasetStatus.active, 8, 7), "over");
    assert.equal(standingOf(datasetStatus.closed, 9, 7), "closed");
    assert.equal(standingOf(datasetStatus.fraudulent, 9, 7), "fraudulent");
  });
});
