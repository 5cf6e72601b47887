import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, keccak256 } from "viem";
import { BlobNotFoundError } from "../../../../keepers/src/storage/backends/errors.ts";
import { writeTerms } from "../../../../keepers/src/storage/client/terms.ts";
import { offered } from "../dataset.ts";
import { word } from "../doubles.ts";
import {
  broken,
  charge,
  data,
  manifestBytes,
  offer,
  offerOf,
  other,
  pieces,
  put,
  refused,
  requestOf,
  storageScenes,
} from "./scene.ts";

describe("the storage service: offers to store", () => {
  const scene = storageScenes();

  it("accepts bundles of a manifest that belongs to the dataset's id, and gives the manifest to others", async () => {
    const service = await scene().service();
    assert.deepEqual(await offer(service, data, 0, 4), { accepted: [0, 4], refused: [] });
    assert.deepEqual(bytesToHex(await service.manifest(data)), bytesToHex(data.manifestBytes));
    assert.deepEqual(await service.offer(offerOf(data, [0]), undefined), { accepted: [0], refused: [] });
  });

  it("refuses a manifest of another owner, another dataset or another CID", async () => {
    const service = await scene().service();
    const stranger = { ...offerOf(data, [0]), owner: `0x${"0b".repeat(20)}` as const };
    await assert.rejects(
      service.offer(stranger, data.manifestBytes),
      refused("bad-request", /not this dataset's/),
    );
    await assert.rejects(
      service.offer({ ...offerOf(data, [0]), manifestCid: other.manifestCid }, other.manifestBytes),
      refused("bad-request", /not this dataset's/),
    );
    await assert.rejects(
      service.offer({ ...offerOf(data, [0]), manifestCid: other.manifestCid }, data.manifestBytes),
      refused("bad-request", /does not have this CID/),
    );
    await assert.rejects(service.manifest(data), BlobNotFoundError);
  });

  it("refuses terms that the id does not commit to, whichever of them was changed", async () => {
    const service = await scene().service({ asking: { leastFee: 0n, longestTerm: 16_384 } });
    const { parameters } = offered;
    const changed = [
      { ...offered, feePerAudit: offered.feePerAudit + 1n },
      { ...offered, epochs: offered.epochs - 1 },
      { ...offered, previous: word(7) },
      { ...offered, parameters: { ...parameters, missPenalty: parameters.missPenalty - 1n } },
    ];
    for (const terms of changed) {
      const request = { ...offerOf(data, [0]), terms: writeTerms(terms) };
      await assert.rejects(
        service.offer(request, data.manifestBytes),
        refused("bad-request", /not this dataset's/),
      );
    }
    const { terms: _, ...without } = offerOf(data, [0]);
    await assert.rejects(service.offer(without, data.manifestBytes), refused("bad-request", /which terms/));
  });

  it("refuses a fee below its own and a term above its own, and says so", async () => {
    const dear = await scene().service({ asking: { leastFee: offered.feePerAudit + 1n, longestTerm: 30 } });
    const [low] = (await offer(dear, data, 0)).refused;
    assert.deepEqual(
      [low?.reason, low?.detail],
      ["price", "it asks for 0.001000000000000001 tokens an audit, not 0.001"],
    );
    const brief = await scene().service({ asking: { leastFee: 0n, longestTerm: 29 } });
    const [long] = (await offer(brief, data, 0)).refused;
    assert.deepEqual([long?.reason, long?.detail], ["policy", "it serves for 29 epochs at most, not 30"]);
  });

  it("refuses parameters that are not in force any more, and goes by the anchor where there is one", async () => {
    const service = await scene().service();
    const { terms: _, ...without } = offerOf(data, [0]);
    scene().anchor = {
      status: 1,
      manifestHash: keccak256(data.manifestBytes),
      endEpoch: 120,
      feePerAudit: offered.feePerAudit,
    };
    assert.deepEqual((await service.offer(without, data.manifestBytes)).accepted, [0]);
    scene().anchor = { ...scene().anchor, endEpoch: 131 };
    const [long] = (await service.offer({ ...without, bundleIndices: [1] }, data.manifestBytes)).refused;
    assert.match(long?.detail ?? "", /30 epochs at most, not 31/);
    scene().anchor = { ...scene().anchor, endEpoch: 101 };
    const [over] = (await service.offer({ ...without, bundleIndices: [1] }, data.manifestBytes)).refused;
    assert.match(over?.detail ?? "", /over/);
  });

  it("refuses what is no manifest, and asks for one that it does not know", async () => {
    const service = await scene().service();
    await assert.rejects(
      service.offer(offerOf(data, [0]), new TextEncoder().encode("{}")),
      refused("bad-request"),
    );
    await assert.rejects(
      service.offer(offerOf(data, [0]), undefined),
      refused("bad-request", /send the manifest/),
    );
  });

  it("says of each bundle why it is refused", async () => {
    const service = await scene().service({ capacity: charge + manifestBytes + 10 });
    const { accepted, refused: no } = await offer(service, data, 0, 1, 3, 6);
    assert.deepEqual(accepted, [0]);
    assert.deepEqual(
      no.map(({ bundleIndex, reason }) => [bundleIndex, reason]),
      [
        [1, "policy"],
        [3, "no-space"],
        [6, "bad-manifest"],
      ],
    );
  });

  it("refuses everything while its operator is not active, but what is here already", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    await put(service, data, 0);
    scene().active = false;
    const answer = await offer(service, data, 0, 3);
    assert.deepEqual(answer.accepted, [0]);
    assert.equal(answer.refused[0]!.detail, "this operator is not active");
  });

  it("refuses a second bundle of a segment, while the first arrives and once it is here", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    await assert.rejects(service.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 100))));
    assert.deepEqual((await offer(service, data, 1, 3)).accepted, [3]);
    await service.put(requestOf(data, 0, 100), pieces(data.bundles[0]!.subarray(100)));
    assert.deepEqual((await offer(service, data, 1, 3)).accepted, [3]);
  });
});
