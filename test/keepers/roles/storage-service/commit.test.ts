import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recoverReceipt } from "../../../../keepers/src/chain/receipt.ts";
import { BlobNotFoundError } from "../../../../keepers/src/storage/backends/errors.ts";
import { deployment } from "../dataset.ts";
import { type Asked, account, data, day, now, offer, put, refused, rootsOf, storageScenes } from "./scene.ts";

describe("the storage service: receipts", () => {
  const scene = storageScenes();

  const commitTo = (service: Asked, change: object = {}) =>
    service.commit({
      datasetId: data.datasetId,
      bundleIndex: 0,
      ...rootsOf(data, 0),
      validUntil: (now + day).toString(),
      latestEnd: 130,
      ...change,
    });

  it("signs for what is here, so that the contract recovers the operator", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    await put(service, data, 0);
    const { operator, validUntil, signature } = await commitTo(service);
    assert.equal(operator, account.address.toLowerCase());
    const receipt = {
      datasetId: data.datasetId,
      bundleIndex: 0,
      ...rootsOf(data, 0),
      operator: account.address,
      validUntil: BigInt(validUntil),
      latestEnd: 130,
    };
    const domain = { chainId: deployment.chainId, bundleRegistry: deployment.addresses.BundleRegistry };
    assert.equal(await recoverReceipt(receipt, signature, domain), account.address);
    assert.equal(
      scene().shelf.get(data.datasetId, 0)!.keepUntil,
      now + day,
      "kept for as long as the receipt is good",
    );
  });

  it("signs no other roots, no longer promise, and nothing that is not here", async () => {
    const service = await scene().service();
    await offer(service, data, 0, 3);
    await assert.rejects(commitTo(service), BlobNotFoundError);
    await put(service, data, 0);
    const { poseidonRoot, transportRoot } = rootsOf(data, 1);
    await assert.rejects(commitTo(service, { poseidonRoot }), refused("refused", /not the roots/));
    await assert.rejects(commitTo(service, { transportRoot }), refused("refused", /not the roots/));
    await assert.rejects(
      commitTo(service, { validUntil: (now + day + 601n).toString() }),
      refused("refused", /until \d+ at most/),
    );
    await assert.rejects(commitTo(service, { bundleIndex: 3 }), BlobNotFoundError);
  });
});
