import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import type { RecordsFormat } from "../../../../keepers/src/core/dataset/format.ts";
import { fieldOfRole, readField } from "../../../../keepers/src/core/dataset/records.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { diskFile } from "../../../../keepers/src/storage/readers/bytes.ts";
import { type CsvOptions, readCsv } from "../../../../keepers/src/storage/readers/csv.ts";
import { readIdx } from "../../../../keepers/src/storage/readers/idx.ts";
import { mnistFiles, openMnist } from "../../../../keepers/src/storage/readers/mnist.ts";
import { parseNumber } from "../../../../keepers/src/storage/readers/numbers.ts";
import { openSource } from "../../../../keepers/src/storage/readers/open-source.ts";
import type { InputFile } from "../../../../keepers/src/storage/readers/pieces.ts";
import { type DatasetSource, maxLineBytes } from "../../../../keepers/src/storage/readers/source.ts";
import { writeRecords } from "../../../../keepers/src/storage/readers/write-records.ts";
import { drain, readBack, restore, temporaryFolder, writeFiles } from "./support.ts";

/** Inputs and labels of a source, as training reads them. */
async function values(source: DatasetSource): Promise<{ inputs: number[][]; labels: number[] }> {
  const objects = await drain(source);
  const format = source.format() as RecordsFormat;
  const label = format.fields.find(({ role }) => role === "label");
  return {
    inputs: objects.map((object) => [...readField(fieldOfRole(format, "input"), object)]),
    labels: label === undefined ? [] : objects.map((object) => readField(label, object)[0]!),
  };
}

const dtypes = (source: DatasetSource) => (source.format() as RecordsFormat).fields.map(({ dtype }) => dtype);

describe("the built-in digits", () => {
  it("are 1,797 objects of 65 bytes that hold what the CSV file says", async () => {
    const source = await openSource("digits");
    assert.deepEqual([source.name, source.objectSize, source.objectCount], ["digits", 65, 1797]);
    const text = gunzipSync(await readFile("data/digits.csv.gz")).toString();
    const rows = text
      .trimEnd()
      .split("\n")
      .map((row) => row.split(",").map(Number));
    assert.deepEqual(
      (await drain(source)).map((object) => [...object]),
      rows,
    );
    assert.deepEqual((source.format() as RecordsFormat).fields, [
      { name: "input", role: "input", dtype: "u8", shape: [8, 8], offset: 0 },
      { name: "label", role: "label", dtype: "u8", shape: [], offset: 64 },
    ]);
  });

  it("are written back as the same CSV file, byte for byte", async (test) => {
    const target = join(await temporaryFolder(test), "out");
    const files = await readBack(target, await restore(await openSource("digits"), target));
    assert.deepEqual(files, { "digits.csv": gunzipSync(await readFile("data/digits.csv.gz")) });
  });
});

