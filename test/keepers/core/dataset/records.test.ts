import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  assertRecordsFormat,
  type Dtype,
  dtypeBytes,
  type Field,
  fitsHeader,
  type PackedFormat,
  type RecordsFormat,
} from "../../../../keepers/src/core/dataset/format.ts";
import { assertRelativePath, pathProblem } from "../../../../keepers/src/core/dataset/names.ts";
import {
  entryRange,
  objectParts,
  parseEntry,
  parseIndex,
  RecordPacker,
} from "../../../../keepers/src/core/dataset/packed.ts";
import {
  fieldOfRole,
  readField,
  swapBytes,
  writeField,
} from "../../../../keepers/src/core/dataset/records.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { generator } from "../../storage/random.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("dataset/records");

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What this process holds in memory of its own making, in bytes. */
function inMemory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const field = (dtype: Dtype, shape: number[], offset: number): Field => ({
  name: "x",
  role: "input",
  dtype,
  shape,
  offset,
});

describe("fields of a record", () => {
  const samples: [Dtype, number[], string][] = [
    ["u8", [0, 255], "00ff"],
    ["i8", [-128, 127], "807f"],
    ["i16", [-2, 258], "feff0201"],
    ["i32", [-2147483648, 67305985], "0000008001020304"],
    ["f32", [1, -0.5], "0000803f000000bf"],
    ["f64", [1, -2], "000000000000f03f00000000000000c0"],
  ];
  for (const [dtype, values, bytes] of samples) {
    it(`are little-endian and come back (${dtype})`, () => {
      const record = new Uint8Array(3 + 2 * dtypeBytes[dtype]);
      writeField(field(dtype, [2], 3), record, values);
      assert.equal(Buffer.from(record.subarray(3)).toString("hex"), bytes);
      assert.deepEqual([...readField(field(dtype, [2], 3), record)], values);
    });
  }

  it("refuse values that their type would change, wrong counts, and places outside the record", () => {
    const record = new Uint8Array(8);
    for (const [dtype, value] of [
      ["u8", 256],
      ["u8", -1],
      ["i8", 128],
      ["i16", 0.5],
      ["i32", 2 ** 31],
      ["u8", Number.NaN],
    ] as const) {
      throws(() => writeField(field(dtype, [], 0), record, [value]), BadInputError);
    }
    throws(() => writeField(field("u8", [2], 0), record, [1]), BadInputError);
    throws(() => writeField(field("f64", [], 1), record, [1]), BadInputError);
    throws(() => readField(field("i32", [2], 1), record), BadInputError);
  });

  it("are found by their role", () => {
    const label: Field = { ...field("u8", [], 0), name: "y", role: "label" };
    const format: RecordsFormat = { kind: "records", fields: [label], origin: null };
    assert.equal(fieldOfRole(format, "label"), label);
    throws(() => fieldOfRole(format, "input"), /no input field/);
  });

  it("swap bytes of each number and back", () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    assert.deepEqual([...swapBytes(bytes, "i16")], [2, 1, 4, 3, 6, 5, 8, 7]);
    assert.deepEqual([...swapBytes(bytes, "f64")], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert.deepEqual(swapBytes(swapBytes(bytes, "i32"), "i32"), bytes);
    assert.deepEqual(swapBytes(bytes, "u8"), bytes);
  });
});

type Record = { name: string; bytes: Uint8Array };

function pack(records: readonly Record[], objectSize: number, content: PackedFormat["content"]) {
  const packer = new RecordPacker(objectSize);
  const objects: Uint8Array[] = [];
  for (const { name, bytes } of records) {
    for (let at = 0; at < bytes.length; at += 7) objects.push(...packer.push(bytes.subarray(at, at + 7)));
    packer.endRecord(name);
  }
  const end = packer.finish();
  let step = end.next();
  for (; !step.done; step = end.next()) objects.push(step.value);
  const { offset, length, records: count } = step.value;
  const file = content === "lines" ? "a.txt" : null;
  const format: PackedFormat = { kind: "packed", content, file, records: count, index: { offset, length } };
  return { objects, format };
}

/** The bytes that a client would get by fetching only the objects it needs. */
function fetchRange(
  objects: readonly Uint8Array[],
  objectSize: number,
  start: number,
  end: number,
): Uint8Array {
  const parts = objectParts(objectSize, start, end);
  return Buffer.concat(parts.map((part) => objects[part.object]!.subarray(part.start, part.end)));
}

