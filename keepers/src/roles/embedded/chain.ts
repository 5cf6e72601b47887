import hre from "hardhat";
import { type Address, createTestClient, type Hex, http, publicActions, toHex } from "viem";
import { type HDAccount, mnemonicToAccount } from "viem/accounts";
import { hardhat } from "viem/chains";

/** Hardhat's published development mnemonic: its keys are known to everyone and hold value on no network. */
const developmentMnemonic = "test test test test test test test test test test test junk";

/** The embedded chain funds this many accounts of the development mnemonic: `embedded` of hardhat.config.ts says so too. */
export const developmentAccounts = 64;

export type EmbeddedChain = {
  rpcUrl: string;
  chainId: number;
  /** Funded account number `index` of the development mnemonic. */
  account(index: number): HDAccount;
  privateKey(index: number): Hex;
  /** Moves the chain's clock forward and mines a block at the new time. */
  advance(seconds: number): Promise<void>;
  /** Timestamp of the latest block, seconds. */
  now(): Promise<number>;
  balanceOf(address: Address): Promise<bigint>;
  close(): Promise<void>;
};

export type EmbeddedChainOptions = {
  /** 0 picks a free port. */
  port?: number;
  /** Milliseconds between blocks when nothing happens, so that time passes on chain too. */
  blockInterval?: number;
};

/**
 * Starts an Ethereum node in this process (Hardhat's EDR, Cancun rules and later) and serves it as JSON-RPC on the
 * loopback interface: keepers, clients and wallets talk to it as to any other node.
 */
export async function startEmbeddedChain({
  port = 0,
  blockInterval = 1000,
}: EmbeddedChainOptions = {}): Promise<EmbeddedChain> {
  const server = await hre.network.createServer(
    { network: "embedded", override: { mining: { auto: true, interval: blockInterval } } },
    "127.0.0.1",
    port,
  );
  const { port: bound } = await server.listen();
  const rpcUrl = `http://127.0.0.1:${bound}`;
  const client = createTestClient({ mode: "hardhat", chain: hardhat, transport: http(rpcUrl) }).extend(
    publicActions,
  );
  return {
    rpcUrl,
    chainId: await client.getChainId(),
    account: (index) => mnemonicToAccount(developmentMnemonic, { addressIndex: index }),
    privateKey: (index) => {
      const { privateKey } = mnemonicToAccount(developmentMnemonic, { addressIndex: index }).getHdKey();
      if (privateKey === null) throw new Error("a development account without a private key");
      return toHex(privateKey);
    },
    advance: async (seconds) => {
      await client.increaseTime({ seconds });
      // Not hardhat_mine: its blocks name no parent, and followers rightly stop at them.
      await client.request({ method: "evm_mine", params: undefined } as never);
    },
    now: async () => Number((await client.getBlock({ blockTag: "latest" })).timestamp),
    balanceOf: (address) => client.getBalance({ address }),
    close: () => server.close(),
  };
}
