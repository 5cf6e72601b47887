import { type Chain, fallback, http } from "viem";
import { type Config, createConfig } from "wagmi";
import type { Network } from "../network/network-file.ts";

/** The chain of a network, as wallets and viem name it. */
export function chainOf({ name, deployment, rpc, explorer }: Network): Chain {
  return {
    id: deployment.chainId,
    name,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: rpc } },
    ...(explorer === undefined ? {} : { blockExplorers: { default: { name: "Explorer", url: explorer } } }),
  };
}

/** Reads from the network's endpoints; wallets announce themselves (EIP-6963). */
export function configOf(network: Network): Config {
  const chain = chainOf(network);
  return createConfig({
    chains: [chain],
    multiInjectedProviderDiscovery: true,
    transports: { [chain.id]: fallback(network.rpc.map((endpoint) => http(endpoint, { batch: true }))) },
    pollingInterval: 2_000,
  });
}
