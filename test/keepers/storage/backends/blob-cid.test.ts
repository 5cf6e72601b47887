import assert from "node:assert/strict";
import { test } from "node:test";
import { unixfs } from "@helia/unixfs";
import { MemoryBlockstore } from "blockstore-core";
import { CID } from "multiformats/cid";
import { blobCid as portableCid } from "../../../../keepers/src/core/dataset/blob.ts";
import {
  blobCid,
  blockCid,
  chunkBytes,
  dagPbCodec,
  layoutBlob,
  maxBlobBytes,
  parseBlobCid,
  parseRoot,
} from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { NotABlobCidError, WrongBytesError } from "../../../../keepers/src/storage/backends/errors.ts";
import { generator } from "../random.ts";

const random = generator(1);

test("a blob has the CID that helia's UnixFS importer gives the file", async () => {
  const sizes = [
    0,
    1,
    chunkBytes - 1,
    chunkBytes,
    chunkBytes + 1,
    2 * chunkBytes,
    3 * chunkBytes + 5,
    maxBlobBytes,
  ];
  for (const size of sizes) {
    const bytes = random.bytes(size);
    const expected = await unixfs({ blockstore: new MemoryBlockstore() }).addBytes(bytes, {
      cidVersion: 1,
      rawLeaves: true,
      chunker: async function* (source) {
        for await (const part of source) {
          for (let at = 0; at === 0 || at < part.length; at += chunkBytes)
            yield part.subarray(at, at + chunkBytes);
        }
      },
    });
    assert.equal(blobCid(bytes).toString(), expected.toString(), `${size} bytes`);
    assert.equal(
      portableCid(bytes).toString(),
      expected.toString(),
      `${size} bytes, hashed everywhere alike`,
    );
  }
});

test("a blob of one chunk has the plain SHA-256 of its bytes as CID", () => {
  const cid = blobCid(new TextEncoder().encode("abc"));
  // FIPS 180-4, example B.1
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(cid.code, 0x55);
  assert.equal(Buffer.from(cid.multihash.digest).toString("hex"), expected);
});

test("the layout read from a root is the layout that wrote it", () => {
  for (const size of [chunkBytes + 1, 2 * chunkBytes, 7 * chunkBytes - 3, maxBlobBytes]) {
    const layout = layoutBlob(random.bytes(size));
    const parsed = parseRoot(layout.cid, layout.root!, "test");
    assert.equal(parsed.size, size);
    assert.deepEqual(
      parsed.chunks.map((c) => [c.cid.toString(), c.offset, c.length]),
      layout.chunks.map((c) => [c.cid.toString(), c.offset, c.length]),
    );
  }
});

test("a root with any byte changed is refused", () => {
  const layout = layoutBlob(random.bytes(2 * chunkBytes + 9));
  for (let i = 0; i < layout.root!.length; i++) {
    const changed = layout.root!.slice();
    changed[i]! ^= 1 + random.integer(255);
    assert.throws(() => parseRoot(layout.cid, changed, "test"), WrongBytesError);
  }
});

test("a root that hashes right but is not canonical is refused, whatever it says", () => {
  const { root } = layoutBlob(random.bytes(2 * chunkBytes + 9));
  for (let round = 0; round < 2000; round++) {
    const changed = root!.slice(0, random.integer(4) === 0 ? random.integer(root!.length) : root!.length);
    for (let flips = random.integer(3) + 1; flips > 0 && changed.length > 0; flips--) {
      changed[random.integer(changed.length)] = random.integer(256);
    }
    const cid = blockCid(dagPbCodec, changed);
    try {
      const { chunks } = parseRoot(cid, changed, "test");
      // Only the digests inside the links are free.
      assert.equal(changed.length, root!.length);
      assert.equal(chunks.length, 3);
    } catch (error) {
      assert.ok(error instanceof NotABlobCidError, String(error));
    }
  }
});

test("CIDs that no blob can have are refused", () => {
  const good = blobCid(new Uint8Array(3));
  assert.equal(parseBlobCid(good.toString()).toString(), good.toString());
  for (const bad of [
    "",
    "../../etc/passwd",
    "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
    good.toString().toUpperCase(),
    CID.createV1(0x71, good.multihash).toString(),
    `${good}/x`,
  ]) {
    assert.throws(() => parseBlobCid(bad), NotABlobCidError, bad);
  }
});
