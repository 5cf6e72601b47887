import type { LocalAccount } from "viem";
import { type Address, type Hex, recoverTypedDataAddress } from "viem";
import {
  type LearningRecord,
  type LearningRecordDomain,
  learningRecord,
  learningRecordTypedData,
} from "../../core/exact/learning-record.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";

/** Who signs the records of a run, and where the signatures count. */
export type RecordSigner = {
  readonly account: Pick<LocalAccount, "address" | "signTypedData">;
  readonly domain: LearningRecordDomain;
};

/** What a run found out about an interval. */
export type IntervalFacts = {
  readonly interval: number;
  readonly rootBefore: Hex;
  readonly rootAfter: Hex;
  readonly witnessHash: Hex;
};

/** A worker's signature over the Proof-of-Learning record of an interval; the record follows from order and trace. */
export type RecordSignature = { readonly worker: Address; readonly signature: Hex };

export async function signRecord(
  { account, domain }: RecordSigner,
  order: TrainingOrder,
  facts: IntervalFacts,
): Promise<RecordSignature> {
  const record = learningRecord(order, { ...facts, worker: account.address });
  const signature = await account.signTypedData(learningRecordTypedData(record, domain));
  return { worker: account.address, signature };
}

/** The record that was signed, when the signature is the worker's; undefined when it is not. */
export async function verifyRecord(
  { worker, signature }: RecordSignature,
  domain: LearningRecordDomain,
  order: TrainingOrder,
  facts: IntervalFacts,
): Promise<LearningRecord | undefined> {
  const record = learningRecord(order, { ...facts, worker });
  const message = learningRecordTypedData(record, domain);
  const signer = await recoverTypedDataAddress({ ...message, signature }).catch(() => undefined);
  return signer === worker ? record : undefined;
}
