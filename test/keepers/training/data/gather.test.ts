import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { bytesToHex, concat, type Hex, keccak256 } from "viem";
import { FileObjects } from "../../../../keepers/src/training/data/file-objects.ts";
import { fixedSizeObjects } from "../../../../keepers/src/training/data/fixed-size.ts";
import { gatherObjects } from "../../../../keepers/src/training/data/gather.ts";
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import type { ObjectSequence } from "../../../../keepers/src/training/data/types.ts";

const folder = await mkdtemp(join(tmpdir(), "assay-data-"));
after(() => rm(folder, { recursive: true, force: true }));

const size = 7;
const bytesOf = (count: number) =>
  Uint8Array.from({ length: count * size }, (_, i) => (i * 37 + (i >> 3)) & 0xff);
const sequence = (
  objects: readonly Uint8Array[],
  objectCount: number | undefined = objects.length,
): ObjectSequence => ({
  name: "thing",
  objectSize: size,
  objectCount,
  async *objects() {
    yield* objects;
  },
});
const cut = (bytes: Uint8Array) =>
  Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

/** The root of the storage protocol, section 2, with another library's hash and no shared tree. */
function rootOf(objects: readonly Uint8Array[]): Hex {
  let nodes = objects.map((object) => keccak256(concat(["0x00", bytesToHex(object)])));
  let absent: Hex = `0x${"00".repeat(32)}`;
  while (nodes.length > 1) {
    nodes = Array.from({ length: Math.ceil(nodes.length / 2) }, (_, i) =>
      keccak256(concat(["0x01", nodes[2 * i]!, nodes[2 * i + 1] ?? absent])),
    );
    absent = keccak256(concat(["0x01", absent, absent]));
  }
  return nodes[0]!;
}

describe("gathering objects", () => {
  const spool = join(folder, "spool");

  it("does not write through a link that lies where its file goes", async () => {
    const letter = join(folder, "letter.txt");
    await writeFile(letter, "dear reader");
    const link = join(folder, "link.spool");
    await symlink(letter, link);
    const { source } = await gatherObjects(sequence(cut(bytesOf(3))), { spool: link, memoryBytes: 0 });
    assert.deepEqual(Buffer.from(await source.read([2])), Buffer.from(bytesOf(3).subarray(14)));
    await source.close();
    assert.equal(await readFile(letter, "utf8"), "dear reader");
  });

  it("gives them in any order, from memory when they fit and from a file when they do not", async () => {
    const bytes = bytesOf(1000);
    const objects = cut(bytes);
    for (const memoryBytes of [bytes.length, bytes.length - 1, 0]) {
      const { source, objectRoot } = await gatherObjects(sequence(objects), { spool, memoryBytes });
      assert.equal(source instanceof MemoryObjects, memoryBytes === bytes.length);
      assert.equal(source.count, 1000);
      const indices = [999, 0, 3, 3, 512];
      const expected = Buffer.concat(indices.map((index) => objects[index]!));
      assert.deepEqual(Buffer.from(await source.read(indices)), expected);
      assert.equal(objectRoot, rootOf(objects));
      assert.equal(existsSync(spool), memoryBytes !== bytes.length);
      await source.close();
      assert.ok(!existsSync(spool), "the file goes away with the source");
    }
  });

  const refused: [string, ObjectSequence, RegExp][] = [
    ["an empty dataset", sequence([]), /thing is empty/],
    [
      "a short object",
      sequence([new Uint8Array(7), new Uint8Array(6)]),
      /thing, object 1: it has 6 bytes, not 7/,
    ],
    ["fewer objects than announced", sequence(cut(new Uint8Array(3 * size)), 5), /ends at object 3 of 5/],
    [
      "a label outside the classes",
      sequence([new Uint8Array(7), Uint8Array.of(0, 0, 0, 0, 0, 0, 10)]),
      /thing, object 1: its label 10 is none of the 10 classes/,
    ],
  ];
  for (const [what, objects, message] of refused) {
    it(`refuses ${what} and leaves no file`, async () => {
      const label = { offset: 6, bytes: 1, classes: 10 } as const;
      await assert.rejects(gatherObjects(objects, { spool, memoryBytes: 0, label }), message);
      assert.ok(!existsSync(spool));
    });
  }

  it("refuses a label that lies outside the object", async () => {
    const label = { offset: 6, bytes: 2, classes: 10 } as const;
    await assert.rejects(
      gatherObjects(sequence([bytesOf(1)]), { spool, memoryBytes: 0, label }),
      /lies outside objects/,
    );
  });

  it("reads wide labels as unsigned little-endian numbers", async () => {
    const label = { offset: 0, bytes: 4, classes: 2 ** 31 + 1 } as const;
    const good = sequence([Uint8Array.of(0, 0, 0, 0x80, 0, 0, 0)]);
    await (await gatherObjects(good, { spool, memoryBytes: 100, label })).source.close();
    const bad = sequence([Uint8Array.of(1, 0, 0, 0x80, 0, 0, 0)]);
    await assert.rejects(gatherObjects(bad, { spool, memoryBytes: 100, label }), /its label 2147483649/);
  });
});

