import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { objectHash } from "../../../../keepers/src/core/merkle/object-hash.ts";

/** The n bundles of a dataset of one object, by the plain construction: k data shards of it and of its hash, and their parity. */
export function bundlesOfObject(object: Uint8Array, k: number, n: number): Uint8Array[] {
  const code = new ErasureCode(k, n);
  const [shards, hashes] = [object, objectHash(object)].map((blob) => {
    const length = Math.ceil(blob.length / k);
    const data = Array.from({ length: k }, (_, i) => {
      const shard = new Uint8Array(length);
      shard.set(blob.subarray(i * length, (i + 1) * length));
      return shard;
    });
    return [...data, ...code.encode(data)];
  }) as [Uint8Array[], Uint8Array[]];
  return shards.map((shard, i) => new Uint8Array(Buffer.concat([shard, hashes[i]!])));
}
