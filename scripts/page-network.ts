import { parseUnits } from "viem";
import { type EmbeddedNetwork, guestAccounts } from "../keepers/src/roles/embedded/network.ts";
import { servePage } from "./page-server.ts";
import { pageFolder } from "./setup.ts";

/** Guests that the development wallet has: the last ones, which no keeper of the demonstration becomes. */
const walletGuests = { consumer: guestAccounts - 1, operator: guestAccounts - 2 } as const;
const walletTokens = parseUnits("20000", 18);

/** What `network.json` says of an embedded network, with keys for the development wallet; its accounts get tokens. */
export async function describeForPage(
  network: EmbeddedNetwork,
  addresses: { subgraph?: string; metrics?: string },
): Promise<Record<string, unknown>> {
  const guests = Object.entries(walletGuests);
  await network.give(
    guests.map(([, index]) => network.guest(index).address),
    walletTokens,
  );
  const { deployment } = network;
  return {
    name: "Embedded network",
    deployment: { ...deployment, startBlock: String(deployment.startBlock) },
    rpc: [network.chain.rpcUrl],
    gateway: network.gateway,
    ...addresses,
    accounts: guests.map(([name, index]) => ({
      name: `Test ${name}`,
      privateKey: network.guestKey(index),
    })),
  };
}

/** The page in front of an embedded network. */
export type OpenPage = {
  readonly url: string;
  /** What its `network.json` says. */
  readonly file: Record<string, unknown>;
  close(): Promise<void>;
};

export type OpenPageOptions = {
  readonly network: EmbeddedNetwork;
  /** GraphQL endpoint of its subgraph. */
  readonly subgraph: string;
  /** Below which path the page is. */
  readonly base?: string;
  readonly port?: number;
};

/** Serves the page in front of an embedded network. */
export async function openPage({ network, subgraph, base, port }: OpenPageOptions): Promise<OpenPage> {
  const file = await describeForPage(network, { subgraph });
  const server = await servePage({ folder: pageFolder, network: file, base, port });
  return { ...server, file };
}
