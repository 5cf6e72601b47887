import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Address } from "viem";
import { datasetLayout, segmentLayout } from "../../../../keepers/src/core/dataset/layout.ts";
import type { Holder } from "../../../../keepers/src/storage/client/dataset.ts";
import { NotEnoughBundlesError } from "../../../../keepers/src/storage/client/errors.ts";
import { type BundleReader, fetchBundles } from "../../../../keepers/src/storage/client/fetch-bundles.ts";
import { transportRootOf } from "../../../../keepers/src/storage/client/roots.ts";
import { RefusalError, TransportError } from "../../../../keepers/src/storage/transport/errors.ts";

const operatorOf = (index: number): Address => `0x${String(index).padStart(40, "0")}`;

/** Holders each of which fails at first as often as it is said, and how often each was asked. */
function scene(failures: readonly (readonly Error[])[], [k, n] = [2, 3], onChain: readonly number[] = []) {
  const shape = { k, n, objectCount: 4, objectSize: 500, segmentObjects: 4, encrypted: false };
  const layout = datasetLayout(shape);
  const { bundleBytes } = segmentLayout(layout, 0);
  const bundles = Array.from({ length: n }, (_, i) => new Uint8Array(bundleBytes).fill(i + 1));
  const roots = bundles.map((bytes) => ({ transportRoot: transportRootOf(bytes) }));
  const dataset = { datasetId: "0x01", layout, manifest: { bundles: roots } } as const;
  const holders = bundles.map((_, bundleIndex) => ({
    bundleIndex,
    operator: operatorOf(bundleIndex),
    wasHeld: true,
    since: 0,
  })) as Holder[];
  const asked = Array<number>(n).fill(0);
  const client = {
    peers: {
      connect: async (operator: Address) => {
        const index = Number(BigInt(operator));
        const failure = failures[index]?.[asked[index]!];
        asked[index]!++;
        if (failure !== undefined) throw failure;
        return {
          async *get() {
            yield bundles[index]!;
          },
        };
      },
    },
  } as unknown as BundleReader;
  const published = async () => new Map(onChain.map((index) => [index, bundles[index]!]));
  const fetch = (brief?: number) =>
    fetchBundles(client, { dataset, segment: 0, holders, pause: 1, brief, published });
  return { asked, bundles, fetch };
}

const broken = new TransportError("the connection broke");
const gone = new RefusalError("not-found", "no such bundle");

describe("fetching the bundles of a segment", () => {
  it("asks no more holders than are needed", async () => {
    const { asked, bundles, fetch } = scene([]);
    const { shards, failures } = await fetch();
    assert.deepEqual(shards, [bundles[0], bundles[1], undefined]);
    assert.deepEqual([asked, failures], [[1, 1, 0], []]);
  });

  it("asks holders once more that a moment of bad connections has kept from answering", async () => {
    const { asked, bundles, fetch } = scene([[broken], [new RefusalError("busy", "later")]]);
    const { shards, failures } = await fetch();
    assert.deepEqual(shards, [bundles[0], undefined, bundles[2]]);
    assert.deepEqual(asked, [2, 1, 1]);
    assert.deepEqual(
      failures.map(({ bundleIndex }) => bundleIndex),
      [1],
      "what came in the end was not replaced",
    );
  });

  it("counts a bundle that is on chain once, and asks nobody for it again", async () => {
    const { asked, bundles, fetch } = scene([[], [broken], [broken], [gone], [gone]], [3, 5], [1]);
    const { shards, failures } = await fetch();
    assert.deepEqual(shards, [bundles[0], bundles[1], bundles[2], undefined, undefined]);
    assert.deepEqual(asked, [1, 1, 2, 1, 1]);
    assert.deepEqual(
      failures.map(({ bundleIndex }) => bundleIndex),
      [1, 3, 4],
    );
  });

  it("attack: a holder that has used up its whole time is not given it once more", async () => {
    const { asked, fetch } = scene([[broken], [], [gone]]);
    await assert.rejects(fetch(0), NotEnoughBundlesError);
    assert.deepEqual(asked, [1, 1, 1]);
  });

  it("gives up what could not be reached twice, and does not repeat what was refused", async () => {
    const { asked, fetch } = scene([[broken, broken, broken], [gone]]);
    await assert.rejects(fetch(), NotEnoughBundlesError);
    assert.deepEqual(asked, [2, 1, 1]);
  });
});