function randomRecords(seed: number): Record[] {
  const random = generator(seed);
  const count = 1 + random.integer(40);
  return Array.from({ length: count }, (_, i) => ({
    name: `folder/${String(i).padStart(3, "0")}-\u00e9`,
    bytes: random.bytes(random.integer(3) === 0 ? 0 : random.integer(300)),
  }));
}

describe("packed records", () => {
  it("come back through the index, whole or one at a time, for random records and object sizes", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const records = randomRecords(seed);
      const objectSize = 1 + generator(seed + 1000).integer(200);
      const { objects, format } = pack(records, objectSize, "files");
      assert.ok(objects.every((object) => object.length === objectSize));
      assert.equal(objects.length, Math.ceil((format.index.offset + format.index.length) / objectSize));
      const { offset, length } = format.index;
      const entries = parseIndex(format, fetchRange(objects, objectSize, offset, offset + length));
      assert.deepEqual(
        entries.map(({ name }) => name),
        records.map(({ name }) => name),
      );
      for (const [i, { bytes }] of records.entries()) {
        const at = entryRange(format, i);
        const place = parseEntry(format, i, fetchRange(objects, objectSize, at.start, at.end));
        assert.deepEqual({ start: entries[i]!.start, end: entries[i]!.end }, place);
        assert.deepEqual(
          Uint8Array.from(fetchRange(objects, objectSize, place.start, place.end)),
          Uint8Array.from(bytes),
        );
      }
    }
  });

  it("have the index bytes of the format, by hand", () => {
    const records = [
      { name: "a", bytes: Uint8Array.of(1, 2, 3) },
      { name: "bc", bytes: new Uint8Array(0) },
    ];
    const { objects, format } = pack(records, 64, "files");
    assert.deepEqual(format.index, { offset: 3, length: 35 });
    const index =
      "0000000000000003" + "0000000000000001" + "0000000000000003" + "0000000000000003" + "616263";
    assert.equal(Buffer.from(objects[0]!).toString("hex"), `010203${index}${"00".repeat(26)}`);
  });

  it("cover a range with exactly its parts of objects", () => {
    assert.deepEqual(objectParts(10, 8, 31), [
      { object: 0, start: 8, end: 10 },
      { object: 1, start: 0, end: 10 },
      { object: 2, start: 0, end: 10 },
      { object: 3, start: 0, end: 1 },
    ]);
    assert.deepEqual(objectParts(10, 20, 20), []);
  });

  it("refuse a record that is not there, and no records at all", () => {
    const { format } = pack(randomRecords(1), 64, "files");
    for (const record of [-1, format.records, 0.5]) throws(() => entryRange(format, record), BadInputError);
    throws(() => pack([], 64, "files"), /no record/);
  });

  it("refuse a hostile index: ends that go back or beyond, names that leave the folder, repeat or are unsorted", () => {
    const one = Uint8Array.of(1);
    const records = [
      { name: "a", bytes: one },
      { name: "b", bytes: one },
    ];
    const { objects, format } = pack(records, 64, "files");
    const { offset, length } = format.index;
    const index = Uint8Array.from(fetchRange(objects, 64, offset, offset + length));
    const altered = (at: number, value: number) => index.map((byte, i) => (i === at ? value : byte));
    assert.equal(parseIndex(format, index).length, 2);
    for (const [at, value] of [
      [7, 3],
      [0, 255],
      [23, 0],
      [23, 1],
      [15, 3],
      [15, 2],
      [31, 1],
      [8, 1],
      [32, "b".charCodeAt(0)],
      [32, "c".charCodeAt(0)],
      [32, "/".charCodeAt(0)],
      [33, ".".charCodeAt(0)],
      [32, 0xff],
      [33, 0],
    ] as const) {
      throws(() => parseIndex(format, altered(at, value)), BadInputError, `byte ${at} = ${value}`);
    }
    throws(() => parseIndex(format, index.subarray(1)), BadInputError);
    const names = ["../up", "/abs", "a/../../b", "C:\\x", "a\\b", "a//b", "."];
    for (const name of names) {
      const { objects: bad, format: its } = pack([{ name, bytes: one }], 64, "files");
      const bytes = fetchRange(bad, 64, its.index.offset, its.index.offset + its.index.length);
      throws(() => parseIndex(its, bytes), /is refused/, name);
    }
    const named = pack(records, 64, "lines");
    const bytes = fetchRange(named.objects, 64, offset, offset + length);
    throws(() => parseIndex(named.format, bytes), /damaged/);
  });

  it("refuse object sizes that are no positive integer", () => {
    for (const size of [0, -1, 1.5, Number.NaN, 2 ** 31 + 1])
      throws(() => new RecordPacker(size), BadInputError);
  });

  it("attack: take a few bytes of memory for each line that has no name", () => {
    const lines = 300_000;
    const packer = new RecordPacker(4096);
    const before = inMemory();
    for (let line = 0; line < lines; line++) packer.endRecord("");
    const each = (inMemory() - before) / lines;
    assert.ok(each < 40, `${each} bytes a line`);
    assert.equal([...packer.finish()].length, Math.ceil((lines * 16) / 4096));
  });

  it("refuse a single entry that lies outside the records", () => {
    const { format } = pack([{ name: "a", bytes: Uint8Array.of(1) }], 64, "files");
    const entry = (end: number) => {
      const bytes = new Uint8Array(16);
      bytes[7] = end;
      return bytes;
    };
    assert.deepEqual(parseEntry(format, 0, entry(1)), { start: 0, end: 1 });
    throws(() => parseEntry(format, 0, entry(2)), /damaged/);
    throws(() => parseEntry(format, 0, new Uint8Array(15)), /damaged/);
  });
});

