import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CID } from "multiformats/cid";
import { CID as Cid } from "multiformats/cid";
import { type BlobStore, collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { blobCid, chunkBytes, maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import {
  BadRangeError,
  BlobNotFoundError,
  NotABlobCidError,
  OversizeError,
  WrongBytesError,
} from "../../../../keepers/src/storage/backends/errors.ts";
import {
  claimStore,
  type StoreOwners,
  StoreTakenError,
} from "../../../../keepers/src/storage/backends/owners.ts";
import { generator } from "../random.ts";

/** One backend under test. */
export type Subject = {
  store: BlobStore & StoreOwners;
  /** Flips a byte of what the store holds for this blob, behind the store's back. */
  corrupt(cid: CID): Promise<void>;
  /** Makes the store drop what was deleted, where that happens later. */
  collect?(): Promise<void>;
  stop(): Promise<void>;
};

export type ConformanceOptions = { skip: string | false; open(): Promise<Subject> };

async function listed(store: BlobStore): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of store.list()) cids.push(cid.toString());
  return cids.sort();
}

/** A read whose first answer is another one. */
function once<T>(read: () => Promise<T>, first: T): () => Promise<T> {
  let isFirst = true;
  return async () => {
    if (!isFirst) return await read();
    isFirst = false;
    return first;
  };
}

