import type { Hex } from "viem";
import { z } from "zod";
import { type Deployment, parseDeployment } from "../../../keepers/src/chain/deployment-format.ts";

/** Chain id of the network that `npm start` embeds; no public chain has it. */
export const embeddedChainId = 31_337;

/** Where everything is that the page reads: `network.json` beside `index.html`. */
export type Network = {
  /** What the network is called: "Embedded network". */
  readonly name: string;
  readonly deployment: Deployment;
  /** JSON-RPC endpoints of the chain, the first one first. */
  readonly rpc: readonly string[];
  /** GraphQL endpoint of the subgraph; without one everything is read from the chain. */
  readonly subgraph: string | undefined;
  /** Where the bytes of anchored datasets are had over HTTP. */
  readonly gateway: string | undefined;
  /** A block explorer's address, to which `/tx/…` is added. */
  readonly explorer: string | undefined;
  /** Prometheus endpoint of the visitor's own keeper. */
  readonly metrics: string | undefined;
  /** Keys of the embedded network, for the development wallet. */
  readonly accounts: readonly DevelopmentAccount[];
};

/** A funded account of the embedded network; its key is public. */
export type DevelopmentAccount = { readonly name: string; readonly privateKey: Hex };

const url = z.url({ protocol: /^https?$/ });
const schema = z.strictObject({
  name: z.string().min(1).max(80),
  deployment: z.unknown(),
  rpc: z.array(url).min(1).max(8),
  subgraph: url.optional(),
  gateway: url.optional(),
  explorer: url.optional(),
  metrics: url.optional(),
  accounts: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(80),
        privateKey: z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>,
      }),
    )
    .max(16)
    .default([]),
});

/**
 * Checks a network file, which may come from anybody.
 *
 * @throws BadInputError or Error that says what is wrong with it
 */
export function parseNetwork(value: unknown): Network {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "file"}: ${message}`);
    throw new Error(`network.json is not valid: ${faults.join("; ")}`);
  }
  const { deployment, subgraph, gateway, explorer, metrics, ...rest } = parsed.data;
  return {
    ...rest,
    subgraph,
    gateway,
    explorer,
    metrics,
    deployment: parseDeployment(deployment, "the deployment in network.json"),
  };
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * Whether the page may hold keys: only those of the embedded network, only where both the page and the chain are on this
 * machine. A file that carries keys for anywhere else is refused by {@link refuseKeys}.
 */
export function mayHoldKeys(network: Network, pageHost: string): boolean {
  return (
    network.accounts.length > 0 &&
    network.deployment.chainId === embeddedChainId &&
    loopback.test(pageHost) &&
    network.rpc.every((endpoint) => loopback.test(new URL(endpoint).hostname))
  );
}

/**
 * The network without keys where it may not hold any.
 */
export function refuseKeys(network: Network, pageHost: string): Network {
  return mayHoldKeys(network, pageHost) ? network : { ...network, accounts: [] };
}
