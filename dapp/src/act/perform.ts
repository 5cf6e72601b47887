import { type Address, type Hex, recoverTypedDataAddress, type TypedDataDefinition } from "viem";
import type { Config } from "wagmi";
import {
  estimateFeesPerGas,
  estimateGas,
  getConnection,
  getPublicClient,
  sendTransaction,
  signTypedData,
} from "wagmi/actions";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { Lookout } from "./outcome.ts";
import type { SendStep, SignStep } from "./steps.ts";

/** What a transaction will cost at most, before it is signed. */
export type Cost = { readonly gas: bigint; readonly wei: bigint };

export type Parts = { readonly config: Config; readonly deployment: Deployment; readonly account: Address };

/** @throws Error that says why the wallet cannot be used as it is now */
export function requireSame({ config, deployment, account }: Parts): void {
  const { address, chainId } = getConnection(config);
  if (address === undefined) throw new Error("The wallet is not connected any more. Nothing was sent.");
  if (address.toLowerCase() !== account.toLowerCase()) {
    throw new Error(
      `The wallet's account was changed to ${address} meanwhile. This was prepared for ${account}: change back, or begin anew. Nothing was sent.`,
    );
  }
  if (chainId !== deployment.chainId) {
    throw new Error(
      `The wallet is on chain ${chainId}, this page on ${deployment.chainId}. Nothing was sent.`,
    );
  }
}

/** What a step would cost; it fails as the transaction would. */
export async function costOf({ config, deployment, account }: Parts, step: SendStep): Promise<Cost> {
  const { to, data, value } = await step.call();
  const { chainId } = deployment;
  const [gas, fees] = await Promise.all([
    estimateGas(config, { account, to, data, value, chainId }),
    estimateFeesPerGas(config, { chainId }),
  ]);
  return { gas, wei: gas * (fees.maxFeePerGas ?? fees.gasPrice ?? 0n) };
}

/** @throws Error when the message is for another chain or contract than this deployment's */
function requireDomain({ chainId, addresses }: Deployment, { domain }: TypedDataDefinition): void {
  const known = Object.values(addresses).some(
    (address) => address?.toLowerCase() === domain?.verifyingContract?.toLowerCase(),
  );
  if (!known || Number(domain?.chainId) !== chainId)
    throw new Error("The message is for another chain or contract than this page's. Nothing was signed.");
}

/** Has a message signed, and checks that the account signed it. */
export async function sign(parts: Parts, step: SignStep): Promise<void> {
  const { config, deployment, account } = parts;
  requireSame(parts);
  const message = await step.message();
  requireDomain(deployment, message);
  const signature = await signTypedData(config, { ...message, account });
  const signer = await recoverTypedDataAddress({ ...message, signature });
  if (signer.toLowerCase() !== account.toLowerCase())
    throw new Error(`The wallet signed as ${signer}, not as ${account}. The signature is not used.`);
  step.take(signature, message);
}

/** Sends a transaction. What becomes of it, the lookout tells. */
export async function send(
  parts: Parts,
  step: SendStep,
): Promise<{ readonly hash: Hex; readonly lookout: Lookout; readonly pause: number }> {
  const { config, deployment, account } = parts;
  requireSame(parts);
  const call = await step.call();
  const { chainId } = deployment;
  const chain = getPublicClient(config, { chainId })!;
  // Counted before the wallet is asked: what takes its place may be in a block before the wallet has answered.
  const block = await chain.getBlockNumber({ cacheTime: 0 });
  const nonce = await chain.getTransactionCount({ address: account, blockTag: "pending" });
  const hash = await sendTransaction(config, { account, ...call, chainId });
  const lookout = new Lookout(chain, { hash, account, call, nonce }, block);
  return { hash, lookout, pause: chain.pollingInterval };
}