/** The behaviour every backend owes its callers, whatever keeps the bytes. */
export function conformance(name: string, { skip, open }: ConformanceOptions): void {
  describe(`blob store: ${name}`, { skip }, () => {
    let subject: Subject;
    let store: BlobStore & StoreOwners;
    let seed = 0;
    const fresh = (length: number): Uint8Array => generator(0xa55a ^ ++seed).bytes(length);

    before(async () => {
      subject = await open();
      store = subject.store;
    });
    after(async () => {
      await subject?.store.close();
      await subject?.stop();
    });

    for (const size of [0, 1, 496, chunkBytes, chunkBytes + 1, maxBlobBytes]) {
      test(`a blob of ${size} bytes comes back as it was`, async () => {
        const bytes = fresh(size);
        const { cid, size: stored } = await store.put(bytes);
        assert.equal(cid.toString(), blobCid(bytes).toString());
        assert.equal(stored, size);
        assert.ok(await store.has(cid));
        assertSame(await collect(store.get(cid)), bytes);
      });
    }

    test("has one owner, which is no blob", async () => {
      const before = await listed(store);
      await claimStore(store, "one");
      await claimStore(store, "one");
      await assert.rejects(claimStore(store, "another"), StoreTakenError);
      assert.deepEqual(await store.owners(), ["one"], "whoever comes second leaves nothing");
      // Two that begin at the same moment.
      await store.removeOwner("one");
      const owners = ["b", "a"].map((name) => ({
        where: store.where,
        owners: once(() => store.owners(), []),
        addOwner: (each: string) => store.addOwner(each),
        removeOwner: (each: string) => store.removeOwner(each),
        name,
      }));
      await Promise.all(owners.map(({ name }) => store.addOwner(name)));
      await assert.rejects(claimStore(owners[0]!, "b"), (error) => {
        assert.ok(error instanceof StoreTakenError);
        assert.match(error.message, /: a$/);
        return true;
      });
      await claimStore(owners[1]!, "a");
      assert.deepEqual(await store.owners(), ["a"]);
      await store.removeOwner("a");
      assert.deepEqual(await store.owners(), []);
      assert.deepEqual(await listed(store), before);
    });

    test("a blob that arrives in pieces of odd lengths is the same blob", async () => {
      const bytes = fresh(2 * chunkBytes + 77);
      const { cid } = await store.put(pieces(bytes, 10_007));
      assert.equal(cid.toString(), blobCid(bytes).toString());
      assertSame(await collect(store.get(cid)), bytes);
    });

    test("every range is exactly the bytes asked for", async () => {
      const bytes = fresh(3 * chunkBytes + 1000);
      const { cid } = await store.put(bytes);
      const random = generator(7);
      const ranges: [number, number | undefined][] = [
        [0, 0],
        [0, 1],
        [bytes.length, 0],
        [bytes.length - 1, 1],
        [chunkBytes - 1, 2],
        [chunkBytes, chunkBytes],
        [5, undefined],
      ];
      for (let i = 0; i < 12; i++) {
        const offset = random.integer(bytes.length);
        ranges.push([offset, random.integer(bytes.length - offset + 1)]);
      }
      for (const [offset, length] of ranges) {
        const expected = bytes.subarray(offset, length === undefined ? undefined : offset + length);
        assertSame(await collect(store.get(cid, { offset, length })), expected);
      }
      const short = await store.put(bytes.subarray(0, 100));
      assertSame(await collect(store.get(short.cid, { offset: 10, length: 5 })), bytes.subarray(10, 15));
    });

    test("a range outside the blob is refused, not shortened", async () => {
      for (const size of [100, chunkBytes + 100]) {
        const { cid } = await store.put(fresh(size));
        for (const [offset, length] of [
          [0, size + 1],
          [size, 1],
          [-1, 2],
          [1.5, 1],
          [2, -1],
          [0, Number.NaN],
        ] as const) {
          await assert.rejects(
            collect(store.get(cid, { offset, length })),
            BadRangeError,
            `${offset}, ${length}`,
          );
        }
      }
    });

    test("a blob nobody stored is reported as missing, in time", async () => {
      for (const size of [20, chunkBytes + 20]) {
        const cid = blobCid(fresh(size));
        assert.equal(await store.has(cid), false);
        assert.equal(await store.delete(cid), false);
        await assert.rejects(collect(store.get(cid)), BlobNotFoundError);
      }
    });

    test("a CID that no blob can have is refused before anything is asked", async () => {
      const cid = Cid.parse("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG");
      await assert.rejects(collect(store.get(cid)), NotABlobCidError);
      await assert.rejects(store.has(cid), NotABlobCidError);
      await assert.rejects(store.delete(cid), NotABlobCidError);
    });

    test("an aborted call ends with the reason given", async () => {
      const reason = new Error("changed my mind");
      const signal = AbortSignal.abort(reason);
      const bytes = fresh(50);
      await assert.rejects(store.put(bytes, { signal }), reason);
      assert.equal(await store.has(blobCid(bytes)), false);
      const { cid } = await store.put(bytes);
      await assert.rejects(collect(store.get(cid, { signal })), reason);
    });

    test("bytes that are not the expected blob are refused and not kept", async () => {
      const bytes = fresh(500);
      const expected = blobCid(fresh(500));
      await assert.rejects(store.put(bytes, { expected }), WrongBytesError);
      assert.equal(await store.has(expected), false);
      assert.equal(await store.has(blobCid(bytes)), false);
      await store.put(bytes, { expected: blobCid(bytes) });
      assert.ok(await store.has(blobCid(bytes)));
    });

    test("more bytes than a blob may have are refused, and the sender is told to stop", async () => {
      await assert.rejects(store.put(new Uint8Array(maxBlobBytes + 1)), OversizeError);
      let sent = 0;
      let stopped = false;
      async function* endless(): AsyncIterable<Uint8Array> {
        try {
          for (;;) {
            sent += 1 << 20;
            yield new Uint8Array(1 << 20);
          }
        } finally {
          stopped = true;
        }
      }
      await assert.rejects(store.put(endless()), OversizeError);
      assert.ok(stopped && sent <= maxBlobBytes + (1 << 20));
    });

    test("an upload that breaks off leaves nothing, and can be made again", async () => {
      const bytes = fresh(chunkBytes + 5);
      const broken = new Error("the sender went away");
      async function* half(): AsyncIterable<Uint8Array> {
        yield bytes.subarray(0, chunkBytes);
        throw broken;
      }
      await assert.rejects(store.put(half()), broken);
      assert.equal(await store.has(blobCid(bytes)), false);
      const { cid } = await store.put(bytes);
      assertSame(await collect(store.get(cid)), bytes);
    });

    test("a deleted blob is gone, and blobs that share chunks with it stay", async () => {
      const common = fresh(chunkBytes);
      const one = new Uint8Array([...common, 1]);
      const two = new Uint8Array([...common, 2]);
      const first = await store.put(one);
      const second = await store.put(two);
      assert.equal(await store.delete(first.cid), true);
      assert.equal(await store.has(first.cid), false);
      assert.equal(await store.delete(first.cid), false);
      await subject.collect?.();
      await assert.rejects(collect(store.get(first.cid)), BlobNotFoundError);
      assertSame(await collect(store.get(second.cid)), two);
      await store.put(one);
      assertSame(await collect(store.get(first.cid)), one);
    });

    test("a list names every blob once", async () => {
      const wanted = new Set<string>();
      for (let i = 0; i < 5; i++)
        wanted.add((await store.put(fresh(i % 2 ? chunkBytes + 30 : 30))).cid.toString());
      const seen: string[] = [];
      for await (const cid of store.list()) seen.push(cid.toString());
      assert.equal(new Set(seen).size, seen.length);
      for (const cid of wanted) assert.ok(seen.includes(cid));
      assert.ok(!seen.includes(blobCid(fresh(30)).toString()));
    });

    test("the same blob stored eight times at once is one whole blob", async () => {
      const bytes = fresh(chunkBytes + 321);
      await Promise.all(Array.from({ length: 8 }, () => store.put(bytes)));
      const { cid } = await store.put(bytes);
      assertSame(await collect(store.get(cid)), bytes);
      let seen = 0;
      for await (const listed of store.list()) if (listed.equals(cid)) seen++;
      assert.equal(seen, 1);
    });

    test("a reader may stop early", async () => {
      const { cid } = await store.put(fresh(4 * chunkBytes));
      for await (const piece of store.get(cid)) {
        assert.ok(piece.length > 0);
        break;
      }
      assert.ok(await store.has(cid));
    });

    for (const size of [300, 3 * chunkBytes]) {
      test(`a store that lies about ${size} bytes is caught before a wrong byte is handed on`, async () => {
        const bytes = fresh(size);
        const { cid } = await store.put(bytes);
        await subject.corrupt(cid);
        let delivered = 0;
        await assert.rejects(async () => {
          for await (const piece of store.get(cid)) {
            assertSame(piece, bytes.subarray(delivered, delivered + piece.length));
            delivered += piece.length;
          }
        }, WrongBytesError);
        assert.ok(delivered < bytes.length);
      });
    }
  });
}

export function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.ok(
    Buffer.compare(actual, expected) === 0,
    `${actual.length} bytes differ from the ${expected.length} expected`,
  );
}

async function* pieces(bytes: Uint8Array, length: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
