import type { DatasetSource } from "../../../../keepers/src/storage/readers/source.ts";
import { generator } from "../random.ts";

/** Objects of a repeatable dataset, in memory. */
export function objectsOf(seed: number, count: number, size: number): Uint8Array[] {
  const random = generator(seed);
  return Array.from({ length: count }, () => random.bytes(size));
}

/** The objects as a source; records are written back as `records.bin`. */
export function sourceOf(objects: readonly Uint8Array[], name = "test"): DatasetSource {
  const objectSize = objects[0]!.length;
  return {
    name,
    objectSize,
    objectCount: objects.length,
    async *objects() {
      yield* objects;
    },
    format: () => ({
      kind: "records",
      fields: [{ name: "bytes", role: "input", dtype: "u8", shape: [objectSize], offset: 0 }],
      origin: null,
    }),
    licence: "CC0-1.0",
    description: "",
  };
}