describe("objects of one size", () => {
  const collect = async ({ objects }: ObjectSequence) => {
    const all: Uint8Array[] = [];
    for await (const object of objects()) all.push(object.slice());
    return all;
  };

  it("come from a file, packed or not, and from a folder in the order of names", async () => {
    const bytes = bytesOf(100_000);
    const plain = join(folder, "objects.bin");
    await writeFile(plain, bytes);
    await writeFile(`${plain}.gz`, gzipSync(bytes));
    for (const path of [plain, `${plain}.gz`]) {
      const found = await collect(await fixedSizeObjects(path, size));
      assert.equal(found.length, 100_000);
      assert.deepEqual(Buffer.concat(found), Buffer.from(bytes));
    }
    const many = join(folder, "many");
    await mkdir(many);
    for (const [i, name] of ["b", "a", "c"].entries())
      await writeFile(join(many, name), new Uint8Array(size).fill(i));
    assert.deepEqual(
      (await collect(await fixedSizeObjects(many, undefined))).map((object) => object[0]),
      [1, 0, 2],
    );
  });

  it("attack: cuts an object that comes in thousands of pieces in time that grows with its bytes", async () => {
    const path = join(folder, "large.gz");
    const objectSize = 40_000_000;
    await writeFile(path, gzipSync(new Uint8Array(2 * objectSize), { level: 1 }));
    const used = process.cpuUsage();
    const { objects } = await fixedSizeObjects(path, objectSize);
    let count = 0;
    for await (const object of objects()) {
      assert.equal(object.length, objectSize);
      count++;
    }
    assert.equal(count, 2);
    const { user, system } = process.cpuUsage(used);
    assert.ok(user + system < 3e6, `it took ${(user + system) / 1e6} s`);
  });

  it("refuses truncated, empty and ragged ones, naming file and object", async () => {
    const short = join(folder, "short.bin");
    await writeFile(short, new Uint8Array(3 * size + 1));
    await assert.rejects(fixedSizeObjects(short, size), /short\.bin is truncated in object 3/);
    await writeFile(`${short}.gz`, gzipSync(new Uint8Array(3 * size + 1)));
    await assert.rejects(
      collect(await fixedSizeObjects(`${short}.gz`, size)),
      /short\.bin\.gz is truncated in object 3/,
    );
    await writeFile(short, "");
    await assert.rejects(fixedSizeObjects(short, size), /is empty/);
    const ragged = join(folder, "ragged");
    await mkdir(ragged);
    await assert.rejects(fixedSizeObjects(ragged, undefined), /holds no file/);
    await writeFile(join(ragged, "0"), new Uint8Array(4));
    await writeFile(join(ragged, "1"), new Uint8Array(5));
    await assert.rejects(collect(await fixedSizeObjects(ragged, undefined)), /1 \(object 1\) has more bytes/);
    await truncate(join(ragged, "1"), 3);
    await assert.rejects(
      collect(await fixedSizeObjects(ragged, undefined)),
      /1 \(object 1\) has only 3 bytes/,
    );
    await assert.rejects(fixedSizeObjects(join(folder, "nowhere"), size), /nowhere cannot be read/);
  });

  it("notices a file that became shorter while it was read", async () => {
    const path = join(folder, "shrinking.bin");
    await writeFile(path, bytesOf(10));
    const source = await FileObjects.open({
      name: "x",
      path,
      objectBytes: size,
      count: 10,
      temporary: false,
    });
    await truncate(path, 5 * size);
    await assert.rejects(source.read([0, 7]), /ends in object 7 of 10/);
    await source.close();
  });
});
