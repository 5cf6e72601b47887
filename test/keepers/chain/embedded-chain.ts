import { network } from "hardhat";
import {
  type Address,
  concat,
  createWalletClient,
  custom,
  encodeErrorResult,
  type Hex,
  pad,
  toHex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { stakingAbi } from "../../../keepers/src/chain/abi/staking.ts";
import { type ChainClient, connectChain } from "../../../keepers/src/chain/client.ts";
import type { Eip1193 } from "../../../keepers/src/chain/rpc/endpoint.ts";

/** Accounts that the embedded network funds; their keys are public knowledge. */
export const accounts = [
  privateKeyToAccount("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
  privateKeyToAccount("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
] as const;

/**
 * A contract in bytes: until the time in the first word of its call data it logs nothing but that it was called;
 * from then on it reverts with the rest of its call data.
 */
const untilBytecode = "0x601c600c600039601c6000f34260003511601557602036038060206000376000fd5b60006000a000";
/** A contract in bytes: emits a log with three topics and one word of data, taken from its call data. */
const emitterBytecode = "0x6016600c60003960166000f36020606060003760403560203560003560206000a300";

export type EmbeddedChain = {
  provider: Eip1193;
  client: ChainClient;
  rpc(method: string, params?: readonly unknown[]): Promise<unknown>;
  /** Mines blocks. */
  mine(blocks?: number): Promise<void>;
  deploy(bytecode: "until" | "emitter"): Promise<Address>;
  close(): Promise<void>;
};

/** A fresh in-process chain that mines only when it is told to, unless `automine`. */
export async function startEmbeddedChain({ automine = false } = {}): Promise<EmbeddedChain> {
  const connection = await network.connect("embedded");
  const provider = connection.provider as unknown as Eip1193;
  const rpc = (method: string, params: readonly unknown[] = []) =>
    provider.request({ method, params } as unknown as { method: string });
  const client = await connectChain({ chainId: 31337, provider });
  const deployer = createWalletClient({
    account: accounts[1],
    chain: client.chain,
    transport: custom({ request: ({ method, params }) => rpc(method, params) }),
  });
  await rpc("evm_setAutomine", [automine]);
  // Not hardhat_mine: the blocks that it makes up do not name their parents by hash.
  const mine = async (blocks = 1) => {
    for (let i = 0; i < blocks; i++) await rpc("evm_mine");
  };
  return {
    provider,
    client,
    rpc,
    mine,
    async deploy(name) {
      const data = (name === "until" ? untilBytecode : emitterBytecode) as Hex;
      const hash = await deployer.sendTransaction({ data, gas: 200_000n });
      if (!automine) await mine();
      return (await client.public.getTransactionReceipt({ hash })).contractAddress!;
    },
    close: () => connection.close(),
  };
}

/** The error with which the `until` contract refuses late calls: the test decides, the contract only echoes it. */
const lateError = encodeErrorResult({
  abi: stakingAbi,
  errorName: "TicketNotRipe",
  args: [7n, 1_700_000_000n],
});

/** A call of the `until` contract that is refused from `deadline` (Unix seconds) on. */
export const untilCall = (deadline: bigint): Hex => concat([pad(toHex(deadline)), lateError]);
