import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { LocalAccount } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { resolveAccount } from "../chain/account.ts";
import { type ChainClient, connectChain } from "../chain/client.ts";
import { type Contracts, connectContracts } from "../chain/contracts.ts";
import { type Deployment, readDeployment } from "../chain/deployment.ts";
import { isLocalChain } from "../chain/local-chains.ts";
import { httpEndpoint } from "../chain/rpc/endpoint.ts";
import { createTransactionQueue, type TransactionQueue } from "../chain/transactions/queue.ts";
import { transactionSchema } from "../chain/transactions/store.ts";
import { createStorageClient, type StorageClient, type StorageWriter } from "../storage/client/client.ts";
import { openState } from "../storage/state/state.ts";
import { createHost } from "../storage/transport/host.ts";
import { ConfigurationError } from "./errors.ts";
import { Output, type Streams } from "./output.ts";
import {
  type DevNetwork,
  defaultKeyName,
  type GlobalOptions,
  readDevNetwork,
  rpcUrls,
  secretsOf,
  type TrustSettings,
} from "./settings.ts";

/** What the process gives the command. */
export type Environment = {
  env: Readonly<Record<string, string | undefined>>;
  /** Folder the user is in: relative paths start there. */
  cwd: string;
  streams: Streams;
  /** Fires when the user interrupts. */
  signal: AbortSignal;
};

/** A network as the command uses it: connected, and known to be the one of the deployment. */
export type Network = { chain: ChainClient; deployment: Deployment; contracts: Contracts };

/** Everything a command may need; what it does not ask for is never opened. */
export class CommandContext {
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly env: Environment["env"];
  /** Folder of local state. */
  readonly home: string;
  /** Whom to believe of the chain, and when. */
  trust: TrustSettings;
  readonly #cwd: string;
  readonly #options: GlobalOptions;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #dev: { network: DevNetwork | undefined } | undefined;
  #network: Promise<Network> | undefined;
  #account: Promise<LocalAccount> | undefined;

  constructor({ env, cwd, streams, signal }: Environment, options: GlobalOptions) {
    this.env = env;
    this.signal = signal;
    this.#cwd = cwd;
    this.#options = options;
    this.output = new Output(streams, { json: options.json === true, verbose: options.verbose === true });
    this.home = this.path(options.home);
    this.trust = options;
    for (const secret of [env.ASSAY_PRIVATE_KEY, options.rpc])
      if (secret !== undefined) this.output.hide(secret);
  }

