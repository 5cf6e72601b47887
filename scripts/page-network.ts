import { join } from "node:path";
import { parseUnits } from "viem";
import { type EmbeddedNetwork, guestAccounts } from "../keepers/src/roles/embedded/network.ts";
import { serveGateway } from "../keepers/src/roles/gateway/gateway.ts";
import { createStorageClient } from "../keepers/src/storage/client/client.ts";
import { createHost } from "../keepers/src/storage/transport/host.ts";
import { servePage } from "./page-server.ts";
import { pageFolder } from "./setup.ts";

/** Guests that the development wallet has: the last ones, which no keeper of the demonstration becomes. */
const walletGuests = { consumer: guestAccounts - 1, operator: guestAccounts - 2 } as const;
const walletTokens = parseUnits("20000", 18);

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
  /** For what the storage gateway fetches. */
  readonly folder: string;
  /** Below which path the page is. */
  readonly base?: string;
  readonly port?: number;
};

/** Serves the page, and the storage gateway that it reads bytes from; gives tokens to the accounts of its wallet. */
export async function openPage(options: OpenPageOptions): Promise<OpenPage> {
  const { network, subgraph, folder, base, port } = options;
  const guests = Object.entries(walletGuests);
  await network.give(
    guests.map(([, index]) => network.guest(index).address),
    walletTokens,
  );
  const host = await createHost({});
  const { client: chain, deployment } = network;
  const storage = createStorageClient({ chain, deployment, host });
  const gateway = await serveGateway({ storage, folder: join(folder, "gateway") });
  const file = {
    name: "Embedded network",
    deployment: { ...deployment, startBlock: String(deployment.startBlock) },
    rpc: [network.chain.rpcUrl],
    subgraph,
    gateway: gateway.url,
    accounts: guests.map(([name, index]) => ({
      name: `Test ${name}`,
      privateKey: network.guestKey(index),
    })),
  };
  const server = await servePage({ folder: pageFolder, network: file, base, port });
  return {
    url: server.url,
    file,
    async close() {
      await server.close();
      await gateway.close();
      await storage.peers.close();
      await host.stop();
    },
  };
}
