import {
  CallExecutionError,
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
import { findCause } from "./rpc/errors.ts";
import { Failover, type Heads } from "./rpc/failover.ts";
import type { Reading } from "./rpc/gather.ts";
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
  /**
   * Endpoints that must agree before a log, a receipt, a nonce or a refusal is believed; by default more than half of
   * three or more, and 1 of one or two.
   */
  quorum?: number;
  /** Blocks, its own included, after which callers are told what became of a transaction; 1 by default. */
  confirmations?: number;
  /** Blocks that no reorganisation is expected to reach; 64 by default, 1 on the development chain. */
  finality?: number;
  /** Blocks an endpoint may be behind the others; 5 by default. */
  maximumLag?: number;
  clock?: Clock;
  onFailure?: (endpoint: string, error: Error) => void;
};

/** What is believed of a chain, and when. */
export type Trust = { readonly quorum: number; readonly confirmations: number; readonly finality: number };

/** A connection to one chain through one or more RPC endpoints. */
export type ChainClient = {
  readonly chainId: number;
  readonly trust: Trust;
  readonly chain: Chain;
  readonly public: PublicClient<Transport, Chain>;
  /**
   * As `public`, for what strangers cause: duties go first, and what is too much fails with an error whose cause is an
   * `RpcBusyError`.
   */
  readonly strangers: PublicClient<Transport, Chain>;
  /**
   * As `public`, for what a duty is given up for: contracts as a quorum of the endpoints reads them, and at least two where there
   * are two, and of their newest blocks the middle one by time. Fails with an error whose cause is an `InconsistentAnswerError`
   * where they differ, an `RpcUnavailableError` where too few answer. The same as `public` when there is one endpoint.
   */
  readonly confirmed: PublicClient<Transport, Chain>;
  /** A viem wallet client over the same endpoints, for tools; keepers send through a transaction queue. */
  wallet(account: LocalAccount): WalletClient<Transport, Chain, LocalAccount>;
  request(method: string, params?: readonly unknown[]): Promise<unknown>;
  /** What a quorum of endpoints answers alike; throws their refusal, `InconsistentAnswerError`, `RpcUnavailableError`. */
  agreed(method: string, params?: readonly unknown[]): Promise<unknown>;
  /**
   * The highest quantity that a quorum of endpoints says is reached; where that is not plain, that two say is reached, of two or
   * more that answer.
   */
  attested(
    method: string,
    params?: readonly unknown[],
    isPlain?: (value: bigint) => boolean,
  ): Promise<bigint>;
  /** The chain's head, and how much of it is sure where there are two endpoints: what is final is so by that. */
  heads(): Promise<Heads>;
  /** What each endpoint says. */
  poll(method: string, params?: readonly unknown[]): Promise<PromiseSettledResult<unknown>[]>;
  /** What each endpoint says that something of gas is; where they contradict each other slow ones are waited for, and resting ones asked. */
  quotes(method: string, params: readonly unknown[], read: Reading): Promise<PromiseSettledResult<unknown>[]>;
  health(): EndpointHealth[];
};

/** The chain of `assay dev` and of Hardhat: one process makes its blocks, so none of them is ever taken back. */
const developmentChainId = 31_337;
/** Two epochs of Ethereum's proof of stake, after which its blocks are final; layer 2 chains stop long before. */
const usualFinality = 64;

/** How many of some endpoints are believed: a majority where there is one that could be outvoted. */
export function usualQuorum(endpoints: number): number {
  return endpoints < 3 ? 1 : Math.floor(endpoints / 2) + 1;
}

function trustOf(
  { chainId, quorum, confirmations = 1, finality }: ChainClientOptions,
  endpoints: number,
): Trust {
  const depth = finality ?? (chainId === developmentChainId ? 1 : usualFinality);
  return {
    quorum: quorum ?? usualQuorum(endpoints),
    confirmations,
    finality: Math.max(depth, confirmations),
  };
}

type Reader = PublicClient<Transport, Chain>;

/**
 * As `usual`, but a contract's answer that is none by its ABI, which one endpoint alone can give for the newest block, is asked
 * for again as they agree on it.
 */
function readingAgain(usual: Reader, confirmed: Reader): Reader {
  const readContract = async (parameters: Parameters<Reader["readContract"]>[0]): Promise<unknown> => {
    try {
      return await usual.readContract(parameters);
    } catch (error) {
      // Whatever comes from the endpoints, a refusal too, is wrapped in this; the rest is what could not be decoded.
      if (findCause(error, CallExecutionError) !== undefined) throw error;
      return await confirmed.readContract(parameters);
    }
  };
  return usual.extend(() => ({ readContract }) as Pick<Reader, "readContract">);
}

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
  const trust = trustOf(options, endpoints.length);
  const { quorum } = trust;
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
  const transportOf = (request: Failover["request"]) =>
    custom({ request }, { retryCount: 0, key: "failover", name: "failover" });
  const reading = (request: Failover["request"]) =>
    createPublicClient({ chain, transport: transportOf(request), cacheTime: 0 });
  const transport = transportOf((request) => failover.request(request));
  const readersOf = (source: Failover) => {
    const usual = reading((request) => source.request(request));
    if (!source.hasWitnesses) return { usual, confirmed: usual };
    const confirmed = reading((request) => source.confirmed(request));
    return { usual: readingAgain(usual, confirmed), confirmed };
  };
  const { usual, confirmed } = readersOf(failover);
  return {
    chainId,
    trust,
    chain,
    public: usual,
    confirmed,
    strangers: readersOf(failover.forStrangers()).usual,
    wallet: (account) => createWalletClient({ account, chain, transport }),
    request: (method, params = []) => failover.request({ method, params }),
    agreed: (method, params = []) => failover.agreed({ method, params }),
    attested: (method, params = [], isPlain) => failover.attested({ method, params }, isPlain),
    heads: () => failover.heads(),
    poll: (method, params = []) => failover.poll({ method, params }),
    quotes: (method, params, read) => failover.quotes({ method, params }, read),
    health: () => failover.health(),
  };
}
