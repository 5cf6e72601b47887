import type { Address, Hex } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import type { StorageWriter } from "./client.ts";

/** `Limits.MAX_STANDBYS` */
export const mostStandbys = 64;

/**
 * Names the operators that come first where bundles of the account's dataset lost their holders, unless all of them are named:
 * otherwise whoever sees the randomness first takes a bundle over, and may only mean to leave again.
 * @param operators those that have been given the bytes; more than 64 are not named
 * @returns the transaction that named them, if any
 * @throws TransactionFailedError
 */
export async function nameStandbys(
  { contracts, deployment, queue, chain }: StorageWriter,
  datasetId: Hex,
  operators: readonly Address[],
): Promise<Hex | undefined> {
  const wanted = [...new Set(operators)].sort().slice(0, mostStandbys);
  const named = await Promise.all(
    wanted.map((operator) => contracts.BundleRegistry.read.isStandby([datasetId, operator])),
  );
  if (named.every(Boolean)) return undefined;
  // The same operators may be named again later, after others: each time is a transaction of its own.
  const block = await chain.public.getBlockNumber();
  const { transactionHash } = await queue.send({
    ...encodeCall(deployment, "BundleRegistry", "setStandbys", [datasetId, wanted]),
    key: `standbys:${datasetId}:${block}`,
    description: `naming ${wanted.length} operators that come first`,
  });
  return transactionHash;
}
