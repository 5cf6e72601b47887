import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hexToBytes } from "viem";
import { type BuildParameters, buildDataset } from "../../../../keepers/src/core/dataset/build.ts";
import { encodeDataset } from "../../../../keepers/src/core/dataset/encode.ts";
import { openObject, publicKeyOf, unwrapKey } from "../../../../keepers/src/core/dataset/encryption.ts";
import { parseManifest } from "../../../../keepers/src/core/dataset/manifest.ts";

const [k, n, objectSize, objectCount] = [1, 2, 4, 5];
const objects = Array.from({ length: objectCount }, (_, i) => Uint8Array.of(i, i + 1, i + 2, i + 3));
const cid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const word = (n: number): `0x${string}` => `0x${n.toString(16).padStart(64, "0")}`;
const entryOf = (index: number) => ({ poseidonRoot: word(index), transportRoot: word(index + 100), cid });

function parametersOf(kept: Map<number, Uint8Array>, more: Partial<BuildParameters> = {}): BuildParameters {
  return {
    source: {
      objectSize,
      objectCount,
      async *objects() {
        yield* objects;
      },
      format: () => ({
        kind: "records",
        fields: [{ name: "input", role: "input", dtype: "u8", shape: [4], offset: 0 }],
        origin: null,
      }),
    },
    ...{ name: "few", licence: "CC0-1.0", description: "five objects", k, n, segmentObjects: 2 },
    async keep(index, bytes) {
      kept.set(index, bytes.slice());
      return entryOf(index);
    },
    ...more,
  };
}

describe("a dataset that is built", () => {
  it("has the bundles of its segments in their order, and a manifest that says all that was given", async () => {
    const kept = new Map<number, Uint8Array>();
    const done: number[] = [];
    const parameters = parametersOf(kept, { onObjects: (count) => done.push(count) });
    const manifest = parseManifest(await buildDataset(parameters));
    const coded = { k, n, objectSize, segmentObjects: 2, cipher: null };
    const expected: Uint8Array[] = [];
    const encoding = encodeDataset(coded, objects);
    let step = await encoding.next();
    for (; step.done !== true; step = await encoding.next()) {
      expected.push(...step.value.bundles.map((bundle) => bundle.slice()));
    }
    assert.deepEqual([...kept.keys()].sort(), [0, 1, 2, 3, 4, 5]);
    expected.forEach((bundle, i) => {
      assert.deepEqual(kept.get(i), bundle, `bundle ${i}`);
    });
    assert.deepEqual(done, [2, 4, 5]);
    assert.deepEqual(manifest, {
      ...{ version: 1, name: "few", k, n, objectCount, objectSize, segmentObjects: 2 },
      objectRoot: `0x${Buffer.from(step.value.objectRoot).toString("hex")}`,
      bundles: [0, 1, 2, 3, 4, 5].map(entryOf),
      format: parameters.source.format(),
      ...{ encryption: null, licence: "CC0-1.0", description: "five objects" },
    });
  });

  it("has one segment where nobody asks for more, of as many objects as there are", async () => {
    const kept = new Map<number, Uint8Array>();
    const manifest = parseManifest(await buildDataset(parametersOf(kept, { segmentObjects: undefined })));
    assert.deepEqual([manifest.segmentObjects, manifest.bundles.length], [objectCount, n]);
  });

  it("is readable for its recipients alone, each with a key of its own", async () => {
    const kept = new Map<number, Uint8Array>();
    const secrets = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const manifest = parseManifest(
      await buildDataset(parametersOf(kept, { recipients: secrets.map(publicKeyOf) })),
    );
    const { scheme, salt, keys } = manifest.encryption!;
    assert.equal(scheme, "xchacha20poly1305");
    assert.equal(new Set(keys.map(({ ephemeral }) => ephemeral)).size, 2);
    const found = keys.map(({ recipient, ephemeral, wrapped }, i) => {
      assert.deepEqual(hexToBytes(recipient as `0x${string}`), publicKeyOf(secrets[i]!));
      const entry = {
        recipient: hexToBytes(recipient as `0x${string}`),
        ephemeral: hexToBytes(ephemeral as `0x${string}`),
        wrapped: hexToBytes(wrapped as `0x${string}`),
      };
      return unwrapKey(entry, hexToBytes(salt as `0x${string}`), secrets[i]!);
    });
    assert.deepEqual(found[0], found[1]);
    const cipher = { key: found[0]!, salt: hexToBytes(salt as `0x${string}`) };
    // A shard of a code with one data shard is the sealed objects themselves.
    const sealed = kept.get(2)!.subarray(0, objectSize + 16);
    assert.deepEqual(openObject(cipher, { kind: "objects", index: 2 }, sealed), objects[2]);
    const nobody = parseManifest(await buildDataset(parametersOf(new Map(), { recipients: [] })));
    assert.deepEqual(nobody.encryption?.keys, []);
  });

  it("is given up at the signal, and when a bundle is not kept, after all that was begun has ended", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    const kept = new Map<number, Uint8Array>();
    await assert.rejects(buildDataset(parametersOf(kept, { signal: stop.signal })), /stopped/);
    assert.equal(kept.size, 0);
    const late = new AbortController();
    const onObjects = (done: number) => done === objectCount && late.abort(new Error("late"));
    await assert.rejects(buildDataset(parametersOf(kept, { signal: late.signal, onObjects })), /late/);
    let ended = 0;
    const keep = async (index: number) => {
      if (index === 0) throw new Error("disk full");
      await new Promise((resolve) => setTimeout(resolve, 5));
      ended++;
      return entryOf(index);
    };
    await assert.rejects(buildDataset(parametersOf(new Map(), { keep })), /disk full/);
    assert.equal(ended, 1);
  });
});
