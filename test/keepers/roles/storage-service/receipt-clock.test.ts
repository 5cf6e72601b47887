import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { agreedClock } from "../../../../keepers/src/roles/storage-node/kept-reads.ts";
import { LiedTo } from "../lied-to.ts";
import { type Asked, data, day, now, offer, put, refused, rootsOf, storageScenes } from "./scene.ts";

const far = 100_000n * day;

describe("the storage service: receipts where the endpoint that is asked first lies", () => {
  const scene = storageScenes();
  let endpoints: LiedTo;

  beforeEach(() => {
    endpoints = new LiedTo({ DatasetRegistry: { currentEpoch: () => 100, epochLength: () => 86_400 } });
    for (const each of endpoints.endpoints) each.now = () => now;
  });

  /** A service that is asked for a receipt of a bundle that is here. */
  async function asked() {
    const service = await scene().service({
      receiptClock: async () => agreedClock(await endpoints.context()),
    });
    await offer(service, data, 0);
    await put(service, data, 0);
    return service;
  }

  const commitTo = (service: Asked, change: object = {}) =>
    service.commit({
      ...{ datasetId: data.datasetId, bundleIndex: 0, ...rootsOf(data, 0) },
      ...{ validUntil: (now + day).toString(), latestEnd: 130, ...change },
    });

  it("attack: are good for no longer although its clock is far ahead", async () => {
    endpoints.liar.now = () => now + far;
    const service = await asked();
    scene().time = now + far;
    const validUntil = (now + far).toString();
    await assert.rejects(commitTo(service, { validUntil }), refused("refused", /until \d+ at most/));
    await commitTo(service);
  });

  it("attack: bind a node to no later epoch although that names a far one", async () => {
    endpoints.lie({ DatasetRegistry: { currentEpoch: () => 16_000, epochLength: () => 1 } });
    const service = await asked();
    await assert.rejects(
      commitTo(service, { latestEnd: 16_000 }),
      refused("refused", /until epoch \d+ at most/),
    );
    await commitTo(service);
  });

  it("attack: are not signed, for now, while one of only two names another epoch", async () => {
    endpoints.lie({ DatasetRegistry: { currentEpoch: () => 16_000 } });
    endpoints.leaveTwo();
    const service = await asked();
    await assert.rejects(commitTo(service), refused("busy", /not certain/));
    endpoints.endpoints = endpoints.endpoints.slice(1);
    await commitTo(service);
  });
});
