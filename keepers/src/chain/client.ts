import {
  type Chain,
  createPublicClient,
  createWalletClient,
  custom,
  defineChain,
  type LocalAccount,
  type PublicClient,
  type Transport,
  type WalletClient,
} from "viem";
import { AssayError, exitCode } from "../core/errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Eip1193, type Endpoint, httpEndpoint, providerEndpoint } from "./rpc/endpoint.ts";
import { Failover } from "./rpc/failover.ts";
import type { EndpointHealth } from "./rpc/health.ts";

export type ChainClientOptions = {
  chainId: number;
  /** URLs of RPC endpoints, best first. */
  urls?: readonly string[];
  /** An EIP-1193 provider, such as an embedded chain's, asked before the URLs. */
  provider?: Eip1193;
  /** Endpoints of another kind. */
  endpoints?: readonly Endpoint[];
  /** For one request to one endpoint, in milliseconds; 15 seconds by default. */
  timeout?: number;
  /** Per endpoint; 50 by default for URLs, unlimited when all endpoints are in-process. */
  requestsPerSecond?: number;
  /** Endpoints that must agree on logs and receipts; 1 by default. */
  quorum?: number;
  /** Blocks an endpoint may be behind the others; 5 by default. */
  maximumLag?: number;
  clock?: Clock;
  onFailure?: (endpoint: string, error: Error) => void;
};

/** A connection to one chain through one or more RPC endpoints. */
export type ChainClient = {
  readonly chainId: number;
  readonly chain: Chain;
  readonly public: PublicClient<Transport, Chain>;
  /** A viem wallet client over the same endpoints, for tools; keepers send through a transaction queue. */
  wallet(account: LocalAccount): WalletClient<Transport, Chain, LocalAccount>;
  request(method: string, params?: readonly unknown[]): Promise<unknown>;
  health(): EndpointHealth[];
};

/**
 * Connects to a chain: checks that at least one endpoint serves `chainId`, never uses those that do not.
 * Throws `WrongChainError` or `RpcUnavailableError`.
 */
export async function connectChain(options: ChainClientOptions): Promise<ChainClient> {
  const { chainId, urls = [], provider, clock = systemClock } = options;
  const endpoints = [
    ...(provider === undefined ? [] : [providerEndpoint(provider)]),
    ...(options.endpoints ?? []),
    ...urls.map((url) => httpEndpoint(url)),
  ];
  const quorum = options.quorum ?? 1;
  if (endpoints.length < Math.max(1, quorum)) {
    throw new AssayError(`${endpoints.length} RPC endpoints are configured, ${Math.max(1, quorum)} needed`, {
      exitCode: exitCode.configuration,
      next: "configure at least one RPC URL of the chain, and as many as the quorum asks for",
    });
  }
  const failover = new Failover({
    chainId,
    endpoints,
    clock,
    timeout: options.timeout ?? 15_000,
    requestsPerSecond: options.requestsPerSecond ?? (urls.length > 0 ? 50 : 1e6),
    quorum,
    maximumLag: BigInt(options.maximumLag ?? 5),
    onFailure: options.onFailure,
  });
  await failover.connect();

  const chain = defineChain({
    id: chainId,
    name: `chain ${chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [] } },
  });
  // Failover retries; viem's own retries would only multiply the waiting.
  const transport = custom(
    { request: (request) => failover.request(request) },
    { retryCount: 0, key: "failover", name: "failover" },
  );
  return {
    chainId,
    chain,
    public: createPublicClient({ chain, transport, cacheTime: 0 }),
    wallet: (account) => createWalletClient({ account, chain, transport }),
    request: (method, params = []) => failover.request({ method, params }),
    health: () => failover.health(),
  };
}
