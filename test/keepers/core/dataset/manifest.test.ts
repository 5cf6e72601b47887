import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { CID } from "multiformats/cid";
import { keccak256 } from "viem";
import {
  encodeManifest,
  type Manifest,
  manifestCid,
  manifestDigest,
  manifestHash,
  manifestLayout,
  maxManifestBytes,
  parseManifest,
} from "../../../../keepers/src/core/dataset/manifest.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("dataset/manifest");

const root = (digit: string) => `0x${digit.repeat(64)}`;
const cid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

function sample(): Manifest {
  return {
    version: 1,
    name: "digits",
    k: 2,
    n: 3,
    objectCount: 5,
    objectSize: 65,
    segmentObjects: 3,
    objectRoot: root("a"),
    bundles: Array.from({ length: 6 }, () => ({ poseidonRoot: root("1"), transportRoot: root("f"), cid })),
    format: {
      kind: "records",
      fields: [
        { name: "input", role: "input", dtype: "u8", shape: [8, 8], offset: 0 },
        { name: "label", role: "label", dtype: "u8", shape: [], offset: 64 },
      ],
      origin: { kind: "csv", file: "digits.csv", delimiter: ",", header: null, labelColumn: 64 },
    },
    encryption: null,
    licence: "CC-BY-4.0",
    description: 'Ziffern: \u00e4 \u{1f522} "quoted"\n',
  };
}

function packed(): Manifest {
  return {
    ...sample(),
    objectSize: 100,
    format: { kind: "packed", content: "files", file: null, records: 3, index: { offset: 400, length: 60 } },
  };
}

