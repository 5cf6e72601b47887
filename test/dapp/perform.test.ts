import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestClient, custom, type Hex, http, publicActions, walletActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { hardhat } from "viem/chains";
import { type Config, createConfig, createConnector } from "wagmi";
import { connect } from "wagmi/actions";
import { type Outcome, send, sign } from "../../dapp/src/act/perform.ts";
import type { Deployment } from "../../keepers/src/chain/deployment-format.ts";
import { startEmbeddedChain } from "../../keepers/src/roles/embedded/chain.ts";

const market = "0x00000000000000000000000000000000000000a1";
const deployment = { chainId: hardhat.id, addresses: { Market: market } } as unknown as Deployment;

type Question = { method: string; params?: unknown[] };

/** A configuration whose wallet is an account of the chain, which signs whatever it is asked to. */
async function withWallet(rpcUrl: string, key: Hex) {
  const account = privateKeyToAccount(key);
  const client = createTestClient({ account, mode: "hardhat", chain: hardhat, transport: http(rpcUrl) })
    .extend(publicActions)
    .extend(walletActions);
  const asked: string[] = [];
  const provider = {
    async request({ method, params = [] }: Question): Promise<unknown> {
      asked.push(method);
      if (method === "eth_chainId") return `0x${hardhat.id.toString(16)}`;
      if (method === "eth_accounts" || method === "eth_requestAccounts") return [account.address];
      if (method === "eth_signTypedData_v4") return account.signTypedData(JSON.parse(String(params[1])));
      if (method === "eth_sendTransaction") {
        const { to, value, data } = params[0] as { to: Hex; value?: Hex; data?: Hex };
        return client.sendTransaction({ to, value: BigInt(value ?? "0x0"), data, gas: 30_000n });
      }
      return client.request({ method, params } as never);
    },
  };
  /** Who waits for a transaction to have been looked at: until then nobody could tell what replaced it. */
  let seen = () => {};
  const read = async (question: Question): Promise<unknown> => {
    const result = await client.request(question as never);
    if (question.method === "eth_getTransactionByHash" && result !== null) seen();
    return result;
  };
  const isSeen = () =>
    new Promise<void>((resolve) => {
      seen = resolve;
    });
  const connector = createConnector(() => ({
    id: "test",
    name: "Test wallet",
    type: "test",
    connect: async () => ({ accounts: [account.address], chainId: hardhat.id }) as never,
    disconnect: async () => {},
    getAccounts: async () => [account.address],
    getChainId: async () => hardhat.id,
    getProvider: async () => provider,
    isAuthorized: async () => true,
    onAccountsChanged: () => {},
    onChainChanged: () => {},
    onDisconnect: () => {},
  }));
  const config: Config = createConfig({
    chains: [hardhat],
    connectors: [connector],
    transports: { [hardhat.id]: custom({ request: (asks) => read(asks as Question) }, { retryCount: 0 }) },
    pollingInterval: 100,
    storage: null,
  });
  await connect(config, { connector: config.connectors[0]! });
  return { config, client, account, asked, isSeen };
}

describe("what is asked of a wallet", () => {
  it("signs no message for another chain or contract", async () => {
    const chain = await startEmbeddedChain();
    try {
      const { config, account, asked } = await withWallet(chain.rpcUrl, chain.privateKey(1));
      const parts = { config, deployment, account: account.address };
      const message = (domain: object) => ({
        domain,
        types: { Order: [{ name: "nonce", type: "uint256" }] },
        primaryType: "Order",
        message: { nonce: 1n },
      });
      const step = (domain: object, take = () => {}) => ({
        kind: "sign" as const,
        title: "",
        words: [],
        message: async () => message(domain),
        take,
      });
      for (const domain of [
        { name: "Assay Market", chainId: 1, verifyingContract: market },
        { name: "Assay Market", chainId: hardhat.id, verifyingContract: account.address },
        { name: "Assay Market", chainId: hardhat.id },
        {},
      ]) {
        await assert.rejects(sign(parts, step(domain)), /for another chain or contract/);
      }
      assert.ok(!asked.includes("eth_signTypedData_v4"));
      let isTaken = false;
      const own = { name: "Assay Market", chainId: hardhat.id, verifyingContract: market } as const;
      await sign(
        parts,
        step(own, () => {
          isTaken = true;
        }),
      );
      assert.ok(isTaken);
    } finally {
      await chain.close();
    }
  });

  it("tells a transaction that was done from one that was replaced, cancelled or sped up", async () => {
    const chain = await startEmbeddedChain({ blockInterval: 1_000_000 });
    try {
      const { config, client, account, isSeen } = await withWallet(chain.rpcUrl, chain.privateKey(1));
      const parts = { config, deployment, account: account.address };
      const step = (to: Hex) => ({
        kind: "send" as const,
        title: "",
        words: [],
        call: async () => ({ to, data: "0x" as Hex, value: 1n }),
      });
      const other = chain.account(2).address;
      const done = await send(parts, step(other), () => {});
      assert.equal(done.kind, "done");
      await client.setAutomine(false);
      const replacedBy = async (replacement: { to: Hex; value: bigint }): Promise<Outcome> => {
        const nonce = await client.getTransactionCount({ address: account.address, blockTag: "latest" });
        return send(parts, step(other), () => {
          void isSeen()
            .then(() => client.sendTransaction({ ...replacement, nonce, gas: 30_000n, gasPrice: 10n ** 12n }))
            .then(() => client.mine({ blocks: 1 }));
        });
      };
      assert.equal((await replacedBy({ to: account.address, value: 0n })).kind, "cancelled");
      assert.equal((await replacedBy({ to: chain.account(3).address, value: 5n })).kind, "replaced");
      assert.equal((await replacedBy({ to: other, value: 1n })).kind, "sped up");
    } finally {
      await chain.close();
    }
  });
});
