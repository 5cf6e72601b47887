import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ConfigurationError } from "./errors.ts";

/** What the user said before the command's own options; each also has an environment variable. */
export type GlobalOptions = {
  rpc?: string;
  deployment?: string;
  keystore?: string;
  home: string;
  localNetwork?: boolean;
  json?: boolean;
  verbose?: boolean;
} & TrustSettings;

/** Whom to believe of the chain, and when; what is not set has its default (docs/transactions.md). */
export type TrustSettings = { rpcQuorum?: number; confirmations?: number; finality?: number };

/** Most blocks that anything is waited for: keepers ask for states that full nodes still have. */
export const deepest = 120;

/** Options of the command line, completed from the environment. A keystore is looked up where its key is needed. */
export function withEnvironment(
  options: Partial<GlobalOptions>,
  env: Readonly<Record<string, string | undefined>>,
): GlobalOptions {
  const { rpc = env.ASSAY_RPC_URL, deployment = env.ASSAY_DEPLOYMENT } = options;
  const { localNetwork = env.ASSAY_LOCAL_NETWORK === "1", home = env.ASSAY_HOME ?? ".assay" } = options;
  return {
    ...options,
    rpc,
    deployment,
    localNetwork,
    home,
    rpcQuorum: options.rpcQuorum ?? count(env, "ASSAY_RPC_QUORUM"),
    confirmations: options.confirmations ?? count(env, "ASSAY_CONFIRMATIONS"),
    finality: options.finality ?? count(env, "ASSAY_FINALITY"),
  };
}

function count(env: Readonly<Record<string, string | undefined>>, name: string): number | undefined {
  const text = env[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d{1,3}$/.test(text) && value >= 1 && value <= deepest) return value;
  throw new ConfigurationError(`${name} is not a whole number from 1 to ${deepest}`, {
    next: "Set it to one, or not at all.",
  });
}

/** Name of the key that is used when no other is named. */
export const defaultKeyName = "default";

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`))
    .transform((text) => text as `0x${string}`);

const devNetworkSchema = z.object({
  rpcUrl: z.url(),
  deployment: z.string().min(1),
  accounts: z.array(z.object({ address: hex(20), privateKey: hex(32) })).min(1),
});

/** What a running `assay dev` tells the commands started beside it. Its keys are the published development ones. */
export type DevNetwork = z.infer<typeof devNetworkSchema>;

export function devNetworkPath(home: string): string {
  return join(home, "dev", "network.json");
}

/** The development network of this folder; undefined when there is none. @throws ConfigurationError */
export function readDevNetwork(home: string): DevNetwork | undefined {
  const path = devNetworkPath(home);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const parsed = devNetworkSchema.safeParse(parseJson(text));
  if (parsed.success)
    return { ...parsed.data, deployment: resolve(join(home, "dev"), parsed.data.deployment) };
  throw new ConfigurationError(`${path} does not describe a development network`, {
    next: "Remove it and start `assay dev` again.",
  });
}

/** RPC URLs from a setting: one, or several between commas, best first. @throws ConfigurationError */
export function rpcUrls(setting: string): string[] {
  const urls = setting
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  for (const url of urls) {
    if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) continue;
    // The setting itself is not shown: it may hold an access key.
    throw new ConfigurationError("the RPC endpoint is not an http or https URL", {
      next: "Set --rpc or ASSAY_RPC_URL to one URL, or to several with commas between them.",
    });
  }
  return urls;
}

/** The parts of a URL that may carry an access key. */
export function secretsOf(url: string): string[] {
  const { username, password, pathname, search } = new URL(url);
  return [password, username, search, pathname].filter((part) => part.length >= 8);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
