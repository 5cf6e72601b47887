import { datasetStatus } from "../../storage/client/anchor.ts";
import type { CodewordFraud } from "../../storage/client/codeword-fraud.ts";
import { type DutyContext, tryCall } from "../storage-node/context.ts";

/**
 * Shows the contracts that a dataset is wrongly encoded: half of its bond goes to whoever does it first, and a result is not paid for
 * any more. Says whether that is known to them now, by whomever.
 */
export async function showEncodingFraud(context: DutyContext, fraud: CodewordFraud): Promise<boolean> {
  const { datasetId, cellIndex, offset, cells } = fraud;
  const key = `prove-codeword:${datasetId}`;
  const args = [datasetId, cellIndex, offset, cells] as const;
  if (await tryCall(context, key, "EncodingFraud", "proveCodeword", args)) {
    context.log.warn({ datasetId }, "showed that a dataset is wrongly encoded");
    return true;
  }
  const [status] = await context.agreed.contracts.DatasetRegistry.read.termsOf([datasetId]);
  return status === datasetStatus.fraudulent;
}
