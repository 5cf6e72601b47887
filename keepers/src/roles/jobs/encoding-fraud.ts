import { type Hex, keccak256 } from "viem";
import { encodeCall } from "../../chain/contracts.ts";
import { datasetStatus } from "../../storage/client/anchor.ts";
import type { CodewordFraud } from "../../storage/client/codeword-fraud.ts";
import { type DutyContext, tryCall } from "../storage-node/context.ts";

/**
 * Shows the contracts that a dataset is wrongly encoded: half of its bond goes to whoever does it first, and a result is not paid for
 * any more. Says whether that is known to them now, by whomever.
 */
export async function showEncodingFraud(context: DutyContext, fraud: CodewordFraud): Promise<boolean> {
  const { datasetId, cellIndex, offset, cells } = fraud;
  if (await isKnown(context, datasetId)) return true;
  const args = [datasetId, cellIndex, offset, cells] as const;
  // Others may serve at the next look, whose cells are other evidence: the queue sends one transaction for a key.
  const { data } = encodeCall(context.deployment, "EncodingFraud", "proveCodeword", args);
  const key = `prove-codeword:${datasetId}:${keccak256(data)}`;
  if (await tryCall(context, key, "EncodingFraud", "proveCodeword", args)) {
    context.log.warn({ datasetId }, "showed that a dataset is wrongly encoded");
    return true;
  }
  return await isKnown(context, datasetId);
}

async function isKnown({ agreed }: DutyContext, datasetId: Hex): Promise<boolean> {
  const [status] = await agreed.contracts.DatasetRegistry.read.termsOf([datasetId]);
  return status === datasetStatus.fraudulent;
}
