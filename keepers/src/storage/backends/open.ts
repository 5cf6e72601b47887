import { z } from "zod";
import { AssayError, exitCode } from "../../core/errors.ts";
import type { Host } from "../transport/host.ts";
import type { BlobStore } from "./backend.ts";
import type { StoreOwners } from "./owners.ts";
import type { S3Credentials } from "./s3.ts";

const decimal = z
  .string()
  .regex(/^[0-9]{1,78}$/)
  .transform(BigInt);
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
  z.strictObject({
    kind: z.literal("filecoin"),
    /** Where the records of what is stored are kept. */
    directory: z.string().min(1),
    network: z.enum(["mainnet", "calibration"]),
    rpcUrl: z.url({ protocol: /^https?$/ }).optional(),
    providerId: decimal.optional(),
    dataSetId: decimal.optional(),
    timeout: milliseconds.optional(),
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
  /** Needed for filecoin: the key of the account that pays, from the keystore or the environment. */
  filecoinKey?: `0x${string}`;
};

/** Opens the store a configuration names. Each implementation is loaded only when it is asked for. */
export async function openBackend(
  input: StorageConfig,
  resources: BackendResources = {},
): Promise<BlobStore & StoreOwners> {
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
    case "filecoin":
      return openFilecoin(config, required(resources.filecoinKey, "the key of the account that pays"));
  }
}

async function openFilecoin(
  { network, rpcUrl, ...parameters }: Extract<z.output<typeof storageConfig>, { kind: "filecoin" }>,
  key: `0x${string}`,
): Promise<BlobStore & StoreOwners> {
  const [{ FilecoinStore }, sdk, { http }, { privateKeyToAccount }] = await Promise.all([
    import("./filecoin.ts"),
    import("@filoz/synapse-sdk"),
    import("viem"),
    import("viem/accounts"),
  ]);
  const synapse = sdk.Synapse.create({
    chain: sdk[network],
    transport: http(rpcUrl),
    account: privateKeyToAccount(key),
    source: "assay",
  });
  return FilecoinStore.open({ ...parameters, synapse });
}

function required<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new AssayError(`this kind of storage needs ${what}`, {
    next: "Put it into the keeper's keystore or environment.",
    exitCode: exitCode.configuration,
  });
}
