import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { bytesToHex } from "viem";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { verify } from "../../../../keepers/src/storage/client/verify.ts";
import { type TinyDataset, tinyDataset, withManifest } from "../../roles/dataset.ts";
import { down, storedClient } from "./stored.ts";

/** What full verification says of a dataset some of whose bundles nobody serves. */
async function checksOf(dataset: TinyDataset, lost: readonly number[]) {
  const client = storedClient(dataset, {
    manifest: () => dataset.manifestBytes,
    bundle: (index) => (lost.includes(index) ? down() : dataset.bundles[index]!),
  });
  const { datasetId } = dataset;
  const commit = async (bytes: Uint8Array) => commitBundle(bytes);
  const { checks } = await verify(client, { datasetId, full: true, proofs: "none", commit });
  const [code, objects] = ["code", "objects"].map((wanted) => checks.find(({ what }) => what === wanted)!);
  return { code: code!, objects: objects! };
}

/** Two segments of three bundles, of which any two give the third. */
describe("full verification of a dataset", () => {
  let tiny: TinyDataset;
  /** Its third bundle does not follow from the first two, and is the anchored one. */
  let fraudulent: TinyDataset;

  before(async () => {
    tiny = await tinyDataset(1);
    const wrong = tiny.bundles[2]!.map((byte) => byte ^ 1);
    const { poseidonRoot, transportRoot } = commitBundle(wrong);
    const roots = { poseidonRoot: bytesToHex(poseidonRoot), transportRoot: bytesToHex(transportRoot) };
    const bundles = tiny.manifest.bundles.with(2, { ...tiny.manifest.bundles[2]!, ...roots });
    fraudulent = withManifest({ ...tiny.manifest, bundles }, tiny.bundles.with(2, wrong));
  });

  it("says that the bundles fit together where all of them could be compared", async () => {
    const { code, objects } = await checksOf(tiny, []);
    assert.deepEqual([code.ok, code.isComplete], [true, true]);
    assert.match(code.detail, /^2 of 2 segments compared: the bundles are codewords$/);
    assert.deepEqual([objects.ok, objects.isComplete], [true, true]);
  });

  it("attack: a bundle that fits no others is not served, so that nothing can be compared with it", async () => {
    const caught = (await checksOf(fraudulent, [])).code;
    assert.equal(caught.ok, false);
    for (const lost of [[2], [0, 1], [0, 1, 2]]) {
      const { code } = await checksOf(fraudulent, lost);
      assert.deepEqual([code.ok, code.isComplete], [true, false], String(lost));
      assert.match(code.detail, /1 of 2 segments could not be compared, because no more than 2 bundles/);
    }
    const { code } = await checksOf(tiny, [0, 3]);
    assert.match(code.detail, /^2 of 2 segments could not be compared/);
    assert.doesNotMatch(code.detail, /are codewords/);
  });

  it("attack: nodes that serve too little make no object hashes wrong", async () => {
    const { objects } = await checksOf(tiny, [0, 1]);
    assert.deepEqual([objects.ok, objects.isComplete], [true, false]);
    assert.match(objects.detail, /1 of 2 segments could not be read/);
  });
});
