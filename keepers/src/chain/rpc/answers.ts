import { formatBlock, formatLog, formatTransaction, formatTransactionReceipt } from "viem";
import { z } from "zod";
import { InconsistentAnswerError } from "./errors.ts";

/**
 * The forms of what endpoints answer. Each names all fields that are converted afterwards, and what it does not name is left out:
 * a conversion that fails would fail where nobody knows any more whose answer it was, and nobody else would be asked.
 */
export const hash = z.string().regex(/^0x[0-9a-fA-F]{64}$/);
export const quantity = z.string().regex(/^0x[0-9a-fA-F]{1,64}$/);
export const data = z.string().regex(/^0x(?:[0-9a-fA-F]{2})*$/);
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
/** What is counted in numbers of JavaScript, or kept in integers of a database: no chain comes as far as this. */
const count = z.string().regex(/^0x0*[0-9a-fA-F]{1,13}$/);
/** Of transactions and receipts; what is not known is left as it is. */
const type = z.string().regex(/^0x[0-9a-fA-F]{1,2}$/);
const text = z.string().regex(/^0x[0-9a-fA-F]*$/);

const optionalQuantity = quantity.nullish();
const optionalCount = count.nullish();

export const logSchema = z.object({
  address,
  // How many there are is looked at first: of each that is malformed a note is made.
  topics: z.array(z.unknown()).max(4).pipe(z.array(hash)),
  data,
  blockNumber: count,
  blockHash: hash,
  blockTimestamp: optionalCount,
  transactionHash: hash,
  transactionIndex: count,
  logIndex: count,
  removed: z.boolean().nullish(),
});

const header = {
  number: count,
  hash,
  parentHash: hash,
  timestamp: count,
  logsBloom: text.nullish(),
  nonce: text.nullish(),
  miner: address.nullish(),
  stateRoot: hash.nullish(),
  transactionsRoot: hash.nullish(),
  receiptsRoot: hash.nullish(),
  baseFeePerGas: optionalQuantity,
  blobGasUsed: optionalQuantity,
  difficulty: optionalQuantity,
  excessBlobGas: optionalQuantity,
  gasLimit: optionalQuantity,
  gasUsed: optionalQuantity,
  size: optionalQuantity,
  totalDifficulty: optionalQuantity,
};

/** Of a transaction its hash alone is always there: chains have kinds of their own, without a signature or a price. */
export const transactionSchema = z.object({
  hash,
  from: address.nullish(),
  to: address.nullish(),
  input: data.nullish(),
  value: optionalQuantity,
  nonce: optionalCount,
  gas: optionalQuantity,
  gasPrice: optionalQuantity,
  maxFeePerGas: optionalQuantity,
  maxPriorityFeePerGas: optionalQuantity,
  maxFeePerBlobGas: optionalQuantity,
  blobVersionedHashes: z.array(hash).nullish(),
  chainId: optionalCount,
  type: type.nullish(),
  accessList: z.array(z.object({ address, storageKeys: z.array(hash) })).nullish(),
  authorizationList: z
    .array(
      z.object({ address, chainId: quantity, nonce: quantity, r: quantity, s: quantity, yParity: quantity }),
    )
    .nullish(),
  r: quantity.nullish(),
  s: quantity.nullish(),
  v: optionalQuantity,
  yParity: optionalCount,
  blockHash: hash.nullish(),
  blockNumber: optionalCount,
  blockTimestamp: optionalCount,
  transactionIndex: optionalCount,
});

/** One after the other, up to the first that is malformed. */
const listOf = (each: z.ZodType<unknown>) =>
  z
    .array(z.unknown())
    .nullish()
    .transform((list) => list?.map((one, i) => shape(each, one, `transaction ${i} of a block`)));

/** By whether a block was asked for with its transactions whole, or with their hashes. */
const bodies = { whole: { transactions: listOf(transactionSchema) }, usual: { transactions: listOf(hash) } };
/** A block that is not made yet has neither a number nor a hash. */
const pendingHeader = { ...header, number: count.nullish(), hash: hash.nullish() };

export const blockSchemas = {
  made: {
    whole: z.object({ ...header, ...bodies.whole }),
    usual: z.object({ ...header, ...bodies.usual }),
  },
  pending: {
    whole: z.object({ ...pendingHeader, ...bodies.whole }),
    usual: z.object({ ...pendingHeader, ...bodies.usual }),
  },
};

export const receiptSchema = z.object({
  transactionHash: hash,
  blockHash: hash,
  blockNumber: count,
  status: z.string().regex(/^0x[01]$/),
  logs: z.array(z.unknown()),
  logsBloom: text.nullish(),
  from: address.nullish(),
  to: address.nullish(),
  contractAddress: address.nullish(),
  transactionIndex: optionalCount,
  type: type.nullish(),
  gasUsed: optionalQuantity,
  cumulativeGasUsed: optionalQuantity,
  effectiveGasPrice: optionalQuantity,
  blobGasPrice: optionalQuantity,
  blobGasUsed: optionalQuantity,
});

export type Log = z.infer<typeof logSchema>;

/** The value in its form, without what that does not name. */
export function shape<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InconsistentAnswerError(`malformed ${what}: ${issue?.path.join(".")} ${issue?.message}`);
}

const formats = {
  block: formatBlock,
  log: formatLog,
  receipt: formatTransactionReceipt,
  transaction: formatTransaction,
} as const;

/** The value itself, once viem has converted it without an error: its forms may come to convert more than those here name. */
export function convertible<T>(kind: keyof typeof formats, value: T): T {
  try {
    formats[kind](value as never);
  } catch (cause) {
    throw new InconsistentAnswerError(`malformed ${kind}: ${(cause as Error).message}`, { cause });
  }
  return value;
}
