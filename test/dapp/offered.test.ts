import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  canBeRead,
  foundIn,
  hasOlder,
  listedAtOnce,
  type OfferedRow,
  offeredOf,
  pagesOf,
  rowsOf,
  unusable,
} from "../../dapp/src/order/offered.ts";
import type { Manifest } from "../../keepers/src/core/dataset/manifest.ts";
import { publishedSchema } from "../../subgraph/generate-queries.ts";
import { maximumSkip } from "../../subgraph/node/query/arguments.ts";
import { costError, defaultLimits } from "../../subgraph/node/query/limits.ts";
import { OfferedDatasetsDocument } from "../../subgraph/queries/documents.ts";

/** A dataset of segments of three bundles, any two of which give it back. */
const dataset = (id: string, placed: readonly boolean[], more: Partial<OfferedRow> = {}) =>
  ({
    id,
    k: 2,
    n: 3,
    ...{ isClosed: false, isFraudulent: false, isEncrypted: false },
    bundles: placed.map((isPlaced, index) => ({ index, isPlaced })),
    ...more,
  }) as unknown as OfferedRow;
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
    let pages = 1;
    while (hasOlder(pages, listedAtOnce)) pages++;
    const asked = pagesOf(pages);
    assert.deepEqual(asked[0], { first: 100, skip: 0 });
    assert.equal(asked.at(-1)!.skip, maximumSkip, "as far back as an index goes");
    for (const [page, { first, skip }] of asked.entries()) assert.equal(skip, page * first);
    const schema = publishedSchema();
    for (const variables of asked)
      assert.equal(costError(schema, OfferedDatasetsDocument, defaultLimits, variables), undefined);
    assert.ok(!hasOlder(1, listedAtOnce - 1));
    assert.ok(!hasOlder(1, 0));
  });

  it("count once where a page has moved, and stay when another page was not read", () => {
    const page = (...ids: string[]) => ({ datasets: ids.map((id) => dataset(id, [true, true, true])) });
    assert.deepEqual(
      rowsOf([page("a", "b"), undefined, page("b", "c")]).map(({ id }) => id),
      ["a", "b", "c"],
    );
  });

  it("are found by their id, or it is said what is against it", () => {
    assert.equal(unusable(dataset("a", [true, true, false])), undefined);
    assert.match(unusable(null)!, /no dataset/);
    assert.match(unusable(dataset("a", [true, false, false]))!, /too few/);
    assert.match(unusable(dataset("a", [true, true, true], { isEncrypted: true }))!, /encrypted/);
    assert.match(unusable(dataset("a", [true, true, true], { isClosed: true }))!, /closed/);
    assert.match(unusable(dataset("a", [true, true, true], { isFraudulent: true }))!, /wrongly/);
  });
});
