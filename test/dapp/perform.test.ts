import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestClient, custom, type Hex, http, keccak256, publicActions, walletActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { hardhat } from "viem/chains";
import { type Config, createConfig, createConnector } from "wagmi";
import { connect } from "wagmi/actions";
import { type Outcome, waitFor } from "../../dapp/src/act/outcome.ts";
import { send, sign } from "../../dapp/src/act/perform.ts";
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
  /** What was signed and not sent, and by how much its numbers are ahead of the next free one. */
  const kept: Hex[] = [];
  let numbersAhead: number | undefined;
  const provider = {
    async request({ method, params = [] }: Question): Promise<unknown> {
      asked.push(method);
      if (method === "eth_chainId") return `0x${hardhat.id.toString(16)}`;
      if (method === "eth_accounts" || method === "eth_requestAccounts") return [account.address];
      if (method === "eth_signTypedData_v4") return account.signTypedData(JSON.parse(String(params[1])));
      if (method === "eth_sendTransaction") {
        const { to, value, data } = params[0] as { to: Hex; value?: Hex; data?: Hex };
        const transaction = { to, value: BigInt(value ?? "0x0"), data, gas: 30_000n };
        if (numbersAhead === undefined) return client.sendTransaction(transaction);
        const request = await client.prepareTransactionRequest(transaction);
        kept.push(await client.signTransaction({ ...request, nonce: request.nonce + numbersAhead }));
        return keccak256(kept.at(-1)!);
      }
      return client.request({ method, params } as never);
    },
  };
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
    transports: {
      [hardhat.id]: custom({ request: (asks) => client.request(asks as never) }, { retryCount: 0 }),
    },
    pollingInterval: 100,
    storage: null,
  });
  await connect(config, { connector: config.connectors[0]! });
  /** From now on the wallet says that it sends, and sends nothing. */
  const keepToItself = (ahead = 0) => {
    numbersAhead = ahead;
  };
  return { config, client, account, asked, kept, keepToItself };
}

/** A transaction that moves one wei. */
function stepTo(to: Hex) {
  return {
    kind: "send" as const,
    title: "",
    words: [],
    call: async () => ({ to, data: "0x" as Hex, value: 1n }),
  };
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
      const { config, client, account } = await withWallet(chain.rpcUrl, chain.privateKey(1));
      const parts = { config, deployment, account: account.address };
      const other = chain.account(2).address;
      const done = await send(parts, stepTo(other));
      assert.equal((await waitFor(done.lookout, 100)).kind, "done");
      await client.setAutomine(false);
      const replacedBy = async (replacement: { to: Hex; value: bigint }): Promise<Outcome> => {
        const nonce = await client.getTransactionCount({ address: account.address, blockTag: "latest" });
        const { lookout } = await send(parts, stepTo(other));
        assert.equal(await lookout.look(), undefined);
        await client.sendTransaction({ ...replacement, nonce, gas: 30_000n, gasPrice: 10n ** 12n });
        await client.mine({ blocks: 1 });
        return waitFor(lookout, 100);
      };
      assert.equal((await replacedBy({ to: account.address, value: 0n })).kind, "cancelled");
      assert.equal((await replacedBy({ to: chain.account(3).address, value: 5n })).kind, "replaced");
      assert.equal((await replacedBy({ to: other, value: 1n })).kind, "sped up");
    } finally {
      await chain.close();
    }
  });

  it("finds what took the place of a transaction that no endpoint has ever seen", async () => {
    const chain = await startEmbeddedChain({ blockInterval: 1_000_000 });
    try {
      const wallet = await withWallet(chain.rpcUrl, chain.privateKey(1));
      const { config, client, account } = wallet;
      const parts = { config, deployment, account: account.address };
      const other = chain.account(2).address;
      wallet.keepToItself();
      const unseen = async (replacement: { to: Hex; value: bigint }) => {
        const { lookout } = await send(parts, stepTo(other));
        assert.equal(await lookout.look(), undefined);
        // Blocks in which nothing of the account's happens.
        await client.mine({ blocks: 3 });
        assert.equal(await lookout.look(), undefined);
        const hash = await client.sendTransaction({ ...replacement, gas: 30_000n });
        return { outcome: await waitFor(lookout, 100), hash };
      };
      const cancelled = await unseen({ to: account.address, value: 0n });
      assert.deepEqual(cancelled.outcome, { kind: "cancelled", hash: cancelled.hash });
      const spedUp = await unseen({ to: other, value: 1n });
      assert.deepEqual(spedUp.outcome, { kind: "sped up", hash: spedUp.hash });
      const replaced = await unseen({ to: chain.account(3).address, value: 5n });
      assert.deepEqual(replaced.outcome, { kind: "passed over", hash: replaced.hash });
    } finally {
      await chain.close();
    }
  });

  it("finds a transaction that came after all, when it looks again", async () => {
    const chain = await startEmbeddedChain({ blockInterval: 1_000_000 });
    try {
      const wallet = await withWallet(chain.rpcUrl, chain.privateKey(1));
      const { config, client, account } = wallet;
      const parts = { config, deployment, account: account.address };
      // The wallet has another one in hand, which it numbers before this one.
      wallet.keepToItself(1);
      const { hash, lookout } = await send(parts, stepTo(chain.account(2).address));
      await client.sendTransaction({ to: chain.account(3).address, value: 5n, gas: 30_000n });
      assert.equal((await waitFor(lookout, 100)).kind, "passed over");
      await client.sendRawTransaction({ serializedTransaction: wallet.kept.at(-1)! });
      assert.deepEqual(await lookout.look(), { kind: "done", hash });
    } finally {
      await chain.close();
    }
  });
});
