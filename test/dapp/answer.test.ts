import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerFrom } from "../../dapp/src/data/answer.ts";
import {
  OfferedDatasetsDocument,
  OrderedJobsDocument,
  StorageHealthDocument,
  StoredFileDocument,
} from "../../subgraph/queries/documents.ts";
import { tables } from "./support/tables.ts";

const meta = { number: 1, hash: "0x", timestamp: 1 };

describe("an answer out of the chain", () => {
  it("has the trainings that one account ordered, page by page, the newest first", () => {
    const jobs = Array.from({ length: 7 }, (_, i) => ({
      id: String(i + 1),
      consumer: i === 3 ? "0xbb" : "0xaa",
      dataset: "0xda",
      provider: null,
      openedAt: String(i + 1),
    }));
    const ask = (skip: number) =>
      answerFrom(
        OrderedJobsDocument,
        { consumer: "0xaa", first: 4, skip },
        tables({ jobs, datasets: [{ id: "0xda" }] }),
        meta,
      ).jobs.map(({ id }) => id);
    assert.deepEqual(ask(0), ["7", "6", "5", "3"]);
    assert.deepEqual(ask(4), ["2", "1"]);
  });

  it("has the transactions by which a dataset was anchored and by which a holder failed", () => {
    const event = (id: string, name: string, also: object) => ({ id, name, transaction: `0x${id}`, ...also });
    const retrieval = { id: "7", bundle: "0xb0", operator: "0x01", challenger: "0x02", cellIndex: "3" };
    const { dataset, retrievals } = answerFrom(
      StorageHealthDocument,
      { dataset: "0xda", bundlesOf: "0xda" },
      tables({
        datasets: [{ id: "0xda" }],
        bundles: [{ id: "0xb0", dataset: "0xda", index: 4, operator: "0x01" }],
        retrievals: [
          { ...retrieval, status: "Failed" },
          { ...retrieval, id: "8", status: "Published" },
        ],
        events: [
          event("1", "DatasetAnchored", { dataset: "0xda" }),
          event("2", "RetrievalFailed", { bundle: "0xb0", parameters: `{"challengeId":"7"}` }),
          event("3", "BundlePlaced", { bundle: "0xb0" }),
        ],
      }),
      meta,
    );
    assert.deepEqual(dataset?.events, [{ transaction: "0x1" }]);
    assert.deepEqual(
      retrievals.map(({ id, bundle }) => [id, bundle.index, bundle.events]),
      [["7", 4, [{ parameters: `{"challengeId":"7"}`, transaction: "0x2" }]]],
    );
  });

  it("has what the owner of a dataset was asked for and has not published, and the transactions that asked", () => {
    const question = {
      dataset: "0xda",
      bundleIndex: "9",
      challenger: "0x02",
      cellIndex: "3",
      deadline: "90",
    };
    const asked = { name: "OwnerChallenged", dataset: "0xda", parameters: `{"challengeId":"7"}` };
    const { dataset } = answerFrom(
      StorageHealthDocument,
      { dataset: "0xda", bundlesOf: "0xda" },
      tables({
        datasets: [{ id: "0xda" }],
        ownerRetrievals: [
          { ...question, id: "7", status: "Open" },
          { ...question, id: "8", status: "Published" },
          { ...question, id: "9", dataset: "0xdb", status: "Open" },
        ],
        events: [{ ...asked, id: "1", transaction: "0x1" }],
      }),
      meta,
    );
    assert.deepEqual(
      dataset?.ownerRetrievals.map(({ id, bundleIndex }) => [id, bundleIndex]),
      [["7", "9"]],
    );
    assert.deepEqual(dataset?.asked, [{ parameters: `{"challengeId":"7"}`, transaction: "0x1" }]);
  });

  it("lists datasets by what stands against them and by what is held of them, page by page", () => {
    const rows = Array.from({ length: 6 }, (_, i) => ({
      id: `0xd${i}`,
      anchoredAt: String(i),
      objectRoot: i < 2 ? "0xaa" : "0xbb",
      ...{ isClosed: i === 1, isFraudulent: false, isEncrypted: i === 2 },
    }));
    const held = tables({
      datasets: rows,
      bundles: [0, 1, 2, 4, 5].map((i) => ({
        id: `0xb${i}`,
        dataset: `0xd${i}`,
        index: 0,
        isPlaced: i !== 5,
      })),
    });
    const ask = (skip: number) =>
      answerFrom(OfferedDatasetsDocument, { first: 1, skip }, held, meta).datasets;
    assert.deepEqual(
      [0, 1, 2].map((skip) => ask(skip).map(({ id, bundles }) => [id, bundles])),
      [[["0xd4", [{ index: 0, isPlaced: true }]]], [["0xd0", [{ index: 0, isPlaced: true }]]], []],
    );
    assert.deepEqual(
      answerFrom(StoredFileDocument, { objectRoot: "0xaa" }, held, meta).datasets.map(({ id }) => id),
      ["0xd0"],
    );
  });

  it("looks at each row of a related table once, however many rows refer to it", () => {
    let looks = 0;
    const bundles = Array.from({ length: 300 }, (_, i) => ({
      id: `0xb${i}`,
      index: 0,
      isPlaced: true,
      get dataset() {
        looks++;
        return `0xd${i}`;
      },
    }));
    const datasets = bundles.map((_, i) => ({
      id: `0xd${i}`,
      ...{ isClosed: false, isFraudulent: false, isEncrypted: false },
    }));
    const answer = answerFrom(OfferedDatasetsDocument, { first: 300 }, tables({ datasets, bundles }), meta);
    assert.equal(answer.datasets.length, 300);
    assert.ok(looks <= 2 * bundles.length, `${looks} looks`);
  });
});