  /** A path as the user wrote it, seen from the user's folder. */
  path(text: string): string {
    return resolve(this.#cwd, text);
  }

  /** File that holds the password of keystores; undefined when the user named none. */
  passwordFile(): string | undefined {
    const file = this.env.ASSAY_PASSWORD_FILE;
    return file === undefined ? undefined : this.path(file);
  }

  /** Runs when the command ends, whatever its outcome; last come, first served. */
  onClose(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.output.detail(`closing failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  /** The development network of this folder, unless the user named another one. */
  dev(): DevNetwork | undefined {
    if (this.#options.rpc !== undefined) return undefined;
    this.#dev ??= { network: readDevNetwork(this.home) };
    return this.#dev.network;
  }

  /** @throws ConfigurationError, WrongChainError, RpcUnavailableError */
  network(): Promise<Network> {
    this.#network ??= this.#connect();
    return this.#network;
  }

  /** The account that acts. @throws ConfigurationError when none is named, KeystoreError */
  account(): Promise<LocalAccount> {
    this.#account ??= this.#openAccount();
    return this.#account;
  }

  /** Whether some account is named, so that `account` would not throw for want of one. */
  hasAccount(): boolean {
    const { env } = this;
    const named = [this.#options.keystore, env.ASSAY_PRIVATE_KEY, env.ASSAY_KEYSTORE].some(
      (it) => it !== undefined,
    );
    return named || this.dev() !== undefined || existsSync(keystorePath(this.home, defaultKeyName));
  }

  /** Where this chain's local state lies: a chain that was started anew has another first block. */
  async stateFolder(): Promise<string> {
    const { chain, deployment } = await this.network();
    const { hash } = await chain.public.getBlock({ blockNumber: deployment.startBlock });
    return join(this.home, "client", `${deployment.chainId}-${hash.slice(2, 10)}`);
  }

  /** Whether keepers are dialled at private addresses, too. */
  usesLocalNetwork({ chainId }: Pick<Deployment, "chainId">): boolean {
    return this.#options.localNetwork === true || isLocalChain(chainId);
  }

  /** A client that only reads. */
  async storageClient(): Promise<StorageClient> {
    const { chain, deployment } = await this.network();
    const host = await createHost({ localNetwork: this.usesLocalNetwork(deployment) });
    this.onClose(() => host.stop());
    const client = createStorageClient({ chain, deployment, host });
    this.onClose(() => client.peers.close());
    return client;
  }

  /** A client that acts for the account. */
  async storageWriter(): Promise<StorageWriter> {
    const account = await this.account();
    return { ...(await this.storageClient()), account, queue: await this.queue() };
  }

  /** The transactions of the account. */
  async queue(): Promise<TransactionQueue> {
    const [{ chain }, account, folder] = await Promise.all([
      this.network(),
      this.account(),
      this.stateFolder(),
    ]);
    const state = openState({ path: join(folder, "transactions.sqlite"), schemas: [transactionSchema] });
    this.onClose(() => state.close());
    const pollInterval = this.dev() === undefined ? 1_000 : 100;
    return createTransactionQueue({ client: chain, state, account, pollInterval });
  }

  async #connect(): Promise<Network> {
    const urls = this.#urls();
    for (const url of urls) for (const secret of secretsOf(url)) this.output.hide(secret);
    const chainId = await askChainId(urls, this.signal);
    const file = this.#deploymentFile();
    const deployment = readDeployment({ chainId, file, folder: join(this.home, "deployments") });
    const { rpcQuorum, confirmations, finality } = this.trust;
    const chain = await connectChain({ chainId, urls, quorum: rpcQuorum, confirmations, finality });
    return { chain, deployment, contracts: connectContracts(chain.public, deployment) };
  }

  #urls(): string[] {
    if (this.#options.rpc !== undefined) return rpcUrls(this.#options.rpc);
    const dev = this.dev();
    if (dev !== undefined) return [dev.rpcUrl];
    throw new ConfigurationError("no chain is configured", {
      next: "Start one with `assay dev`, or set --rpc or ASSAY_RPC_URL.",
    });
  }

  #deploymentFile(): string | undefined {
    const { deployment } = this.#options;
    return deployment === undefined ? this.dev()?.deployment : this.path(deployment);
  }

  async #openAccount(): Promise<LocalAccount> {
    const { env } = this;
    const onSecret = (secret: string) => this.output.hide(secret);
    const passwordFile = this.passwordFile();
    const named = this.#options.keystore === undefined ? undefined : this.path(this.#options.keystore);
    const configured =
      named !== undefined || env.ASSAY_PRIVATE_KEY !== undefined || env.ASSAY_KEYSTORE !== undefined;
    if (configured) return resolveAccount({ keystore: named, passwordFile, env, onSecret });
    const first = this.dev()?.accounts[0];
    if (first !== undefined) return privateKeyToAccount(first.privateKey);
    const own = keystorePath(this.home, defaultKeyName);
    if (existsSync(own)) return resolveAccount({ keystore: own, passwordFile, env, onSecret });
    throw new ConfigurationError("no account is configured", {
      next: "Make one with `assay account new`, or set --keystore, ASSAY_KEYSTORE or ASSAY_PRIVATE_KEY.",
    });
  }
}

/** Where a key of this folder lies. */
export function keystorePath(home: string, name: string): string {
  return join(home, "keys", `${name}.json`);
}

async function askChainId(urls: readonly string[], signal: AbortSignal): Promise<number> {
  let failure: unknown;
  for (const url of urls) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(15_000)]);
      return Number(await httpEndpoint(url).request({ method: "eth_chainId" }, limit));
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}
