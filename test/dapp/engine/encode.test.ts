import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { bytesToHex, keccak256 } from "viem";
import type { EncodeInput } from "../../../dapp/src/engine/methods.ts";
import { blobCid } from "../../../keepers/src/core/dataset/blob.ts";
import { buildDataset } from "../../../keepers/src/core/dataset/build.ts";
import { manifestCid, manifestDigest } from "../../../keepers/src/core/dataset/manifest.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { openSource, type SourceOptions } from "../../../keepers/src/storage/readers/open-source.ts";
import { generator } from "../../keepers/storage/random.ts";
import { noBrowser } from "../support/browser.ts";
import { call, EnginePage, type Given, hex } from "./support.ts";

/** Bundles that are finished on any shelf: an entry is written last, and has content when it is whole. */
function finishedEntries(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const all = await root.getDirectoryHandle("assay-datasets", { create: true });
    let finished = 0;
    for await (const shelf of all.values())
      for await (const entry of (shelf as FileSystemDirectoryHandle).values())
        if (entry.name.endsWith(".entry") && (await (entry as FileSystemFileHandle).getFile()).size > 0)
          finished++;
    return finished;
  });
}

type Reference = { readonly manifest: Uint8Array; readonly bundles: readonly Uint8Array[] };

describe("encoding a dataset in the page", { skip: noBrowser }, () => {
  let engines: EnginePage;
  let folder: string;

  before(async () => {
    engines = await EnginePage.open();
    folder = await mkdtemp(join(tmpdir(), "assay-encode-"));
  });

  after(async () => {
    await engines?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  /** What Node makes of files, which the page can fetch, too. */
  async function reference(
    name: string,
    files: Readonly<Record<string, Uint8Array | string>>,
    options: SourceOptions & { segmentObjects?: number } = {},
  ): Promise<Reference> {
    for (const [path, bytes] of Object.entries(files)) {
      const full = join(folder, name, path);
      await mkdir(join(full, ".."), { recursive: true });
      await writeFile(full, bytes);
      await engines.serve(`${name}/${path}`, bytes);
    }
    const paths = Object.keys(files);
    const whole = paths.length > 1 && options.labels === undefined;
    const source = await openSource(join(folder, name, whole ? "" : paths[0]!), options);
    const bundles: Uint8Array[] = [];
    const { name: called, licence, description } = source;
    const manifest = await buildDataset({
      ...{ source, name: called, licence, description, k: 8, n: 11 },
      segmentObjects: options.segmentObjects,
      keep: async (index, bytes) => {
        bundles[index] = bytes;
        const { poseidonRoot, transportRoot } = commitBundle(bytes);
        return {
          poseidonRoot: bytesToHex(poseidonRoot),
          transportRoot: bytesToHex(transportRoot),
          cid: blobCid(bytes).toString(),
        };
      },
    });
    return { manifest, bundles };
  }

  const chosen = (name: string, paths: readonly string[]) =>
    paths.map((path) => ({ path, file: { given: `${name}/${path}`, as: "file" } satisfies Given }));

  async function encoded(input: Omit<EncodeInput, "files"> & { files: ReturnType<typeof chosen> }) {
    const { page, context, faults } = await engines.visit();
    const { output, error, stages } = await call(page, "encodeDataset", input);
    assert.equal(error, undefined);
    const bundles = await page.evaluate(async (shelf) => {
      const root = await navigator.storage.getDirectory();
      const all = await root.getDirectoryHandle("assay-datasets");
      const names: string[] = [];
      const shelved = await all.getDirectoryHandle(shelf);
      for await (const name of shelved.keys()) if (name.endsWith(".bundle")) names.push(name);
      const digests: string[] = [];
      for (const name of names.sort()) {
        const file = await (await shelved.getFileHandle(name)).getFile();
        const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
        digests.push(
          Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(""),
        );
      }
      return digests;
    }, output!.shelf);
    assert.deepEqual(faults, []);
    await context.close();
    return { output: output!, stages, bundles };
  }

  async function sameAsNode(
    { manifest, bundles }: Reference,
    given: Awaited<ReturnType<typeof encoded>>,
  ): Promise<void> {
    const { output } = given;
    assert.equal(output.manifestBytes, hex(manifest));
    assert.equal(output.manifestHash, keccak256(manifest));
    assert.equal(output.manifestCid, manifestCid(manifestDigest(manifest)));
    assert.deepEqual(
      output.sizes,
      bundles.map(({ length }) => length),
    );
    const digests = await Promise.all(
      bundles.map(async (bytes) =>
        hex(new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)))),
      ),
    );
    assert.deepEqual(given.bundles, digests);
  }

  it("gives a folder the bundles, roots, CIDs and manifest that Node gives it", async () => {
    const random = generator(7);
    const files = {
      "a/one.bin": random.bytes(70_000),
      "a/empty": new Uint8Array(0),
      "b ü.txt": "two",
      "z.bin": random.bytes(300_001),
    };
    const node = await reference("photos", files, { segmentObjects: 40 });
    assert.ok(node.bundles.length > 22, "several segments");
    const here = await encoded({
      folder: "photos",
      files: chosen("photos", Object.keys(files)).reverse(),
      segmentObjects: 40,
    });
    await sameAsNode(node, here);
    assert.deepEqual(here.stages.at(-1), "encoding");
  });

  it("reads CSV, packed CSV, JSON Lines and IDX with labels as Node does", async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${i % 17},${-i},"${i * 0.5}",${i % 10}`);
    const csv = `a,b,c,label\n${rows.join("\r\n")}\n`;
    const csvOptions = { csv: { label: "label" } } as const;
    await sameAsNode(
      await reference("plain", { "t.csv": csv }, csvOptions),
      await encoded({ files: chosen("plain", ["t.csv"]), label: "label" }),
    );
    await sameAsNode(
      await reference("packed", { "t.csv.gz": gzipSync(csv) }, csvOptions),
      await encoded({ files: chosen("packed", ["t.csv.gz"]), label: "label" }),
    );
    await sameAsNode(
      await reference("lines", { "t.jsonl": '{"a":1}\n[2]\n"three"' }),
      await encoded({ files: chosen("lines", ["t.jsonl"]) }),
    );
    const images = new Uint8Array(16 + 5 * 12);
    images.set([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 4]);
    images.set(generator(3).bytes(60), 16);
    const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 5, 1, 2, 3, 4, 5);
    const files = { "x-images-idx3-ubyte": images, "x-labels-idx1-ubyte": labels };
    const labelsPath = join(folder, "idx", "x-labels-idx1-ubyte");
    await sameAsNode(
      await reference("idx", files, { labels: labelsPath }),
      await encoded({ files: chosen("idx", Object.keys(files)) }),
    );
  });

  it("goes on after a reload where it was, without committing again", async () => {
    const random = generator(11);
    const files = Object.fromEntries(
      Array.from({ length: 6 }, (_, i) => [`part-${i}`, random.bytes(200_000)]),
    );
    const node = await reference("large", files, { segmentObjects: 24 });
    const input = { folder: "large", files: chosen("large", Object.keys(files)), segmentObjects: 24 };
    const { page, context } = await engines.visit();
    // Left as soon as the first segment is done.
    const first = call(page, "encodeDataset", input).catch(() => undefined);
    while ((await finishedEntries(page)) < 11);
    await engines.show(page);
    await first;
    const again = await call(page, "encodeDataset", input);
    assert.equal(again.error, undefined);
    assert.ok(again.output!.resumed >= 11, `${again.output!.resumed} bundles`);
    assert.equal(again.output!.manifestBytes, hex(node.manifest));
    await context.close();
  });

  it("keeps the four that were worked on last, but for one that another tab is at", async () => {
    const { page, context } = await engines.visit();
    const other = await context.newPage();
    await engines.show(other);
    const encode = async (name: string, options: { licence?: string } = {}) => {
      await engines.serve(`kept/${name}`, name);
      const { output } = await call(page, "encodeDataset", { files: chosen("kept", [name]), ...options });
      return output!;
    };
    const shelves = () =>
      page.evaluate(async () => {
        const root = await navigator.storage.getDirectory();
        const all = await root.getDirectoryHandle("assay-datasets");
        const names: string[] = [];
        for await (const name of all.keys()) names.push(name);
        return names;
      });
    const first = await encode("first");
    assert.equal((await encode("first", { licence: "MIT" })).resumed, 11);
    // The other tab's lock ends with it.
    await other.evaluate(
      (name) =>
        new Promise<void>((held) => {
          void navigator.locks.request(name, () => {
            held();
            return new Promise(() => {});
          });
        }),
      `assay-${first.shelf}`,
    );
    for (const name of ["second", "third", "fourth", "fifth"]) await encode(name);
    assert.equal((await shelves()).length, 5);
    assert.ok((await shelves()).includes(first.shelf));
    const busy = await call(page, "encodeDataset", { files: chosen("kept", ["first"]) });
    assert.match(busy.error!.message, /in another tab/);
    await other.close();
    const sixth = await encode("sixth");
    const left = await shelves();
    assert.equal(left.length, 4);
    assert.ok(left.includes(sixth.shelf) && !left.includes(first.shelf));
    await context.close();
  });

  it("stops when it is cancelled, and says what is wrong with what it is given", async () => {
    const { page, context } = await engines.visit();
    const random = generator(5);
    await engines.serve("much/data", random.bytes(3_000_000));
    const much = { folder: "much", files: chosen("much", ["data"]) };
    const cancelled = await call(page, "encodeDataset", much, 1);
    assert.equal(cancelled.error?.name, "AbortError");

    const failing = async (name: string, bytes: Uint8Array | string, input: Partial<EncodeInput> = {}) => {
      await engines.serve(`bad/${name}`, bytes);
      const { error } = await call(page, "encodeDataset", {
        ...(input as object),
        files: chosen("bad", [name]),
      });
      return error!;
    };
    const cell = await failing("bad.csv", "1,2\n3,x\n");
    assert.deepEqual(
      [cell.name, /bad\.csv, line 2: column 2 holds "x"/.test(cell.message)],
      ["BadInputError", true],
    );
    assert.match(cell.next!, /Replace it by a number/);
    assert.match(
      (await failing("cut.csv.gz", gzipSync("1,2\n").subarray(0, 15))).message,
      /gzip data is damaged/,
    );
    assert.match((await failing("no.csv.gz", "1,2\n")).message, /gzip data is damaged/);
    assert.match((await failing("bad.jsonl", "{}\n{\n")).message, /bad\.jsonl, line 2: it is not JSON/);
    assert.match(
      (await failing("short.idx", Uint8Array.of(0, 0, 8))).message,
      /does not start as an IDX file does/,
    );
    const none = await call(page, "encodeDataset", { folder: "none", files: [] });
    assert.match(none.error!.message, /There is no file/);
    const unnamed = await call(page, "encodeDataset", {
      folder: "bad",
      files: [{ path: "../up", file: { given: "bad/bad.csv", as: "file" } }],
    });
    assert.equal(unnamed.error!.name, "BadInputError");
    await context.close();
  });

  it("takes a packed file of digits as Node takes the built-in dataset", async () => {
    const packed = await readFile(new URL("../../../data/digits.csv.gz", import.meta.url));
    const csv = { header: false, label: "last" } as const;
    await sameAsNode(
      await reference("digits", { "digits.csv.gz": new Uint8Array(packed) }, { csv }),
      await encoded({ files: chosen("digits", ["digits.csv.gz"]), label: "last" }),
    );
  });
});
