import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CID } from "multiformats/cid";
import { type BlobStore, collect } from "../keepers/src/storage/backends/backend.ts";
import { maxBlobBytes } from "../keepers/src/storage/backends/blob-cid.ts";
import { HeliaStore } from "../keepers/src/storage/backends/helia.ts";
import { RefusalError } from "../keepers/src/storage/transport/errors.ts";
import { ShardClient } from "../keepers/src/storage/transport/shard-client.ts";
import { ShardServer, type ShardService } from "../keepers/src/storage/transport/shard-service.ts";
import type { BenchOptions, Report } from "./measure.ts";

const datasetId = `0x${"00".repeat(32)}` as const;
const peer = "bitswap (helia 7), same two nodes";

/** Repeatable bytes that no block shares with another. */
function bytesOf(seed: number, length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, state = seed >>> 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Serves ranges of stored blobs; a bundle's index is its place in the list. */
function serving(store: BlobStore, cids: readonly CID[]): ShardService {
  const no = async (): Promise<never> => {
    throw new RefusalError("refused", "this keeper only serves bytes");
  };
  return {
    offer: no,
    manifest: no,
    status: no,
    put: no,
    commit: no,
    cells: no,
    prove: no,
    get: ({ bundleIndex, offset, length }) => store.get(cids[bundleIndex]!, { offset, length }),
  };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

async function timed(action: () => Promise<Uint8Array>, length: number): Promise<number> {
  const start = performance.now();
  const bytes = await action();
  const took = performance.now() - start;
  if (bytes.length !== length) throw new Error("the transfer is not complete");
  return took;
}

/**
 * The shard protocol against bitswap, between the same two libp2p nodes over loopback and from the same store on disk:
 * the time of a 1 KiB read, and the throughput of whole bundles. Both sides verify every byte and keep it on the reader's disk.
 */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "assay-bench-"));
  const keeper = await HeliaStore.open({
    directory: join(directory, "keeper"),
    listen: ["/ip4/127.0.0.1/tcp/0"],
  });
  const reader = await HeliaStore.open({ directory: join(directory, "reader") });
  const smallCount = quick ? 40 : 400;
  const bundleCount = quick ? 4 : 20;
  try {
    const cids: CID[] = [];
    for (let i = 0; i < smallCount; i++) cids.push((await keeper.put(bytesOf(i + 1, 1024))).cid);
    for (let i = 0; i < bundleCount; i++) cids.push((await keeper.put(bytesOf(9000 + i, maxBlobBytes))).cid);
    const bundles = cids.slice(smallCount);
    const address = keeper.host.getMultiaddrs()[0]!.toString();
    const server = await ShardServer.start(keeper.host, serving(keeper, cids));
    await reader.connect(address);
    const client = await ShardClient.connect(reader.host, address);
    try {
      // Bitswap keeps what it fetches in the reader's store, so what is read here is kept there, too.
      const read = async (bundleIndex: number, length: number): Promise<Uint8Array> => {
        const bytes = await client.read({ datasetId, bundleIndex, offset: 0, length });
        await reader.put(bytes);
        return bytes;
      };
      await read(0, 1024);

      const own: number[] = [];
      const swapped: number[] = [];
      // Alternating, so that what else the machine does falls on both alike.
      for (let i = 2; i < smallCount; i += 2) {
        own.push(await timed(() => read(i, 1024), 1024));
        // Another block: the reader holds the one before.
        swapped.push(await timed(() => collect(reader.get(cids[i + 1]!)), 1024));
      }
      const [ownMs, swapMs] = [median(own), median(swapped)];
      report({
        name: "1 KiB get, median latency",
        value: ownMs,
        unit: "ms",
        peer,
        peerValue: swapMs,
        ratio: swapMs / ownMs,
        note: "ratio: how many times faster than the peer; both keep what they fetch in the reader's store on disk",
      });

      const ownRates: number[] = [];
      const swapRates: number[] = [];
      for (let i = 0; i < bundleCount; i += 2) {
        const took = await timed(() => read(smallCount + i, maxBlobBytes), maxBlobBytes);
        ownRates.push(maxBlobBytes / took / 1000);
        const swap = await timed(() => collect(reader.get(bundles[i + 1]!)), maxBlobBytes);
        swapRates.push(maxBlobBytes / swap / 1000);
      }
      const [ownRate, swapRate] = [median(ownRates), median(swapRates)];
      report({
        name: "bundle of 8.1 MB, median throughput",
        value: ownRate,
        unit: "MB/s",
        peer,
        peerValue: swapRate,
        ratio: ownRate / swapRate,
        note: "ratio: how many times the peer's; both keep what they fetch in the reader's store on disk",
      });
    } finally {
      await client.close();
      await server.stop();
    }
  } finally {
    await reader.close();
    await keeper.close();
    await rm(directory, { recursive: true, force: true });
  }
}
