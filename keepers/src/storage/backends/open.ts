import { z } from "zod";
import type { BlobStore } from "./backend.ts";
import { FileSystemStore } from "./file-system.ts";

/** Where a keeper keeps its blobs. */
export const storageConfig = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("fs"), directory: z.string().min(1) }),
]);

export type StorageConfig = z.input<typeof storageConfig>;

/** Opens the store a configuration names. */
export async function openBackend(input: StorageConfig): Promise<BlobStore> {
  const config = storageConfig.parse(input);
  return FileSystemStore.open(config.directory);
}
