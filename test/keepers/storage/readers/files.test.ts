import assert from "node:assert/strict";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import type { DatasetFormat, PackedFormat } from "../../../../keepers/src/core/dataset/format.ts";
import {
  entryRange,
  objectParts,
  parseEntry,
  RecordPacker,
} from "../../../../keepers/src/core/dataset/packed.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { openSource } from "../../../../keepers/src/storage/readers/open-source.ts";
import { UnreadableFileError } from "../../../../keepers/src/storage/readers/source.ts";
import { CannotWriteError, writeRecords } from "../../../../keepers/src/storage/readers/write-records.ts";
import { generator } from "../random.ts";
import { drain, readBack, restore, temporaryFolder, writeFiles } from "./support.ts";

const windows = process.platform === "win32";

describe("JSON Lines", () => {
  const text = '{"a":1}\n  [2, "\u00e9"]\r\n"last"';

  it("has a record for each line and comes back byte for byte", async (test) => {
    const folder = await temporaryFolder(test);
    await writeFiles(folder, { "a.jsonl": text, "b.ndjson.gz": gzipSync(text) });
    for (const name of ["a.jsonl", "b.ndjson.gz"]) {
      const source = await openSource(join(folder, name), { objectSize: 16 });
      assert.throws(() => source.format(), /known only once/);
      const objects = await drain(source);
      const format = source.format() as PackedFormat;
      assert.equal(format.records, 3);
      const bytes = Buffer.concat(objects);
      const lines = [0, 1, 2].map((record) => {
        const at = entryRange(format, record);
        const { start, end } = parseEntry(format, record, bytes.subarray(at.start, at.end));
        assert.ok(objectParts(16, start, end).length <= 2);
        return bytes.toString("utf8", start, end);
      });
      assert.deepEqual(lines, ['{"a":1}\n', '  [2, "\u00e9"]\r\n', '"last"']);
      const target = join(folder, `out-${name}`);
      const files = await readBack(target, await restore(source, target));
      assert.deepEqual(files, { [name.replace(".gz", "")]: Buffer.from(text) });
    }
  });

  for (const [name, content, message] of [
    ["a line that is no JSON", '{"a":1}\n{"a":\n', /a\.jsonl, line 2: it is not JSON/],
    ["an empty line", "1\n\n2\n", /a\.jsonl, line 2: it is empty/],
    ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), /a\.jsonl, line 1: it is not UTF-8/],
    ["an empty file", "", /no record/],
    ["a line without end", Buffer.alloc(17 * 2 ** 20, "1"), /a\.jsonl, line 1: the line is longer/],
  ] as const) {
    it(`refuses ${name} and names the line`, async (test) => {
      const folder = await temporaryFolder(test);
      await writeFiles(folder, { "a.jsonl": content });
      const source = await openSource(join(folder, "a.jsonl"));
      await assert.rejects(
        drain(source),
        (error: unknown) => error instanceof BadInputError && message.test(error.message),
      );
    });
  }
});

describe("text by lines", () => {
  it("keeps CSV that is not numeric, with quoted line feeds inside a record", async (test) => {
    const folder = await temporaryFolder(test);
    const text = 'name,note\nAda,"two\nlines, ""quoted"""\nBob,x\n';
    await writeFiles(folder, { "a.csv": text });
    const source = await openSource(join(folder, "a.csv"), { kind: "lines" });
    const target = join(folder, "out");
    assert.deepEqual(await readBack(target, await restore(source, target)), { "a.csv": Buffer.from(text) });
    assert.equal((source.format() as PackedFormat).records, 3);
  });
});

describe("a folder", () => {
  it("comes back with every file, empty and large ones, for random folders and object sizes", async (test) => {
    const random = generator(11);
    for (let trial = 0; trial < 12; trial++) {
      const folder = await temporaryFolder(test);
      const files: Record<string, Buffer> = {};
      const count = 1 + random.integer(12);
      for (let i = 0; i < count; i++) {
        const depth = random.integer(3);
        const name = [...Array.from({ length: depth }, () => `d${random.integer(3)}`), `f${i}-\u00fc`].join(
          "/",
        );
        const size = random.integer(4) === 0 ? 0 : random.integer(trial === 0 ? 600_000 : 300);
        files[name] = Buffer.from(random.bytes(size));
      }
      await writeFiles(join(folder, "in"), files);
      const objectSize = trial === 0 ? undefined : 1 + random.integer(100);
      const source = await openSource(join(folder, "in"), { objectSize });
      const read = await readBack(join(folder, "out"), await restore(source, join(folder, "out")));
      assert.deepEqual(read, files);
      assert.deepEqual(Object.keys(read), Object.keys(files).sort());
    }
  });

  it("gives the same objects each time it is read", async (test) => {
    const folder = await temporaryFolder(test);
    await writeFiles(folder, { b: "2", "a/c": "1", a0: "3" });
    const source = await openSource(folder);
    assert.deepEqual(await drain(source), await drain(source));
  });

  it("refuses symbolic links, whether they lead out of it or not", { skip: windows }, async (test) => {
    for (const goal of ["/etc/passwd", "a", "..", "nowhere"]) {
      const folder = await temporaryFolder(test);
      await writeFiles(folder, { a: "1" });
      await symlink(goal, join(folder, "link"));
      await assert.rejects(drain(await openSource(folder)), /link: it is a symbolic link/);
    }
  });

  it("refuses names that could not be restored, and folders without files", {
    skip: windows,
  }, async (test) => {
    const folder = await temporaryFolder(test);
    await assert.rejects(drain(await openSource(folder)), /no files/);
    await writeFile(join(folder, "a\\..\\b"), "");
    await assert.rejects(drain(await openSource(folder)), /backslash/);
  });

  it("keeps one file of any kind as it is, gzip included", async (test) => {
    const folder = await temporaryFolder(test);
    const bytes = gzipSync("weights");
    await writeFiles(folder, { "model.onnx.gz": bytes });
    const source = await openSource(join(folder, "model.onnx.gz"));
    const target = join(folder, "out");
    assert.deepEqual(await readBack(target, await restore(source, target)), {
      "model.onnx.gz": Buffer.from(bytes),
    });
  });

  it("says what cannot be read, and when the kind asked for is wrong", async (test) => {
    const folder = await temporaryFolder(test);
    await writeFiles(folder, { a: "1" });
    await assert.rejects(openSource(join(folder, "none")), UnreadableFileError);
    await assert.rejects(openSource(join(folder, "none")), /none cannot be read: there is no such file/);
    await assert.rejects(openSource(folder, { kind: "csv" }), /is a folder, so it cannot be read as csv/);
    await assert.rejects(openSource(join(folder, "a"), { kind: "folder" }), /is no folder/);
  });
});

