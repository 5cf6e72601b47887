import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, type Hex, zeroHash } from "viem";
import { datasetLayout, segmentLayout } from "../../../../keepers/src/core/dataset/layout.ts";
import { cellBytes } from "../../../../keepers/src/core/dataset/shape.ts";
import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { BinaryTree } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { leafHash } from "../../../../keepers/src/core/merkle/keccak.ts";
import type { ChainView } from "../../../../keepers/src/storage/client/client.ts";
import { fetchBundle } from "../../../../keepers/src/storage/client/fetch-bundles.ts";
import { cellsToAsk, type UnservedBundle } from "../../../../keepers/src/storage/client/probe.ts";
import { publishedBundles } from "../../../../keepers/src/storage/client/published-cells.ts";

const [k, n] = [2, 3];
const layout = datasetLayout({ k, n, objectCount: 9, objectSize: 300, segmentObjects: 9, encrypted: false });
const { bundleBytes, cells } = segmentLayout(layout, 0);
const datasetId: Hex = `0x${"ab".repeat(32)}`;

/** Whole cells: ones fill the last one up where everybody puts zeros, and are encoded like all the rest. */
const data = [7, 8].map((byte) => {
  const bytes = new Uint8Array(cells * cellBytes).fill(byte);
  return bytes.fill(1, bundleBytes);
});
const bundles = [...data, ...new ErasureCode(k, n).encode(data)];
const cellOf = (bundle: Uint8Array, index: number) =>
  bundle.subarray(index * cellBytes, (index + 1) * cellBytes);
const roots = bundles.map((bundle) => {
  const leaves = new Uint8Array(cells * 32);
  for (let i = 0; i < cells; i++) leaves.set(leafHash(cellOf(bundle, i)), i * 32);
  return { transportRoot: bytesToHex(new BinaryTree(leaves).root) };
});
const dataset = { datasetId, layout, manifest: { bundles: roots } };

describe("bundles whose roots cover something else than zeros behind their end", () => {
  it("attack: are none, whether they are served or every cell of them is on chain", async () => {
    assert.ok(bundleBytes < cells * cellBytes);
    for (const [bundleIndex, bytes] of bundles.entries()) {
      const get = async function* () {
        yield bytes.subarray(0, bundleBytes);
      };
      const peers = { connect: async () => ({ get }) };
      const asked = { dataset, bundleIndex, operator: "0x" } as const;
      await assert.rejects(fetchBundle({ peers }, asked), /do not have the anchored root/);
    }
    const published = bundles.flatMap((bytes, index) =>
      Array.from({ length: cells }, (_, cellIndex) => ({
        bundleId: bundleId(datasetId, index),
        challengeId: BigInt(index * cells + cellIndex),
        cellIndex,
        cell: bytesToHex(cellOf(bytes, cellIndex)),
      })),
    );
    const view = {
      deployment: { startBlock: 0n, addresses: { RetrievalChallenges: "0x1" } },
      chain: {
        public: {
          getBlockNumber: async () => 1n,
          getContractEvents: async () => published.map((args) => ({ args })),
        },
      },
    } as unknown as ChainView;
    assert.equal((await publishedBundles(view, dataset, [0, 1, 2])).size, 0);
  });

  it("attack: have their last cell asked for first, which nobody can publish, and then one that is drawn by lot", () => {
    const unserved = bundles.map(
      (_, bundleIndex): UnservedBundle => ({
        datasetId,
        bundleIndex,
        bundleId: bundleId(datasetId, bundleIndex),
        operator: "0x",
        reason: "its bytes do not have the anchored root",
        cells,
        poseidonRoot: zeroHash,
        transportRoot: roots[bundleIndex]!.transportRoot,
        proof: [],
      }),
    );
    const found = { k, n, unreadable: [{ segment: 0, served: 0, vacant: 0, unserved }] };
    for (let look = 0; look < 10; look++) {
      const asked = cellsToAsk(found, { most: 2, isAnswered: () => false });
      assert.deepEqual(
        asked.map(({ cell }) => cell),
        [cells - 1, cells - 1],
      );
    }
    const drawn = new Set<number>();
    for (let look = 0; look < 100; look++) {
      for (const { cell } of cellsToAsk(found, { most: 2, isAnswered: (_, cell) => cell === cells - 1 }))
        drawn.add(cell);
    }
    assert.ok(drawn.size > 1 && !drawn.has(cells - 1), `${[...drawn]}`);
  });
});
