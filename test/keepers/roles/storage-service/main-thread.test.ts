import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Hex, pad, toHex } from "viem";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { type TinyDataset, withManifest } from "../dataset.ts";
import { type Asked, data, offer, offerOf, pieces, put, requestOf, storageScenes } from "./scene.ts";

/** Milliseconds by which a duty may begin late. */
const mostLate = 250;

/** A dataset of 300 segments, of which there are no bytes: its manifest is as long as one may be. */
function longDataset(name: string): TinyDataset {
  const { manifest } = data;
  const bundles = Array.from({ length: 900 }, (_, i) => ({
    ...manifest.bundles[0]!,
    poseidonRoot: pad(toHex(i + 1), { size: 32 }) as Hex,
    transportRoot: pad(toHex(i + 1), { size: 32 }) as Hex,
  }));
  const long = { ...manifest, name, objectCount: 600, segmentObjects: 2, bundles };
  return withManifest(long, data.bundles);
}

/** The first bundle of each segment. */
const oneEach = Array.from({ length: 300 }, (_, segment) => 3 * segment);
const everyIndex = Array.from({ length: 900 }, (_, index) => index);

/** Does something and says how late a timer came at most meanwhile, in milliseconds. */
async function latest(work: () => Promise<unknown>): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  await sleep(50);
  delays.reset();
  await work();
  await sleep(50);
  delays.disable();
  return delays.max / 1e6;
}

async function outcomeOf(request: Promise<unknown>): Promise<string> {
  try {
    await request;
    return "answered";
  } catch (error) {
    assert.ok(error instanceof RefusalError, String(error));
    return error.code;
  }
}

/** Lets a thousand bundles stand on the shelf, of four datasets. */
function fillShelf(shelf: ReturnType<ReturnType<typeof storageScenes>>["shelf"]): void {
  const root = pad("0x01", { size: 32 });
  for (let i = 0; i < 1000; i++) {
    const datasetId = pad(toHex(1 + (i % 4)), { size: 32 });
    shelf.addManifest(datasetId, data.manifestBytes);
    const bundle = { bundleIndex: i, length: 10, cells: 1, poseidonRoot: root, transportRoot: root };
    shelf.add({ ...bundle, datasetId, cid: `bundle ${i}` });
  }
}

describe("the storage service: the thread that duties share with strangers", () => {
  const scene = storageScenes();

  it("attack: long offers and empty uploads from twenty peers do not make a duty late", async () => {
    fillShelf(scene().shelf);
    const service = await scene().service({ capacity: 1 << 30 });
    const datasets = Array.from({ length: 64 }, (_, i) => longDataset(`long ${i}`));
    const by = (i: number): Asked => service.by(`peer ${i % 20}`);
    const outcomes: string[] = [];
    const late = await latest(async () => {
      const requests = datasets.map((dataset, i) =>
        by(i).offer(offerOf(dataset, everyIndex), dataset.manifestBytes),
      );
      outcomes.push(...(await Promise.all(requests.map(outcomeOf))));
      // As a peer sends them: one after the other, for as long as they are answered at once.
      for (let i = 0; i < 1000; i += 20) {
        const puts = Array.from({ length: 20 }, (_, j) => {
          const dataset = datasets[(i + j) % 64]!;
          const request = { ...requestOf(data, 0), datasetId: dataset.datasetId };
          return by(j).put({ ...request, bundleIndex: 3 * ((i + j) % 300) }, pieces());
        });
        await Promise.all(puts.map(outcomeOf));
        await sleep(1);
      }
    });
    assert.ok(late < mostLate, `a timer came ${late.toFixed(0)} ms late`);
    assert.ok(outcomes.includes("answered") && outcomes.includes("busy"), outcomes.join());
  });

  it("attack: an offer that is made again is answered from memory", async () => {
    fillShelf(scene().shelf);
    const service = await scene().service({ capacity: 1 << 30 });
    const dataset = longDataset("again");
    await offer(service, dataset, ...oneEach);
    const begun = performance.now();
    for (let i = 0; i < 20; i++) {
      const { accepted } = await offer(service.by(`peer ${i}`), dataset, ...oneEach);
      assert.ok(accepted.length > 0);
    }
    const each = (performance.now() - begun) / 20;
    assert.ok(each < 20, `${each.toFixed(1)} ms each`);
  });

  it("still stores an honest peer's bundles while others send manifests", async () => {
    const service = await scene().service({ capacity: 1 << 30 });
    const strangers = Array.from({ length: 16 }, (_, i) => longDataset(`noise ${i}`));
    const noise = strangers.map((dataset, i) => outcomeOf(offer(service.by(`noise ${i}`), dataset, 0)));
    await offer(service, data, 0, 3);
    assert.deepEqual(await put(service, data, 0), { received: data.bundles[0]!.length });
    assert.deepEqual(await put(service, data, 3), { received: data.bundles[3]!.length });
    await Promise.all(noise);
  });
});
