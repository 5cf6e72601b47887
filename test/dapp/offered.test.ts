import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  canBeRead,
  foundIn,
  offeredOf,
  olderThan,
  type StoredDataset,
} from "../../dapp/src/order/offered.ts";
import type { Manifest } from "../../keepers/src/core/dataset/manifest.ts";

/** A dataset of segments of three bundles, any two of which give it back. */
const dataset = (id: string, placed: readonly boolean[], more: Partial<StoredDataset> = {}) =>
  ({
    id,
    k: 2,
    n: 3,
    ...{ isClosed: false, isFraudulent: false, isEncrypted: false },
    bundles: placed.map((isPlaced, index) => ({ index, isPlaced })),
    ...more,
  }) as unknown as StoredDataset;
const manifest = (name: string, kind: string) =>
  [name, { name, format: { kind } as Manifest["format"] }] as const;

describe("datasets that an order can be for", () => {
  it("have enough bundles of every segment, and nothing against them", () => {
    assert.ok(canBeRead(dataset("a", [true, true, false])));
    assert.ok(!canBeRead(dataset("a", [true, true, true, true, false, false])));
    assert.ok(!canBeRead(dataset("a", [])));
    // A list that was cut within a segment.
    assert.ok(canBeRead(dataset("a", [true, true, true, true])));
    for (const fault of ["isClosed", "isFraudulent", "isEncrypted"])
      assert.ok(!canBeRead(dataset("a", [true, true, true], { [fault]: true })), fault);
  });

  it("hold records, not the files of a result or a model, and are found by name and id", () => {
    const all = ["digits", "result", "unread", "faces"].map((id) => dataset(id, [true, true, true]));
    const offered = offeredOf(
      all,
      new Map([manifest("digits", "records"), manifest("result", "packed"), manifest("faces", "records")]),
    );
    assert.deepEqual(
      offered.map(({ id }) => id),
      ["digits", "faces"],
    );
    assert.deepEqual(
      foundIn(offered, " FACE ").map(({ id }) => id),
      ["faces"],
    );
    assert.equal(foundIn(offered, "").length, 2);
    assert.equal(foundIn(offered, "0xdead").length, 0);
  });

  it("are listed further back as long as there may be more, and an index would give them", () => {
    let asked = 100;
    for (let next = olderThan(950, asked); next !== undefined; next = olderThan(Math.min(950, asked), asked))
      asked = next;
    assert.equal(asked, 1_000);
    assert.equal(olderThan(99, 100), undefined);
    assert.equal(olderThan(0, 100), undefined);
    assert.equal(olderThan(1_000, 1_000), undefined);
  });
});
