import { z } from "zod";
import { AssayError, exitCode } from "../../core/errors.ts";
import type { Host } from "../transport/host.ts";
import type { BlobStore } from "./backend.ts";
import type { S3Credentials } from "./s3.ts";

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
  z.strictObject({
    kind: z.literal("kubo"),
    /** The node's RPC address. */
    url: z.url({ protocol: /^https?$/ }),
    /** Folder of the node's files in which blobs are kept. */
    folder: z
      .string()
      .regex(/^(\/[A-Za-z0-9_-]+)+$/)
      .optional(),
    fetchTimeout: milliseconds.optional(),
  }),
  z.strictObject({
    kind: z.literal("s3"),
    endpoint: z.url({ protocol: /^https?$/ }),
    region: z.string().min(1).optional(),
    bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
    prefix: z.string().max(512).optional(),
    timeout: milliseconds.optional(),
    attempts: z.int().min(1).max(20).optional(),
  }),
]);

export type StorageConfig = z.input<typeof storageConfig>;

/** What a backend may need beside its configuration. */
export type BackendResources = {
  /** The keeper's libp2p node, which helia then shares. */
  host?: Host;
  /** The Authorization header for a Kubo node that asks for one. */
  kuboAuthorization?: string;
  /** Needed for s3; from the keystore or the environment. */
  s3Credentials?: S3Credentials;
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
      return (await import("./helia.ts")).HeliaStore.open({
        ...config,
        ...(resources.host === undefined ? {} : { host: resources.host }),
      });
    case "kubo": {
      const authorization = resources.kuboAuthorization;
      return new (await import("./kubo.ts")).KuboStore({
        ...config,
        ...(authorization === undefined ? {} : { authorization }),
      });
    }
    case "s3": {
      const credentials = required(resources.s3Credentials, "an access key and its secret");
      return new (await import("./s3.ts")).S3Store({ ...config, credentials });
    }
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new AssayError(`this kind of storage needs ${what}`, {
    next: "Put it into the keeper's keystore or environment.",
    exitCode: exitCode.configuration,
  });
}