describe("CSV", () => {
  async function csv(test: Parameters<typeof temporaryFolder>[0], text: string, options: CsvOptions = {}) {
    const folder = await temporaryFolder(test);
    await writeFiles(folder, { "a.csv": text });
    return await readCsv(diskFile(join(folder, "a.csv")), options);
  }

  it("finds header, label and the smallest number types by itself", async (test) => {
    const source = await csv(test, "height,class,width\n1,-3,300\n2,4,-5\n", { label: "class" });
    assert.deepEqual(dtypes(source), ["i16", "i8"]);
    assert.deepEqual(await values(source), {
      inputs: [
        [1, 300],
        [2, -5],
      ],
      labels: [-3, 4],
    });
  });

  for (const [text, dtype] of [
    ["0\n255\n", "u8"],
    ["-1\n127\n", "i8"],
    ["256\n", "i16"],
    ["40000\n", "i32"],
    ["3000000000\n", "f32"],
    ["2147483649\n", "f64"],
    ["0.1\n-1e-3\n3\n", "f32"],
    ["0.123456789012\n", "f64"],
    ["0.1\n2147483649\n", "f64"],
  ] as const) {
    it(`keeps every value: ${JSON.stringify(text)} is ${dtype} and comes back as the same numbers`, async (test) => {
      const source = await csv(test, text);
      assert.deepEqual(dtypes(source), [dtype]);
      const target = join(await temporaryFolder(test), "out");
      const written = (await readBack(target, await restore(source, target)))["a.csv"]!.toString();
      assert.deepEqual(written.split("\n").map(Number), text.split("\n").map(Number));
    });
  }

  it("writes header, delimiter and the label's column back where they were", async (test) => {
    const text = '"a;b";y;"say ""x"""\n1;7;2.5\n3;8;0.1\n';
    const source = await csv(test, text, { delimiter: ";", label: "y" });
    const target = join(await temporaryFolder(test), "out");
    assert.equal((await readBack(target, await restore(source, target)))["a.csv"]!.toString(), text);
  });

  it("keeps the rows but not the header when no manifest could hold it", async (test) => {
    const columns = Array.from({ length: 400 }, (_, i) => `a long name of column ${i}`);
    const source = await csv(test, `${columns.join(",")}\n${columns.map((_, i) => i).join(",")}\n`);
    assert.deepEqual((await values(source)).inputs, [columns.map((_, i) => i)]);
    const { origin } = source.format() as RecordsFormat;
    assert.equal(origin?.kind === "csv" ? origin.header : undefined, null);
  });

  it("takes labels by index, first and last; spaces, CRLF, a byte order mark and empty lines do no harm", async (test) => {
    const text = "\ufeff1, 2 ,3\r\n\r\n4,5,6\r\n";
    for (const [label, labels] of [
      ["first", [1, 4]],
      [1, [2, 5]],
      ["last", [3, 6]],
    ] as const) {
      assert.deepEqual((await values(await csv(test, text, { label }))).labels, labels);
    }
  });

  it("keeps rows in order over many pieces, unpacked from gzip", async (test) => {
    const folder = await temporaryFolder(test);
    const rows = Array.from({ length: 60_000 }, (_, i) => `${i},${i % 7}`);
    await writeFiles(folder, { "a.csv.gz": gzipSync(rows.join("\n")) });
    const source = await readCsv(diskFile(join(folder, "a.csv.gz")), { label: "last", dtype: "i32" });
    const read = await values(source);
    assert.deepEqual(
      read.inputs.map(([x], i) => `${x},${read.labels[i]}`),
      rows,
    );
  });

  const malformedFiles: [string, string, CsvOptions, RegExp][] = [
    ["a cell that is text", "1,2\n3,x\n", {}, /a\.csv, line 2: column 2 holds "x"/],
    ["an empty cell", "1,2\n3,\n", {}, /a\.csv, line 2: column 2 is empty/],
    ["NaN", "1\nNaN\n", {}, /line 2.*"NaN"/],
    ["infinity", "1\n1e999\n", {}, /line 2.*"1e999"/],
    ["hexadecimal", "1\n0x10\n", {}, /line 2.*"0x10"/],
    ["an integer that a float would round", "1\n9007199254740993\n", {}, /line 2.*9007199254740993/],
    ["rows of different lengths", "1,2\n3\n", {}, /a\.csv, line 2: it is not CSV/],
    ["an open quote", '1,2\n"3,4\n', {}, /a\.csv.*not CSV/],
    ["no rows", "", {}, /a\.csv: it has no rows/],
    ["a header alone", "a,b\n", {}, /a\.csv: it has no rows/],
    ["a label that is not there", "a,b\n1,2\n", { label: "c" }, /no label column "c"; its columns are a, b/],
    ["a label index that is not there", "1,2\n", { label: 2 }, /no label column 2/],
    ["a label and nothing else", "1\n", { label: "last" }, /only column/],
    [
      "a value outside the asked type",
      "1\n300\n",
      { dtype: "u8" },
      /line 2: column 1 holds 300, which is no u8/,
    ],
    ["a shape that does not fit", "1,2,3\n", { shape: [2, 2] }, /shape 2×2 does not fit its 3 input columns/],
    ["too many columns", `${"1,".repeat(4096)}1\n`, {}, /4097 columns/],
    ["more bytes than allowed", "1\n2\n3\n", { maxBytes: 5 }, /more than 5 bytes/],
  ];
  for (const [name, text, options, message] of malformedFiles) {
    it(`refuses ${name} and names the place`, async (test) => {
      await assert.rejects(
        csv(test, text, options),
        (error: unknown) => error instanceof BadInputError && message.test(error.message),
      );
    });
  }

  it("attack: refuses a cell of very many digits that is no number in time that grows with it", () => {
    const begun = performance.now();
    for (const text of [`${"1".repeat(100_000)}x`, `-${"0".repeat(100_000)}.e`, `${"7".repeat(100_000)}`]) {
      assert.equal(parseNumber(text), null);
    }
    assert.ok(performance.now() - begun < 1000);
  });

  it("takes the longest decimal that a float needs, and forms with and without digits around the point", () => {
    const longest = `0.${"0".repeat(1073)}5`;
    for (const text of ["1.", ".5", "1.5", "+1.e3", "-.5E-3", "00.10", longest]) {
      assert.equal(parseNumber(text), Number(text));
    }
    for (const text of ["", ".", "1..2", "1.2.3", "e3", "1e", "+", "1 2"])
      assert.equal(parseNumber(text), null);
  });

  for (const [name, unit] of [
    ["commas", ","],
    ["spaces", " "],
  ] as const) {
    it(`attack: refuses a line of ${name} without end before it is held whole`, async () => {
      let given = 0;
      const file: InputFile = {
        ...{ path: "endless.csv", name: "endless.csv" },
        async *read() {
          yield Buffer.from("1,2\n\n");
          const piece = Buffer.alloc(2 ** 18, unit);
          for (; given < 3 * maxLineBytes; given += piece.length) yield piece;
        },
      };
      await assert.rejects(readCsv(file, { header: false }), /endless\.csv, line 3: the line is longer than/);
      assert.ok(given <= maxLineBytes + 2 ** 18);
    });
  }

  it("takes empty lines for no line that is too long", async () => {
    const file: InputFile = {
      ...{ path: "gaps.csv", name: "gaps.csv" },
      async *read() {
        yield Buffer.from("1,2\n");
        for (let given = 0; given < 1.5 * maxLineBytes; given += 2 ** 18) yield Buffer.alloc(2 ** 18, "\n");
        yield Buffer.from("3,4\n");
      },
    };
    assert.equal((await readCsv(file)).objectCount, 2);
  });

  it("writes cells of a header back that would be read as something else if they were not quoted", async (test) => {
    const text = '"a\rb"," c ","d\r\ne","f\ng",h\n1,2,3,4,5\n';
    const source = await csv(test, text);
    const target = join(await temporaryFolder(test), "out");
    assert.equal((await readBack(target, await restore(source, target)))["a.csv"]!.toString(), text);
  });

  it("attack: writes a label of more values than a call takes arguments", async (test) => {
    const target = join(await temporaryFolder(test), "out");
    const count = 300_000;
    const written = await writeRecords({
      format: {
        kind: "records",
        fields: [
          { name: "input", role: "input", dtype: "u8", shape: [2], offset: 0 },
          { name: "label", role: "label", dtype: "u8", shape: [count], offset: 2 },
        ],
        origin: { kind: "csv", file: "a.csv", delimiter: ",", header: null, labelColumn: 1 },
      },
      ...{ objectSize: count + 2, objectCount: 1, target },
      async *objects() {
        yield Buffer.concat([Uint8Array.of(1, 2), Buffer.alloc(count, 7)]);
      },
    });
    const files = await readBack(target, written);
    assert.equal(files["a.csv"]!.toString(), `1,${"7,".repeat(count)}2\n`);
  });

  it("refuses damaged gzip, and a small file that unpacks to more than the limit", async (test) => {
    const folder = await temporaryFolder(test);
    const packed = gzipSync("1\n".repeat(1000));
    await writeFiles(folder, {
      "cut.csv.gz": packed.subarray(0, -10),
      "no.csv.gz": "1,2\n",
      "bomb.csv.gz": gzipSync(Buffer.alloc(10_000_000, "1\n")),
    });
    await assert.rejects(
      readCsv(diskFile(join(folder, "cut.csv.gz"))),
      /cut\.csv\.gz: the gzip data is damaged/,
    );
    await assert.rejects(
      readCsv(diskFile(join(folder, "no.csv.gz"))),
      /no\.csv\.gz: the gzip data is damaged/,
    );
    await assert.rejects(
      readCsv(diskFile(join(folder, "bomb.csv.gz")), { maxBytes: 1e6 }),
      /more than 1000000 bytes when unpacked/,
    );
  });

  it("notices when the file changes between its two readings", async (test) => {
    const folder = await temporaryFolder(test);
    for (const changed of ["1,2\n", "1,2\n3,4\n5,6\n", "1,2\n3,400\n"]) {
      await writeFiles(folder, { "a.csv": "1,2\n3,4\n" });
      const source = await readCsv(diskFile(join(folder, "a.csv")));
      await writeFiles(folder, { "a.csv": changed });
      await assert.rejects(drain(source), BadInputError);
    }
  });
});

