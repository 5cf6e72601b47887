import type { Logger } from "pino";
import type { Address, ContractFunctionArgs, TransactionReceipt } from "viem";
import type { abis } from "../../chain/abi/index.ts";
import type { ChainClient } from "../../chain/client.ts";
import { type Contracts, connectContracts, encodeCall, type WriteName } from "../../chain/contracts.ts";
import type { DeployedName, Deployment } from "../../chain/deployment.ts";
import { gasBound } from "../../chain/gas-bounds.ts";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import type { TransactionQueue } from "../../chain/transactions/queue.ts";

/** What every duty of a keeper works with. */
export type DutyContext = {
  operator: Address;
  client: ChainClient;
  deployment: Deployment;
  contracts: Contracts;
  /** The chain as its endpoints agree on it: nothing else ends a duty. */
  agreed: Reading;
  queue: TransactionQueue;
  log: Logger;
};

/** What a look at the chain takes. */
export type Reading = { readonly contracts: Contracts; readonly client: Pick<ChainClient, "public"> };

/** The chain as its endpoints agree on it; the very same as `usual` when there is one endpoint. */
export function readingAgreed(usual: {
  readonly client: Pick<ChainClient, "public" | "confirmed">;
  readonly contracts: Contracts;
  readonly deployment: Deployment;
}): Reading {
  const { client, contracts, deployment } = usual;
  if (client.confirmed === client.public) return { client, contracts };
  return {
    client: { public: client.confirmed },
    contracts: connectContracts(client.confirmed, deployment),
  };
}

/** The chain for what strangers cause: their reads wait behind those of duties, and are refused when too many wait. */
export function readingForStrangers({
  client,
  deployment,
}: {
  readonly client: Pick<ChainClient, "strangers">;
  readonly deployment: Deployment;
}): Reading {
  return {
    contracts: connectContracts(client.strangers, deployment),
    client: { public: client.strangers },
  };
}

/** Timestamp of the latest block, seconds: the only clock that deadlines on chain know. */
export async function chainTime(client: Pick<ChainClient, "public">): Promise<bigint> {
  return (await client.public.getBlock({ blockTag: "latest" })).timestamp;
}

/**
 * Sends a contract call under a key that makes it happen once.
 * @param value native coin that goes with it, wei
 * @throws TransactionFailedError when the chain refuses it
 */
export function sendCall<N extends DeployedName, F extends WriteName<N>>(
  { queue, deployment }: DutyContext,
  key: string,
  contract: N,
  functionName: F,
  args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
  value = 0n,
): Promise<TransactionReceipt> {
  return queue.send({
    key,
    description: key,
    minimumGas: gasBound(contract, functionName),
    ...encodeCall(deployment, contract, functionName, args, value),
  });
}

/** As {@link sendCall}, without waiting for it. */
export function submitCall<N extends DeployedName, F extends WriteName<N>>(
  { queue, deployment }: DutyContext,
  key: string,
  contract: N,
  functionName: F,
  args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
  value = 0n,
): Promise<void> {
  const minimumGas = gasBound(contract, functionName);
  return queue.submit({
    key,
    description: key,
    minimumGas,
    ...encodeCall(deployment, contract, functionName, args, value),
  });
}

/**
 * As {@link sendCall}, for what the chain may refuse: because another keeper was faster, or because what it depends on is
 * not there yet. Nothing is lost then, and whoever still has to do it tries again. Says whether ours was the one.
 */
export async function tryCall<N extends DeployedName, F extends WriteName<N>>(
  context: DutyContext,
  key: string,
  contract: N,
  functionName: F,
  args: ContractFunctionArgs<(typeof abis)[N], "nonpayable" | "payable", F>,
  value = 0n,
): Promise<boolean> {
  try {
    await sendCall(context, key, contract, functionName, args, value);
    return true;
  } catch (error) {
    if (!(error instanceof TransactionFailedError)) throw error;
    logRefusal(context, error, { key });
    return false;
  }
}

/** Notes a transaction that the chain refused: what was sent in vain has cost a fee, and may have a deadline. */
export function logRefusal(
  { log }: Pick<DutyContext, "log">,
  { hash, isPoor, message: reason }: TransactionFailedError,
  facts: object,
): void {
  if (isPoor) log.warn({ ...facts, reason }, "the account cannot pay for this");
  else if (hash !== undefined) log.warn({ ...facts, reason }, "failed on chain");
  else log.debug({ ...facts, reason }, "left to others");
}
