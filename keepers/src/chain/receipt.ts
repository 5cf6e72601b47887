import { type Address, type Hex, hashTypedData, type LocalAccount, recoverAddress } from "viem";
import { BadInputError } from "../core/errors.ts";

/** An operator's word that it holds a bundle (docs/storage-protocol.md section 5). */
export type Receipt = {
  datasetId: Hex;
  bundleIndex: number;
  poseidonRoot: Hex;
  transportRoot: Hex;
  operator: Address;
  /** Unix seconds after which the registry refuses the receipt. */
  validUntil: bigint;
  /** The operator agrees to answer for epochs before this one, whatever is paid for later. */
  latestEnd: number;
};

export type ReceiptDomain = { chainId: number; bundleRegistry: Address };

const types = {
  Receipt: [
    { name: "datasetId", type: "bytes32" },
    { name: "bundleIndex", type: "uint32" },
    { name: "poseidonRoot", type: "bytes32" },
    { name: "transportRoot", type: "bytes32" },
    { name: "operator", type: "address" },
    { name: "validUntil", type: "uint64" },
    { name: "latestEnd", type: "uint32" },
  ],
} as const;

/** The EIP-712 message of a receipt, as wallets and viem take it. */
export function receiptTypedData(receipt: Receipt, { chainId, bundleRegistry }: ReceiptDomain) {
  return {
    domain: { name: "Assay BundleRegistry", version: "1", chainId, verifyingContract: bundleRegistry },
    types,
    primaryType: "Receipt",
    message: receipt,
  } as const;
}

/** Signs a receipt as its operator; refuses to sign for anyone else, because the registry would. */
export async function signReceipt(
  account: LocalAccount,
  receipt: Receipt,
  domain: ReceiptDomain,
): Promise<Hex> {
  if (account.address.toLowerCase() !== receipt.operator.toLowerCase()) {
    throw new BadInputError(
      `account ${account.address} cannot sign a receipt of operator ${receipt.operator}`,
    );
  }
  return account.signTypedData(receiptTypedData(receipt, domain));
}

/** Address whose key signed the receipt: valid only when it equals `receipt.operator`. */
export async function recoverReceipt(
  receipt: Receipt,
  signature: Hex,
  domain: ReceiptDomain,
): Promise<Address> {
  try {
    return await recoverAddress({ hash: hashTypedData(receiptTypedData(receipt, domain)), signature });
  } catch (cause) {
    throw new BadInputError("the receipt's signature is malformed", { cause });
  }
}
