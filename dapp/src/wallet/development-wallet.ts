import { type Address, type EIP1193Provider, type Hex, hexToBigInt, numberToHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { mayHoldKeys, type Network } from "../network/network-file.ts";
import { developmentWalletName } from "./development-context.ts";

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%2396690a'/%3E%3Cpath d='M8 12h16v10H8z' fill='%23fff'/%3E%3C/svg%3E";

type Listener = (value: never) => void;
type Request = { readonly method: string; readonly params?: readonly unknown[] };
type Sent = { from: Address; to?: Address; data?: Hex; value?: Hex; gas?: Hex };

/** An error with a code of EIP-1193 or EIP-1474. */
class ProviderError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * A wallet in the page, for the embedded network alone: its keys are known to everybody. It signs without asking, because the
 * page has just shown what is signed.
 *
 * @throws Error anywhere else, so that no key is ever used on a chain where it could be worth something
 */
export function createDevelopmentWallet(network: Network, pageHost: string) {
  if (!mayHoldKeys(network, pageHost)) throw new Error("there is no development wallet on this network");
  const accounts = network.accounts.map(({ name, privateKey }) => ({
    name,
    account: privateKeyToAccount(privateKey),
  }));
  const [endpoint] = network.rpc;
  const listeners = new Map<string, Set<Listener>>();
  const emit = (event: string, value: unknown) => {
    for (const listener of listeners.get(event) ?? []) listener(value as never);
  };
  const chainId = numberToHex(network.deployment.chainId);
  /** The chosen account comes first, as wallets have it. */
  let chosen = 0;
  let isConnected = false;
  const addresses = () =>
    [accounts[chosen]!, ...accounts.filter((_, at) => at !== chosen)].map((each) => each.account.address);

  const rpc = async (method: string, params: readonly unknown[] = []): Promise<unknown> => {
    const response = await fetch(endpoint!, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as {
      result?: unknown;
      error?: { code: number; message: string; data?: unknown };
    };
    if (error !== undefined)
      throw Object.assign(new ProviderError(error.code, error.message), { data: error.data });
    return result;
  };
  const accountOf = (address: unknown): PrivateKeyAccount => {
    const found = accounts.find(
      ({ account }) => account.address.toLowerCase() === String(address).toLowerCase(),
    );
    if (found === undefined) throw new ProviderError(4100, `the wallet has no account ${String(address)}`);
    return found.account;
  };
  const send = async ({ from, to, data = "0x", value = "0x0", gas }: Sent) => {
    const account = accountOf(from);
    // The chain itself is asked, not the network file: keys sign for no other.
    const actual = await rpc("eth_chainId");
    if (actual !== chainId) throw new ProviderError(4901, `the endpoint serves chain ${String(actual)}`);
    const [nonce, gasPrice, estimate] = await Promise.all([
      rpc("eth_getTransactionCount", [from, "pending"]),
      rpc("eth_gasPrice"),
      gas ?? rpc("eth_estimateGas", [{ from, to, data, value }]),
    ]);
    const price = 2n * hexToBigInt(gasPrice as Hex);
    const signed = await account.signTransaction({
      type: "eip1559",
      chainId: network.deployment.chainId,
      nonce: Number(nonce),
      to,
      data,
      value: hexToBigInt(value),
      gas: hexToBigInt(estimate as Hex),
      maxFeePerGas: price,
      maxPriorityFeePerGas: 0n,
    });
    return rpc("eth_sendRawTransaction", [signed]);
  };

  const provider = {
    async request({ method, params = [] }: Request): Promise<unknown> {
      switch (method) {
        case "eth_requestAccounts":
        case "wallet_requestPermissions":
          isConnected = true;
          return method === "eth_requestAccounts" ? addresses() : [{ parentCapability: "eth_accounts" }];
        case "eth_accounts":
          return isConnected ? addresses() : [];
        case "wallet_revokePermissions":
          isConnected = false;
          return null;
        case "eth_chainId":
          return chainId;
        case "wallet_switchEthereumChain":
          if ((params[0] as { chainId?: string } | undefined)?.chainId === chainId) return null;
          throw new ProviderError(4902, "the development wallet knows the embedded network alone");
        case "eth_sendTransaction":
          return send(params[0] as Sent);
        case "eth_signTypedData_v4": {
          const typed = JSON.parse(String(params[1])) as Parameters<PrivateKeyAccount["signTypedData"]>[0];
          return accountOf(params[0]).signTypedData(typed);
        }
        case "personal_sign":
          return accountOf(params[1]).signMessage({ message: { raw: params[0] as Hex } });
      }
      if (method.startsWith("eth_sign") || method.startsWith("wallet_"))
        throw new ProviderError(4200, `the development wallet does not know ${method}`);
      return rpc(method, params);
    },
    on(event: string, listener: Listener) {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
    },
    removeListener(event: string, listener: Listener) {
      listeners.get(event)?.delete(listener);
    },
  };

  return {
    provider: provider as unknown as EIP1193Provider,
    /** Its accounts, by their names. */
    accounts: accounts.map(({ name, account }) => ({ name, address: account.address })),
    /** Moves the embedded chain's clock forward, so that nobody has to sit through its windows. */
    async advance(seconds: number): Promise<void> {
      await rpc("evm_increaseTime", [seconds]);
      await rpc("evm_mine");
    },
    /** Makes another account the one that pages use. */
    choose(address: Address): void {
      chosen = accounts.findIndex(({ account }) => account.address === address);
      emit("accountsChanged", addresses());
    },
  };
}

export type DevelopmentWallet = ReturnType<typeof createDevelopmentWallet>;

/** Announces a wallet to the page, as EIP-6963 says. */
export function announce(wallet: DevelopmentWallet): void {
  const detail = Object.freeze({
    info: { uuid: crypto.randomUUID(), name: developmentWalletName, icon, rdns: "org.assay.development" },
    provider: wallet.provider,
  });
  const say = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", say);
  say();
}
