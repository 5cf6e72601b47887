import { type Address, decodeFunctionData, type Hex } from "viem";
import { abis } from "../../chain/abi/index.ts";
import type { ChainClient } from "../../chain/client.ts";
import type { DeployedName, Deployment } from "../../chain/deployment.ts";
import { moveAbi } from "../../training/dispute/abi.ts";

/** A transaction that was mined. */
export type SentTransaction = {
  /** Who sent it, by the name that was given. */
  readonly from: string;
  /** Contract and function: "Market.accept"; for a move of a dispute the move's own: "DisputeGame.play nameStep". */
  readonly call: string;
  readonly gas: number;
  /** Whether the chain took its effects back: usually somebody else was faster with the same call. */
  readonly reverted: boolean;
};

/** Every transaction of some accounts to the network's contracts, from a block on, in the chain's order. */
export async function sentTransactions(
  client: ChainClient,
  deployment: Deployment,
  { senders, fromBlock }: { senders: ReadonlyMap<Address, string>; fromBlock: bigint },
): Promise<SentTransaction[]> {
  const nameOf = new Map([...senders].map(([address, name]) => [address.toLowerCase(), name]));
  const contractAt = new Map(
    Object.entries(deployment.addresses).map(([name, address]) => [address.toLowerCase(), name]),
  );
  const head = await client.public.getBlockNumber();
  const found: SentTransaction[] = [];
  for (let blockNumber = fromBlock; blockNumber <= head; blockNumber++) {
    const { transactions } = await client.public.getBlock({ blockNumber, includeTransactions: true });
    for (const { from, to, input, hash } of transactions) {
      const [name, contract] = [nameOf.get(from), contractAt.get(to ?? "")];
      if (name === undefined || contract === undefined) continue;
      const { gasUsed, status } = await client.public.getTransactionReceipt({ hash });
      const call = callOf(contract as DeployedName, input);
      found.push({ from: name, call, gas: Number(gasUsed), reverted: status === "reverted" });
    }
  }
  return found;
}

function callOf(contract: DeployedName, data: Hex): string {
  const { functionName, args } = decodeFunctionData({ abi: abis[contract], data });
  const call = `${contract}.${functionName}`;
  if (functionName !== "play") return call;
  const move = (args as readonly unknown[])[2] as Hex;
  return `${call} ${decodeFunctionData({ abi: moveAbi, data: move }).functionName}`;
}
