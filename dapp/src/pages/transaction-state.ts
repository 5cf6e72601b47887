import { type Hex, type PublicClient, TransactionNotFoundError, TransactionReceiptNotFoundError } from "viem";

type Client = Pick<PublicClient, "getTransaction" | "getTransactionReceipt">;

/** What the chain has of a transaction: nothing yet, what was sent, or what came of it, too. */
export type TransactionState =
  | { readonly kind: "unknown" }
  | { readonly kind: "waiting" }
  | {
      readonly kind: "there";
      readonly transaction: Awaited<ReturnType<Client["getTransaction"]>>;
      readonly receipt: Awaited<ReturnType<Client["getTransactionReceipt"]>>;
    };

/**
 * Asks how a transaction stands. That an endpoint does not know it is an answer: it may know it a little later.
 *
 * @throws Error when the endpoint cannot be asked
 */
export async function readTransaction(client: Client, hash: Hex): Promise<TransactionState> {
  const [transaction, receipt] = await Promise.all([
    client.getTransaction({ hash }).catch(unlessUnknown),
    client.getTransactionReceipt({ hash }).catch(unlessUnknown),
  ]);
  if (transaction === undefined) return { kind: "unknown" };
  return receipt === undefined ? { kind: "waiting" } : { kind: "there", transaction, receipt };
}

function unlessUnknown(error: unknown): undefined {
  const isUnknown =
    error instanceof TransactionNotFoundError || error instanceof TransactionReceiptNotFoundError;
  if (!isUnknown) throw error;
}
