import {
  type Address,
  formatTransaction,
  type Hex,
  keccak256,
  type Signature,
  serializeTransaction,
  type TransactionSerializable,
} from "viem";

/** What was signed, and by which bytes. */
export type SignedTransaction = { hash: Hex; raw: Hex; to: Address | undefined; data: Hex; value: bigint };

/**
 * A transaction as an endpoint gives it, once its bytes are those that its hash stands for: of a hash that is believed, one
 * endpoint's word for what is in it suffices.
 *
 * @returns undefined where it is something else, or of a kind that has no signature
 */
export function signedTransaction(found: { hash?: string }): SignedTransaction | undefined {
  try {
    const transaction = formatTransaction(found as never);
    const { r, s, v, yParity, input, value } = transaction;
    const signature = { r, s, v, yParity } as Signature;
    // In lower case: a node may write addresses in any, and a checksum says nothing here.
    const to = transaction.to?.toLowerCase() as Address | undefined;
    const serializable = { ...transaction, data: input, to };
    const raw = serializeTransaction(serializable as unknown as TransactionSerializable, signature);
    const hash = keccak256(raw);
    if (hash !== found.hash?.toLowerCase()) return undefined;
    return { hash, raw, to, data: input, value };
  } catch {
    return undefined;
  }
}