describe("names of files", () => {
  it("accept ordinary relative paths", () => {
    for (const name of ["a", "a/b.txt", "..a", "a..b/c", "日本/é", "10:30.jpg"])
      assert.equal(pathProblem(name), null, name);
  });

  it("refuse whatever could leave the folder or cannot be written", () => {
    const names = [
      "",
      ".",
      "..",
      "../a",
      "a/..",
      "a/./b",
      "/a",
      "a/",
      "a//b",
      "a\\..\\b",
      "c:/x",
      "a\u0000",
      "a\nb",
      "\ud800",
    ];
    for (const name of names) throws(() => assertRelativePath(name), BadInputError, JSON.stringify(name));
    assert.notEqual(pathProblem("x".repeat(1025)), null);
    assert.equal(pathProblem("x".repeat(1024)), null);
  });
});

describe("a description of records that is refused before any work", () => {
  const format = (
    fields: RecordsFormat["fields"],
    origin: RecordsFormat["origin"] = null,
  ): RecordsFormat => ({
    kind: "records",
    fields,
    origin,
  });
  const input: Field = { name: "x", role: "input", dtype: "i16", shape: [2, 3], offset: 1 };
  const label: Field = { name: "y", role: "label", dtype: "u8", shape: [], offset: 13 };
  const csv = { kind: "csv", file: "a.csv", delimiter: ",", header: null, labelColumn: null } as const;

  it("says which field is at fault", () => {
    assertRecordsFormat(format([input, label]), 14);
    const wrong: [RecordsFormat, number][] = [
      [format([input, label]), 13],
      [format([input, { ...label, name: "x" }]), 14],
      [format([input, { ...label, offset: 12 }]), 14],
      [format([]), 14],
      [format([{ ...input, name: "1x" }]), 14],
      [format([{ ...input, shape: [2, 0] }]), 14],
      [format([input, label], { kind: "idx", files: ["a"] }), 14],
      [format([input, label], { kind: "idx", files: ["a", "a"] }), 14],
      [format([input, label], { ...csv, header: ["a", "b"] }), 14],
      [format([input, label], { ...csv, labelColumn: 7 }), 14],
    ];
    for (const [each, size] of wrong) throws(() => assertRecordsFormat(each, size), BadInputError);
    const header = ["a", "b", "c", "d", "e", "f", "g"];
    assertRecordsFormat(format([input, label], { ...csv, header, labelColumn: 6 }), 14);
    assertRecordsFormat(format([input, label], { kind: "idx", files: ["a", "b"] }), 14);
  });

  it("keeps a header up to 8,192 characters with three for each name, and names up to 256", () => {
    assert.equal(fitsHeader(["x".repeat(256)]), true);
    assert.equal(fitsHeader(["x".repeat(257)]), false);
    assert.equal(fitsHeader(new Array(31).fill("x".repeat(256))), true);
    // 31 · 259 and 160 + 3 are 8,192.
    assert.equal(fitsHeader([...new Array(31).fill("x".repeat(256)), "x".repeat(160)]), true);
    assert.equal(fitsHeader([...new Array(31).fill("x".repeat(256)), "x".repeat(161)]), false);
    assert.equal(fitsHeader(["\ud800"]), false);
  });
});
