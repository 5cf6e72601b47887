import { z } from "zod";
import type { Host } from "../transport/host.ts";
import type { BlobStore } from "./backend.ts";

const milliseconds = z.int().min(1).max(3_600_000);

/** Where a keeper keeps its blobs. Secrets are not part of it: they come in {@link BackendResources}. */
export const storageConfig = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("fs"), directory: z.string().min(1) }),
  z.strictObject({
    kind: z.literal("helia"),
    directory: z.string().min(1),
    /** Multiaddrs for a libp2p node of its own; not used when the keeper's node is passed in. */
    listen: z.array(z.string()).optional(),
    fetchTimeout: milliseconds.optional(),
  }),
]);

export type StorageConfig = z.input<typeof storageConfig>;

/** What a backend may need beside its configuration. */
export type BackendResources = {
  /** The keeper's libp2p node, which helia then shares. */
  host?: Host;
};

/** Opens the store a configuration names. Each implementation is loaded only when it is asked for. */
export async function openBackend(
  input: StorageConfig,
  resources: BackendResources = {},
): Promise<BlobStore> {
  const config = storageConfig.parse(input);
  switch (config.kind) {
    case "fs":
      return (await import("./file-system.ts")).FileSystemStore.open(config.directory);
    case "helia":
      return (await import("./helia.ts")).HeliaStore.open({ ...config, ...resources });
  }
}