describe("IDX", () => {
  const header = (type: number, ...sizes: number[]) => {
    const bytes = Buffer.alloc(4 + 4 * sizes.length);
    bytes[2] = type;
    bytes[3] = sizes.length;
    for (const [i, size] of sizes.entries()) bytes.writeUInt32BE(size, 4 + 4 * i);
    return bytes;
  };
  const images = Buffer.concat([header(8, 3, 2, 2), Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])]);
  const labels = Buffer.concat([header(8, 3), Buffer.from([7, 8, 9])]);

  it("pairs images with labels, found beside them, packed or not, and writes both files back", async (test) => {
    for (const pack of [(bytes: Buffer) => bytes, gzipSync]) {
      const folder = await temporaryFolder(test);
      const end = pack === gzipSync ? ".gz" : "";
      await writeFiles(folder, {
        [`t-images-idx3-ubyte${end}`]: pack(images),
        [`t-labels-idx1-ubyte${end}`]: pack(labels),
      });
      const source = await openSource(join(folder, `t-images-idx3-ubyte${end}`));
      assert.deepEqual(await values(source), {
        inputs: [
          [1, 2, 3, 4],
          [5, 6, 7, 8],
          [9, 10, 11, 12],
        ],
        labels: [7, 8, 9],
      });
      const target = join(folder, "out");
      const files = await readBack(target, await restore(source, target));
      assert.deepEqual(files, { "t-images-idx3-ubyte": images, "t-labels-idx1-ubyte": labels });
    }
  });

  it("refuses images and labels whose files could not lie in one folder", async (test) => {
    const folder = await temporaryFolder(test);
    await writeFiles(folder, { "a/x.idx": images, "b/x.idx": labels });
    await assert.rejects(
      readIdx(diskFile(join(folder, "a/x.idx")), { labels: diskFile(join(folder, "b/x.idx")) }),
      /format\.origin\.files: .*a file of its own/,
    );
  });

  it("names the dataset after the file, unless no manifest could hold the name", async (test) => {
    const folder = await temporaryFolder(test);
    await writeFiles(folder, { "short.idx.gz": gzipSync(labels), [`${"x".repeat(125)}.idx`]: labels });
    assert.equal((await readIdx(diskFile(join(folder, "short.idx.gz")))).name, "short.idx");
    assert.equal((await readIdx(diskFile(join(folder, `${"x".repeat(125)}.idx`)))).name, "dataset");
  });

  for (const [type, write, numbers] of [
    [0x09, (buffer: Buffer, value: number, i: number) => buffer.writeInt8(value, i), [-1, 2]],
    [0x0b, (buffer: Buffer, value: number, i: number) => buffer.writeInt16BE(value, 2 * i), [-300, 2]],
    [0x0c, (buffer: Buffer, value: number, i: number) => buffer.writeInt32BE(value, 4 * i), [-70000, 2]],
    [0x0d, (buffer: Buffer, value: number, i: number) => buffer.writeFloatBE(value, 4 * i), [0.5, -2]],
    [0x0e, (buffer: Buffer, value: number, i: number) => buffer.writeDoubleBE(value, 8 * i), [0.1, -2]],
  ] as const) {
    it(`reads big-endian numbers of type ${type} and writes the same file`, async (test) => {
      const folder = await temporaryFolder(test);
      const body = Buffer.alloc(2 * [1, 2, 4, 4, 8][[9, 11, 12, 13, 14].indexOf(type)]!);
      for (const [i, number] of numbers.entries()) write(body, number, i);
      const file = Buffer.concat([header(type, 2, 1), body]);
      await writeFiles(folder, { "a.idx": file });
      const source = await openSource(join(folder, "a.idx"));
      assert.deepEqual((await values(source)).inputs.flat(), [...numbers]);
      const target = join(folder, "out");
      assert.deepEqual(await readBack(target, await restore(source, target)), { "a.idx": file });
    });
  }

  const broken: [string, Buffer, Buffer | undefined, RegExp][] = [
    ["an empty file", Buffer.alloc(0), undefined, /does not start as an IDX/],
    ["another file", Buffer.from("PK\u0003\u0004 zip archive"), undefined, /does not start as an IDX/],
    ["an unknown number type", header(0x0a, 1), undefined, /does not start as an IDX/],
    ["no dimensions", Buffer.from([0, 0, 8, 0]), undefined, /0 dimensions/],
    ["200 dimensions", Buffer.from([0, 0, 8, 200]), undefined, /200 dimensions/],
    ["a header that ends early", header(8, 3, 2, 2).subarray(0, 10), undefined, /ends in its header/],
    ["a dimension of 0", header(8, 3, 0), undefined, /dimension in its header is 0/],
    ["items of absurd size", header(8, 1, 2 ** 31, 2 ** 31), undefined, /more than 2147483648 bytes/],
    ["a missing item", images.subarray(0, -1), undefined, /ends in item 2 of 3/],
    [
      "an absurd count",
      Buffer.concat([header(8, 2 ** 32 - 1, 4), Buffer.alloc(8)]),
      undefined,
      /ends in item 2 of/,
    ],
    [
      "bytes behind the items",
      Buffer.concat([images, Buffer.alloc(1)]),
      undefined,
      /bytes follow its 3 items/,
    ],
    [
      "another number of labels",
      images,
      Buffer.concat([header(8, 2), Buffer.alloc(2)]),
      /2 labels for the 3 items/,
    ],
    ["labels that end early", images, labels.subarray(0, -1), /l\.idx: it ends in item 2/],
  ];
  for (const [name, file, other, message] of broken) {
    it(`refuses ${name} and names the file`, async (test) => {
      const folder = await temporaryFolder(test);
      await writeFiles(folder, { "a.idx": file, ...(other === undefined ? {} : { "l.idx": other }) });
      const read = async () =>
        drain(
          await readIdx(diskFile(join(folder, "a.idx")), {
            labels: other && diskFile(join(folder, "l.idx")),
          }),
        );
      await assert.rejects(
        read,
        (error: unknown) => error instanceof BadInputError && message.test(error.message),
      );
    });
  }
});

const data = process.env.ASSAY_DATA;

describe("MNIST", { skip: data === undefined ? "ASSAY_DATA names no folder with MNIST" : false }, () => {
  it("reads the 10,000 test images from ASSAY_DATA and writes the original files", async (test) => {
    const source = await openMnist({ split: "test" });
    assert.deepEqual([source.objectSize, source.objectCount, source.name], [785, 10_000, "mnist-test"]);
    const target = join(await temporaryFolder(test), "out");
    const files = await readBack(target, await restore(source, target));
    for (const { name, sha256 } of Object.values(mnistFiles.test)) {
      assert.equal(createHash("sha256").update(files[name]!).digest("hex"), sha256);
    }
  });
});
