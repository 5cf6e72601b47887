import { ErasureCode } from "../keepers/src/core/erasure/code.ts";
import { objectHash } from "../keepers/src/core/merkle/object-hash.ts";
import type { BenchOptions, Report } from "./measure.ts";

const k = 8;
const n = 11;
const replicas = 3;

/** What (8, 11) stores for each byte of a dataset, counted on bundles that are really encoded. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const code = new ErasureCode(k, n);
  const objects = quick ? 100 : 1000;
  for (const objectSize of [65, 784, 4096, 65536]) {
    const dataset = Array.from({ length: objects }, (_, i) => new Uint8Array(objectSize).fill(i));
    const data = objects * objectSize;
    const size = (blobs: readonly Uint8Array[]): number => blobs.reduce((sum, blob) => sum + blob.length, 0);
    let shards = 0;
    const hashes = new Uint8Array(objects * 32);
    dataset.forEach((object, i) => {
      shards += size(code.encodeBlob(object));
      hashes.set(objectHash(object), 32 * i);
    });
    const hashShards = size(code.encodeBlob(hashes));
    const label = `${objectSize}-byte objects`;
    report({
      name: `shards, ${label}`,
      value: shards / data,
      unit: "× data",
      peer: `${replicas} replicas`,
      peerValue: replicas,
      ratio: shards / data / replicas,
      note: `lower is better${objectSize === 784 ? ", bar 1.375 × data" : ""}`,
    });
    report({
      name: `object hashes, ${label}`,
      value: (100 * hashes.length) / data,
      unit: "% of data",
      peer: "the same hashes as stored, with parity",
      peerValue: (100 * hashShards) / data,
      ratio: hashShards / hashes.length,
      note: objectSize === 784 ? "bar 5 %" : objectSize >= 4096 ? "bar 1 %" : undefined,
    });
  }
}
