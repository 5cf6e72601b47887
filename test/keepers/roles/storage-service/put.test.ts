import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { BlobStore } from "../../../../keepers/src/storage/backends/backend.ts";
import { StorageFullError } from "../../../../keepers/src/storage/backends/errors.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { withManifest } from "../dataset.ts";
import {
  broken,
  charge,
  data,
  manifestBytes,
  offer,
  other,
  pieces,
  put,
  refused,
  requestOf,
  storageScenes,
} from "./scene.ts";

describe("the storage service: uploads", () => {
  const scene = storageScenes();

  it("keeps a bundle whose bytes are right, and is told again without harm", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    const { length } = data.bundles[0]!;
    assert.deepEqual(await put(service, data, 0), { received: length });
    assert.deepEqual(await put(service, data, 0), { received: length });
    assert.deepEqual(await service.status({ datasetId: data.datasetId, bundleIndices: [0, 1] }), {
      bundles: [
        { bundleIndex: 0, state: "held", received: length },
        { bundleIndex: 1, state: "absent", received: 0 },
      ],
    });
    assert.equal(scene().commits, 1);
    assert.deepEqual(await readdir(join(scene().folder, "incoming")), []);
  });

  it("goes on where an upload broke off, also in another process", async () => {
    const service = await scene().service();
    const bytes = data.bundles[3]!;
    await offer(service, data, 3);
    await assert.rejects(service.put(requestOf(data, 3), broken(bytes.subarray(0, 700))), /connection broke/);
    const restarted = await scene().service();
    const { bundles } = await restarted.status({ datasetId: data.datasetId, bundleIndices: [3] });
    assert.deepEqual(bundles, [{ bundleIndex: 3, state: "partial", received: 700 }]);
    await assert.rejects(
      restarted.put(requestOf(data, 3, 800), pieces(bytes.subarray(800))),
      refused("bad-request", /goes on at byte 700/),
    );
    assert.deepEqual(await restarted.put(requestOf(data, 3, 700), pieces(bytes.subarray(700))), {
      received: bytes.length,
    });
    assert.equal(scene().shelf.all().length, 1);
  });

  it("attack: loses nothing of an upload when somebody else begins anew and breaks off", async () => {
    const service = await scene().service();
    const bytes = data.bundles[3]!;
    await offer(service, data, 3);
    await assert.rejects(service.put(requestOf(data, 3), broken(bytes.subarray(0, 700))), /connection broke/);
    const zeros = broken(new Uint8Array(100));
    await assert.rejects(service.put(requestOf(data, 3), zeros, bytes.length), /connection broke/);
    assert.deepEqual(await service.put(requestOf(data, 3, 700), pieces(bytes.subarray(700))), {
      received: bytes.length,
    });
    assert.equal(scene().shelf.all().length, 1);
  });

  it("forgets wrong bytes, so that the right ones can follow", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    const wrong = data.bundles[0]!.slice().fill(1);
    await assert.rejects(put(service, data, 0, wrong), refused("bad-request", /poseidonRoot/));
    assert.deepEqual(await readdir(join(scene().folder, "incoming")), []);
    assert.deepEqual(scene().shelf.all(), []);
    await put(service, data, 0);
    assert.equal(scene().shelf.all().length, 1);
  });

  it("forgets bytes whose manifest names another CID, and hashes them only once per upload", async () => {
    const bundles = data.manifest.bundles.with(0, {
      ...data.manifest.bundles[0]!,
      cid: data.manifest.bundles[1]!.cid,
    });
    const lying = withManifest({ ...data.manifest, bundles }, data.bundles);
    const service = await scene().service();
    await offer(service, lying, 0);
    await assert.rejects(put(service, lying, 0), refused("bad-request", /CID/));
    await service.put(requestOf(lying, 0), pieces());
    assert.equal(scene().commits, 1);
  });

  it("refuses wrong totals, unknown bundles and datasets that were not offered", async () => {
    const service = await scene().service();
    await assert.rejects(put(service, data, 0), refused("refused", /not offered/));
    await offer(service, data, 0);
    const request = requestOf(data, 0);
    await assert.rejects(
      service.put({ ...request, total: request.total + 1 }, pieces()),
      refused("bad-request", /has \d+ bytes/),
    );
    await assert.rejects(
      service.put({ ...request, bundleIndex: 6 }, pieces()),
      refused("bad-request", /no bundle 6/),
    );
    await assert.rejects(
      service.put(request, pieces(data.bundles[0]!, new Uint8Array(1))),
      refused("bad-request", /more bytes/),
    );
  });

  it("does not let uploads past the capacity that an offer was told", async () => {
    const service = await scene().service({ capacity: charge + manifestBytes + 10 });
    assert.deepEqual((await offer(service, data, 0)).accepted, [0]);
    await put(service, data, 0);
    await assert.rejects(put(service, data, 3), refused("full"));
    await assert.rejects(put(service, data, 1), refused("refused", /segment/));
    assert.equal(scene().shelf.bytes, data.bundles[0]!.length);
  });

  it("counts what is arriving, also after a restart, and lets one of two simultaneous uploads in", async () => {
    const capacity = charge + manifestBytes + 10;
    const service = await scene().service({ capacity });
    await offer(service, data, 0);
    await offer(service, other, 0);
    const results = await Promise.allSettled([
      service.put(requestOf(data, 0), broken(data.bundles[0]!.subarray(0, 5))),
      service.put(requestOf(other, 0), broken(other.bundles[0]!.subarray(0, 5))),
    ]);
    const full = results.filter(
      (result) =>
        result.status === "rejected" &&
        result.reason instanceof RefusalError &&
        result.reason.code === "full",
    );
    assert.equal(full.length, 1);
    const [staged] = await readdir(join(scene().folder, "incoming"));
    const late = staged!.startsWith(data.datasetId) ? other : data;
    const restarted = await scene().service({ capacity });
    assert.equal((await offer(restarted, late, 0)).refused[0]!.reason, "no-space");
    await assert.rejects(put(restarted, late, 0), refused("full"));
  });

  it("gives the space back when nothing arrived", async () => {
    const service = await scene().service({ capacity: charge + manifestBytes + 10 });
    await offer(service, data, 0);
    await offer(service, other, 0);
    await assert.rejects(service.put(requestOf(data, 0), broken()));
    await put(service, other, 0);
    assert.equal(scene().shelf.all().length, 1);
  });

  it("keeps the upload when the disk is full, for when there is space again", async () => {
    const real = scene().store;
    scene().store = Object.assign(Object.create(real) as BlobStore, {
      has: async () => false,
      put: async () => {
        throw new StorageFullError("the disk");
      },
    });
    const service = await scene().service();
    await offer(service, data, 0);
    await assert.rejects(put(service, data, 0), StorageFullError);
    scene().store = real;
    const later = await scene().service();
    const { total } = requestOf(data, 0);
    assert.deepEqual(await later.put(requestOf(data, 0, total), pieces()), { received: total });
    assert.equal(scene().shelf.all().length, 1);
  });
});
