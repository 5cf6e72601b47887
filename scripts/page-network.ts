import { parseUnits } from "viem";
import type { EmbeddedNetwork } from "../keepers/src/roles/embedded/network.ts";
import { guestAccounts } from "../keepers/src/roles/embedded/network.ts";

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
