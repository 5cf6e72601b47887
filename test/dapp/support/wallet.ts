import type { BrowserContext, Page } from "playwright-core";
import { type Address, createWalletClient, type Hex, http, keccak256, numberToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { hardhat } from "viem/chains";

/** How the wallet answers from now on. */
export type Behaviour = {
  /** Refuses whatever it is asked to sign or send, as a person would. */
  rejects?: boolean;
  /** Says that it is on this chain. */
  chainId?: number;
  /** Knows no other chain than the one it is on, and takes none. */
  isFixed?: boolean;
  /** The account that it gives. */
  account?: Address;
  /** Signs with another key than that of the account that it gives. */
  forges?: boolean;
  /** Takes its time, as whoever looks for the button of a device does: it answers when this is false again. */
  holds?: boolean;
  /** Says that it has sent something, and sends something else in its place. */
  replaces?: boolean;
};

export type TestWallet = {
  /** What it was asked, by method. */
  readonly asked: string[];
  /** Messages that it signed, as it was given them. */
  readonly signed: { readonly primaryType: string; readonly message: Record<string, unknown> }[];
  /** Changes how it answers, and tells the page as wallets do. */
  behave(page: Page, behaviour: Behaviour): Promise<void>;
};

type Question = { method: string; params?: readonly unknown[] };

/**
 * A wallet that announces itself to every page of a context (EIP-6963). Its keys stay here: the page has nothing but the
 * provider.
 */
export async function installWallet(
  context: BrowserContext,
  { rpcUrl, chainId, keys }: { rpcUrl: string; chainId: number; keys: readonly Hex[] },
): Promise<TestWallet> {
  const accounts = keys.map((key) => privateKeyToAccount(key));
  const behaviour: Behaviour = {};
  const asked: string[] = [];
  const signed: TestWallet["signed"] = [];
  let isConnected = false;
  const addresses = () => {
    const first = behaviour.account ?? accounts[0]!.address;
    return [first, ...accounts.map(({ address }) => address).filter((address) => address !== first)];
  };
  const accountOf = (address: unknown) =>
    accounts.find((account) => account.address.toLowerCase() === String(address).toLowerCase())!;
  /** Who waits for a wallet that takes its time. */
  const held: (() => void)[] = [];
  const consent = async () => {
    if (behaviour.holds === true) await new Promise<void>((answer) => held.push(answer));
    if (behaviour.rejects === true) throw { code: 4001, message: "User rejected the request." };
  };
  const shownChain = () => numberToHex(behaviour.chainId ?? chainId);

  const answer = async ({ method, params = [] }: Question): Promise<unknown> => {
    asked.push(method);
    switch (method) {
      case "eth_requestAccounts":
        isConnected = true;
        return addresses();
      case "eth_accounts":
        return isConnected ? addresses() : [];
      case "eth_chainId":
        return shownChain();
      case "wallet_switchEthereumChain":
        if (behaviour.rejects === true) throw { code: 4001, message: "User rejected the request." };
        if (behaviour.isFixed === true) throw { code: 4902, message: "Unrecognized chain." };
        behaviour.chainId = Number((params[0] as { chainId: Hex }).chainId);
        return null;
      case "wallet_addEthereumChain":
        throw { code: -32_601, message: "Networks cannot be added here." };
      case "eth_signTypedData_v4": {
        await consent();
        const signer = behaviour.forges === true ? accounts.at(-1)! : accountOf(params[0]);
        const message = JSON.parse(String(params[1]));
        signed.push(message);
        return signer.signTypedData(message);
      }
      case "eth_sendTransaction": {
        await consent();
        const { from, to, data, value } = params[0] as { from: Address; to: Address; data: Hex; value?: Hex };
        const account = accountOf(from);
        const client = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) });
        const transaction = { to, data, value: BigInt(value ?? "0x0") };
        if (behaviour.replaces !== true) return client.sendTransaction(transaction);
        const request = await client.prepareTransactionRequest(transaction);
        const { nonce } = request;
        await client.sendTransaction({ to: accounts.at(-1)!.address, value: 1n, nonce });
        return keccak256(await client.signTransaction(request));
      }
    }
    const response = await fetch(rpcUrl, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as { result?: unknown; error?: unknown };
    if (error !== undefined) throw error;
    return result;
  };

  await context.exposeFunction("askTestWallet", async (question: Question) => {
    try {
      return { result: await answer(question) };
    } catch (error) {
      const {
        code = -32_603,
        message = "failed",
        data,
      } = error as { code?: number; message?: string; data?: unknown };
      return { error: { code, message, data } };
    }
  });
  await context.addInitScript(() => {
    const listeners = new Map<string, Set<(value: unknown) => void>>();
    const world = window as unknown as {
      askTestWallet(
        question: unknown,
      ): Promise<{ result?: unknown; error?: { code: number; message: string } }>;
      tellTestWallet(event: string, value: unknown): void;
    };
    world.tellTestWallet = (event, value) => {
      for (const listener of listeners.get(event) ?? []) listener(value);
    };
    const provider = {
      async request(question: unknown) {
        const { result, error } = await world.askTestWallet(question);
        if (error !== undefined) throw Object.assign(new Error(error.message), error);
        return result;
      },
      on(event: string, listener: (value: unknown) => void) {
        listeners.set(event, (listeners.get(event) ?? new Set()).add(listener));
      },
      removeListener(event: string, listener: (value: unknown) => void) {
        listeners.get(event)?.delete(listener);
      },
    };
    const info = {
      uuid: "0f0e0d0c-0b0a-4908-8706-050403020100",
      name: "Test wallet",
      icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
      rdns: "org.example.test",
    };
    const detail = Object.freeze({ info, provider });
    const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
    window.addEventListener("eip6963:requestProvider", announce);
    announce();
  });

  return {
    asked,
    signed,
    async behave(page, next) {
      Object.assign(behaviour, next);
      if (next.holds === false) for (const answer of held.splice(0)) answer();
      const tell = (event: string, value: unknown) =>
        page.evaluate(
          ([name, what]) =>
            (window as unknown as { tellTestWallet(event: unknown, value: unknown): void }).tellTestWallet(
              name,
              what,
            ),
          [event, value] as const,
        );
      if (next.chainId !== undefined) await tell("chainChanged", shownChain());
      if (next.account !== undefined) await tell("accountsChanged", addresses());
    },
  };
}