describe("writing records", () => {
  function hostile(names: readonly string[]) {
    const packer = new RecordPacker(64);
    const objects: Uint8Array[] = [];
    for (const name of names) {
      objects.push(...packer.push(Uint8Array.of(65)));
      packer.endRecord(name);
    }
    const end = packer.finish();
    let step = end.next();
    for (; !step.done; step = end.next()) objects.push(step.value);
    const { offset, length, records } = step.value;
    const format: PackedFormat = {
      kind: "packed",
      content: "files",
      file: null,
      records,
      index: { offset, length },
    };
    return { objects, format };
  }

  function parametersOf(objects: readonly Uint8Array[], format: DatasetFormat, target: string) {
    return {
      format,
      objectSize: 64,
      objectCount: objects.length,
      target,
      async *objects(first: number, end: number) {
        yield* objects.slice(first, end);
      },
    };
  }

  async function onlyIn(test: TestContext, names: readonly string[]): Promise<[string, Promise<unknown>]> {
    const folder = await temporaryFolder(test);
    const { objects, format } = hostile(names);
    return [folder, writeRecords(parametersOf(objects, format, join(folder, "out")))];
  }

  for (const name of ["../evil", "/tmp/evil", "a/../../evil", "..", "a\\..\\..\\evil", "C:evil"]) {
    it(`refuses the path ${JSON.stringify(name)} and leaves nothing behind`, async (test) => {
      const [folder, writing] = await onlyIn(test, [name]);
      await assert.rejects(writing, BadInputError);
      assert.deepEqual(await readdir(folder), []);
    });
  }

  it("leaves nothing behind when a file stands where a folder is needed", async (test) => {
    const [folder, writing] = await onlyIn(test, ["a", "a/b"]);
    await assert.rejects(writing, CannotWriteError);
    assert.deepEqual(await readdir(folder), []);
  });

  it("does not touch a folder with files in it, and fills an empty one", async (test) => {
    const folder = await temporaryFolder(test);
    const { objects, format } = hostile(["a"]);
    const parameters = parametersOf(objects, format, join(folder, "out"));
    await writeFiles(folder, { "out/mine": "1" });
    await assert.rejects(writeRecords(parameters), CannotWriteError);
    assert.deepEqual(await readdir(join(folder, "out")), ["mine"]);
    await mkdir(join(folder, "empty"));
    await writeRecords({ ...parameters, target: join(folder, "empty") });
    assert.deepEqual(await readdir(join(folder, "empty")), ["a"]);
  });

  it("leaves nothing behind when the objects stop coming, or come short", async (test) => {
    const folder = await temporaryFolder(test);
    const { objects, format } = hostile(
      Array.from({ length: 200 }, (_, i) => `f${String(i).padStart(3, "0")}`),
    );
    const all = parametersOf(objects, format, join(folder, "out"));
    const broken = {
      ...all,
      async *objects(first: number, end: number) {
        if (first > 0) return yield* objects.slice(first, end);
        yield objects[0]!;
        throw new Error("the network went away");
      },
    };
    await assert.rejects(writeRecords(broken), /network went away/);
    const short = {
      ...all,
      objects: (first: number, end: number) => all.objects(first, first > 0 ? end : 1),
    };
    await assert.rejects(writeRecords(short), /did not give its/);
    assert.deepEqual(await readdir(folder), []);
  });

  it("writes records without an origin as one file", async (test) => {
    const folder = await temporaryFolder(test);
    const objects = [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2)];
    const field = { name: "x", role: "input", dtype: "u8", shape: [64], offset: 0 } as const;
    const format: DatasetFormat = { kind: "records", fields: [{ ...field, shape: [64] }], origin: null };
    const target = join(folder, "out");
    const files = await readBack(target, await writeRecords(parametersOf(objects, format, target)));
    assert.deepEqual(files, { "records.bin": Buffer.concat(objects) });
    const few = { ...parametersOf(objects, format, join(folder, "few")), objectCount: 3 };
    await assert.rejects(writeRecords(few), /did not give its 3 objects/);
  });
});