function encrypted(): Manifest {
  const key = { recipient: root("2"), ephemeral: root("3"), wrapped: `0x${"4".repeat(96)}` };
  return { ...sample(), encryption: { scheme: "xchacha20poly1305", salt: root("5"), keys: [key] } };
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function refusal(call: () => unknown): BadInputError {
  return throws(call, BadInputError);
}

describe("manifest", () => {
  for (const [kind, make] of Object.entries({ sample, packed, encrypted })) {
    it(`survives writing and reading (${kind})`, () => {
      const bytes = encodeManifest(make());
      assert.deepEqual(parseManifest(bytes), make());
      assert.deepEqual(encodeManifest(parseManifest(bytes)), bytes);
    });
  }

  it("is written as canonical JSON: sorted keys, no white space, the same for any order of assignment", () => {
    const text = read(encodeManifest(sample()));
    assert.ok(text.startsWith('{"bundles":[{"cid":"bafk'));
    assert.ok(
      text.endsWith(`"objectRoot":"0x${"a".repeat(64)}","objectSize":65,"segmentObjects":3,"version":1}`),
    );
    const reversed = Object.fromEntries(Object.entries(sample()).reverse()) as Manifest;
    assert.deepEqual(encodeManifest(reversed), utf8(text));
    assert.deepEqual(JSON.parse(text), sample());
  });

  it("has the hash, digest and CID that other libraries compute", () => {
    const bytes = encodeManifest(sample());
    assert.equal(`0x${Buffer.from(manifestHash(bytes)).toString("hex")}`, keccak256(bytes));
    const digest = createHash("sha256").update(bytes).digest();
    assert.deepEqual(Buffer.from(manifestDigest(bytes)), digest);
    const parsed = CID.parse(manifestCid(manifestDigest(bytes)));
    assert.deepEqual([parsed.version, parsed.code, parsed.multihash.code], [1, 0x55, 0x12]);
    assert.deepEqual(Buffer.from(parsed.multihash.digest), digest);
    const hello = createHash("sha256").update("hello world").digest();
    assert.equal(manifestCid(hello), "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
  });

  it("gives the layout its numbers say", () => {
    assert.equal(manifestLayout(sample()).segments, 2);
    assert.equal(manifestLayout(encrypted()).storedObjectSize, 81);
  });

  const text = () => read(encodeManifest(sample()));
  const bytesRefused: [string, () => Uint8Array, RegExp][] = [
    ["no bytes", () => utf8(""), /not JSON/],
    ["cut-off bytes", () => encodeManifest(sample()).slice(0, -1), /not JSON/],
    ["bytes that are no UTF-8", () => Uint8Array.of(0x22, 0xff, 0x22), /not UTF-8/],
    ["a byte order mark", () => utf8(`\ufeff${text()}`), /not JSON/],
    ["more bytes than one block", () => new Uint8Array(maxManifestBytes + 1).fill(0x20), /at most 253952/],
    [
      "deeply nested JSON",
      () => utf8("[".repeat(100_000) + "]".repeat(100_000)),
      /not valid at the manifest/,
    ],
    ["null", () => utf8("null"), /not valid at the manifest/],
    ["a list", () => utf8("[]"), /not valid at the manifest/],
    ["white space", () => utf8(text().replace('"k":2', '"k": 2')), /not canonical.*"k"/],
    ["a final line feed", () => utf8(`${text()}\n`), /not canonical/],
    [
      "unsorted keys",
      () => utf8(text().replace('"k":2,"licence":"CC-BY-4.0"', '"licence":"CC-BY-4.0","k":2')),
      /not canonical.*near "(k|licence|format|labelColumn)"/,
    ],
    [
      "a duplicate key with another value",
      () => utf8(text().replace('"k":2', '"k":1,"k":2')),
      /not canonical.*"k"/,
    ],
    [
      "a duplicate key with the same value",
      () => utf8(text().replace('"k":2', '"k":2,"k":2')),
      /not canonical.*"k"/,
    ],
    [
      "a duplicate key in a bundle",
      () => utf8(text().replace('{"cid":', '{"cid":"x","cid":')),
      /not canonical.*"cid"/,
    ],
    ["another spelling of a number", () => utf8(text().replace('"k":2', '"k":2.0')), /not canonical.*"k"/],
    [
      "an exponent",
      () => utf8(text().replace('"objectSize":65', '"objectSize":6.5e1')),
      /not canonical.*"objectSize"/,
    ],
    [
      "a needless escape",
      () => utf8(text().replace('"digits"', '"d\\u0069gits"')),
      /not canonical.*"(name|n)"/,
    ],
    ["an escaped key", () => utf8(text().replace('"k":2', '"\\u006b":2')), /not canonical/],
    [
      "a field named __proto__",
      () => utf8(text().replace('"bundles"', '"__proto__":{},"bundles"')),
      /__proto__|not canonical/,
    ],
  ];
  for (const [name, bytes, message] of bytesRefused) {
    it(`refuses ${name}`, () => {
      assert.match(refusal(() => parseManifest(bytes())).message, message);
    });
  }

  type Change = (manifest: Record<string, unknown>) => unknown;
  const fieldsRefused: [string, () => Manifest, Change, RegExp][] = [
    ["a missing field", sample, (m) => delete m.licence, /at licence/],
    ["an unknown field", sample, (m) => (m.extra = 1), /unknown field "extra"/],
    [
      "an unknown field in a bundle",
      sample,
      (m) => ((m as Manifest).bundles[1] = { ...sample().bundles[1]!, size: 1 } as never),
      /at bundles\[1\].*"size"/,
    ],
    ["another version", sample, (m) => (m.version = 2), /at version/],
    ["a string for a number", sample, (m) => (m.k = "2"), /at k/],
    ["k = 0", sample, (m) => (m.k = 0), /at k/],
    ["k above the on-chain limit", sample, (m) => (m.k = 49), /at k/],
    ["n ≤ k", sample, (m) => (m.n = 2), /^n is 2/],
    ["an absurd object size", sample, (m) => (m.objectSize = 2 ** 31 + 1), /at objectSize/],
    ["an object size that fits no bundle", sample, (m) => (m.objectSize = 2 ** 30), /does not fit/],
    ["an absurd object count", sample, (m) => (m.objectCount = 1e15), /bundles/],
    ["a count above 2^53", sample, (m) => (m.objectCount = 2 ** 53), /at objectCount/],
    ["a fractional count", sample, (m) => (m.objectCount = 1.5), /at objectCount/],
    ["too few bundles", sample, (m) => (m.bundles as unknown[]).pop(), /at bundles: there are 5.* 6/],
    ["no bundles", sample, (m) => (m.bundles = []), /at bundles/],
    ["a root that is too short", sample, (m) => (m.objectRoot = "0x12"), /at objectRoot/],
    ["an upper-case root", sample, (m) => (m.objectRoot = root("A")), /at objectRoot/],
    [
      "a Poseidon root outside the field",
      sample,
      (m) => ((m as Manifest).bundles[0]!.poseidonRoot = root("f")),
      /at bundles\[0\]\.poseidonRoot/,
    ],
    [
      "the field's order as Poseidon root",
      sample,
      (m) =>
        ((m as Manifest).bundles[0]!.poseidonRoot =
          "0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"),
      /poseidonRoot/,
    ],
    [
      "a CIDv0",
      sample,
      (m) => ((m as Manifest).bundles[2]!.cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"),
      /at bundles\[2\]\.cid/,
    ],
    [
      "a CID in another base",
      sample,
      (m) => ((m as Manifest).bundles[0]!.cid = "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"),
      /cid/,
    ],
    ["text for a CID", sample, (m) => ((m as Manifest).bundles[0]!.cid = "../../etc/passwd"), /cid/],
    ["a path as name", sample, (m) => (m.name = "../evil"), /at name.*slash/],
    ["a name of two dots", sample, (m) => (m.name = ".."), /at name/],
    ["a name with a backslash", sample, (m) => (m.name = "a\\b"), /at name.*backslash/],
    ["a name with a control character", sample, (m) => (m.name = "a\u0000b"), /at name.*control/],
    ["an empty name", sample, (m) => (m.name = ""), /at name.*empty/],
    ["a lone surrogate", sample, (m) => (m.description = "\ud800"), /at description/],
    ["a description that is too long", sample, (m) => (m.description = "x".repeat(4097)), /at description/],
    [
      "another cipher",
      encrypted,
      (m) => ((m as Manifest).encryption!.scheme = "aes" as never),
      /at encryption\.scheme/,
    ],
    [
      "a wrapped key that is too short",
      encrypted,
      (m) => ((m as Manifest).encryption!.keys[0]!.wrapped = root("4")),
      /at encryption\.keys\[0\]\.wrapped/,
    ],
    [
      "a recipient named twice",
      encrypted,
      (m) => (m as Manifest).encryption!.keys.push((m as Manifest).encryption!.keys[0]!),
      /at encryption\.keys\[1\]\.recipient/,
    ],
    ["an unknown format", sample, (m) => (m.format = { kind: "zip" }), /at format\.kind/],
    [
      "a field behind the record",
      sample,
      (m) => (change(m).fields[1]!.offset = 65),
      /at format\.fields\[1\]\.shape/,
    ],
    [
      "fields that overlap",
      sample,
      (m) => (change(m).fields[1]!.offset = 63),
      /at format\.fields\[1\]\.offset/,
    ],
    [
      "a field name used twice",
      sample,
      (m) => (change(m).fields[1]!.name = "input"),
      /at format\.fields\[1\]\.name/,
    ],
    [
      "a shape whose product overflows",
      sample,
      (m) => (change(m).fields[0]!.shape = Array(8).fill(2 ** 31)),
      /at format\.fields\[0\]\.shape/,
    ],
    [
      "an empty dimension",
      sample,
      (m) => (change(m).fields[0]!.shape = [0]),
      /at format\.fields\[0\]\.shape\[0\]/,
    ],
    [
      "a label column that is not there",
      sample,
      (m) => (csv(m).labelColumn = 65),
      /at format\.origin\.labelColumn/,
    ],
    ["a header of another length", sample, (m) => (csv(m).header = ["a"]), /at format\.origin\.header/],
    ["a path as origin", sample, (m) => (csv(m).file = "../../etc/passwd"), /at format\.origin\.file.*slash/],
    ["an absolute path as origin", sample, (m) => (csv(m).file = "/etc/passwd"), /at format\.origin\.file/],
    ["a record index outside the objects", packed, (m) => (index(m).length = 200), /at format\.index/],
    ["a record index that leaves objects over", packed, (m) => (index(m).offset = 200), /at format\.index/],
    ["a record index that is too short", packed, (m) => (index(m).length = 47), /at format\.index\.length/],
    [
      "lines without a file name",
      packed,
      (m) => (m.format = { ...(m.format as object), content: "lines" }),
      /at format\.file/,
    ],
  ];
  const change = (m: Record<string, unknown>) =>
    (m as Manifest).format as Extract<Manifest["format"], { kind: "records" }>;
  const csv = (m: Record<string, unknown>) =>
    change(m).origin as Extract<NonNullable<ReturnType<typeof change>["origin"]>, { kind: "csv" }>;
  const index = (m: Record<string, unknown>) =>
    ((m as Manifest).format as Extract<Manifest["format"], { kind: "packed" }>).index;
  for (const [name, make, alter, message] of fieldsRefused) {
    it(`refuses ${name} and names the field, in reading and in writing`, () => {
      const manifest = structuredClone(make()) as unknown as Record<string, unknown>;
      alter(manifest);
      assert.match(refusal(() => parseManifest(utf8(sortedJson(manifest)))).message, message);
      assert.match(refusal(() => encodeManifest(manifest as unknown as Manifest)).message, message);
    });
  }

  it("fits the most bundles, recipients and a full header in one block", () => {
    const big = encrypted();
    const objectCount = 900 / 3;
    const bundle = { ...big.bundles[0]!, cid: "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi" };
    const key = (i: number) => ({
      ...big.encryption!.keys[0]!,
      recipient: `0x${i.toString(16).padStart(64, "0")}`,
    });
    const header = Array.from({ length: 65 }, (_, i) => `column ${i} `.padEnd(123, "x"));
    const manifest: Manifest = {
      ...big,
      objectCount,
      segmentObjects: 1,
      bundles: Array.from({ length: 900 }, () => bundle),
      encryption: { ...big.encryption!, keys: Array.from({ length: 64 }, (_, i) => key(i)) },
      description: "x".repeat(4096),
      format: {
        ...(big.format as object),
        origin: { kind: "csv", file: "f.csv", delimiter: ",", header, labelColumn: 64 },
      } as Manifest["format"],
    };
    assert.deepEqual(parseManifest(encodeManifest(manifest)), manifest);
  });
});

/** Sorted keys by an independent way: JSON.stringify's replacer. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
