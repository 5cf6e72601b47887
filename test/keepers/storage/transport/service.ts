import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { BlobNotFoundError } from "../../../../keepers/src/storage/backends/errors.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import type {
  Caller,
  PutRequest,
  ShardService,
} from "../../../../keepers/src/storage/transport/shard-service.ts";
import type { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";

export const datasetId = `0x${"ab".repeat(32)}` as const;

/** A service that answers from memory and remembers who asked. */
export function serviceOver(
  bundles: Map<number, Uint8Array>,
  staging?: UploadStaging,
): ShardService & { callers: string[] } {
  const callers: string[] = [];
  const held = (index: number): Uint8Array => {
    const bytes = bundles.get(index);
    if (bytes === undefined) throw new BlobNotFoundError(`bundle ${index}`, "memory");
    return bytes;
  };
  const note = ({ peer }: Caller): void => {
    callers.push(peer);
  };
  return {
    callers,
    async offer({ bundleIndices }, manifest, caller) {
      note(caller);
      const fits = (index: number): boolean => index < 100 && manifest !== undefined;
      return {
        accepted: bundleIndices.filter(fits),
        refused: bundleIndices
          .filter((index) => !fits(index))
          .map((bundleIndex) => ({
            bundleIndex,
            reason: "no-space" as const,
            detail: `${manifest?.length ?? 0}`,
          })),
      };
    },
    async manifest({ datasetId: asked }) {
      if (asked !== datasetId) throw new BlobNotFoundError(`manifest of ${asked}`, "memory");
      return new TextEncoder().encode("a manifest");
    },
    async status({ bundleIndices }, caller) {
      note(caller);
      return {
        bundles: await Promise.all(
          bundleIndices.map(async (bundleIndex) => {
            const bytes = bundles.get(bundleIndex);
            if (bytes !== undefined) return { bundleIndex, state: "held" as const, received: bytes.length };
            const received = (await staging?.received({ datasetId, bundleIndex })) ?? 0;
            return {
              bundleIndex,
              state: received === 0 ? ("absent" as const) : ("partial" as const),
              received,
            };
          }),
        ),
      };
    },
    async put(request: PutRequest, body, bodyLength, caller) {
      note(caller);
      if (request.bundleIndex === 66) throw new RefusalError("refused", "not this one");
      if (staging === undefined) {
        bundles.set(request.bundleIndex, await collect(body));
        return { received: request.offset + bodyLength };
      }
      const received = await staging.exclusive(request, async () => {
        if (bundles.has(request.bundleIndex)) return request.total;
        const size = await staging.append(request, request.offset, request.total, body);
        if (size === request.total) {
          bundles.set(request.bundleIndex, await staging.read(request));
          await staging.remove(request);
        }
        return size;
      });
      return { received };
    },
    async commit({ validUntil }, caller) {
      note(caller);
      return { operator: `0x${"11".repeat(20)}`, validUntil, signature: `0x${"22".repeat(65)}` };
    },
    async *get({ bundleIndex, offset, length }) {
      const bytes = held(bundleIndex).subarray(offset, offset + length);
      for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
    },
    async cells({ bundleIndex, cells }) {
      const bytes = held(bundleIndex);
      return cells.map((index) => ({
        index,
        cell: bytes.subarray(index * 496, (index + 1) * 496),
        siblings: [new Uint8Array(32).fill(index), new Uint8Array(32).fill(index + 1)],
      }));
    },
    async prove({ bundleIndex, seed }) {
      held(bundleIndex);
      return { proof: new Uint8Array(128).fill(9), evaluation: BigInt(seed) + 1n };
    },
  };
}
