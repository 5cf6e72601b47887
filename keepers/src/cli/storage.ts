import { readFileSync } from "node:fs";
import type { Hex } from "viem";
import { z } from "zod";
import { BadInputError } from "../core/errors.ts";
import { type BackendResources, type StorageConfig, storageConfig } from "../storage/backends/open.ts";
import { ConfigurationError } from "./errors.ts";

/** Where a keeper keeps its bundles, and the secrets that the place asks for. */
export type KeeperStorage = { storage: StorageConfig; storageSecrets: Omit<BackendResources, "host"> };

const maximumBytes = 65_536;

/**
 * Reads the file that `--storage` names, and secrets from the environment: `ASSAY_S3_ACCESS_KEY_ID`,
 * `ASSAY_S3_SECRET_ACCESS_KEY`, `ASSAY_KUBO_AUTHORIZATION`, `ASSAY_FILECOIN_KEY`. Secrets in the file are refused with
 * every other field that the schema does not know.
 * @throws ConfigurationError when there is no such file, BadInputError when it is not valid
 */
export function readStorage(path: string, environment: NodeJS.ProcessEnv): KeeperStorage {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`${path} cannot be read`, {
      next: "Name the file that --storage should read.",
      cause,
    });
  }
  if (text.length > maximumBytes) throw new BadInputError(`${path} is too long to be a configuration`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadInputError(`${path} is not JSON`, { cause });
  }
  const parsed = storageConfig.safeParse(value);
  if (!parsed.success) throw new BadInputError(`${path}: ${z.prettifyError(parsed.error)}`);
  const {
    ASSAY_S3_ACCESS_KEY_ID: accessKeyId,
    ASSAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
    ASSAY_KUBO_AUTHORIZATION: kuboAuthorization,
    ASSAY_FILECOIN_KEY: filecoinKey,
  } = environment;
  return {
    storage: value as StorageConfig,
    storageSecrets: {
      ...(accessKeyId !== undefined && secretAccessKey !== undefined
        ? { s3Credentials: { accessKeyId, secretAccessKey } }
        : {}),
      ...(kuboAuthorization === undefined ? {} : { kuboAuthorization }),
      ...(filecoinKey === undefined ? {} : { filecoinKey: filecoinKey as Hex }),
    },
  };
}
